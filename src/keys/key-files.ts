import { join } from 'node:path';
import { SECRET } from '../disk/access.js';
import { createFiles, takeBackHalf } from '../disk/create.js';
import { kindOf, readBounded, writeDurably } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import type { Warning } from '../model/finding.js';
import { KEYS_NAME } from '../model/layout.js';
import { shellWord } from '../model/shell.js';
import { inFile } from '../pgp/origin.js';
import { readCertificateFile } from '../published/read.js';
import { exposedKeyWarnings } from '../signers/key-file.js';
import { KEY_FILE_LIMIT_BYTES, openCertificates } from '../signers/open.js';
import type { CertificateSources } from '../signers/open.js';
import type { KeyDescription } from './describe.js';
import type { GenerateKeyOptions, KeyForms } from './generate.js';
import type { LintFinding } from './lint.js';
import { lintAll } from './lint-published.js';

export interface GenerateOptions extends Omit<GenerateKeyOptions, 'date'> {
  /** The file of the whole secret key; the other files go beside it. */
  readonly output: string;
  readonly now: Date;
}

/** A new key and the paths of its files. */
export interface GeneratedKey extends KeyForms<string> {
  readonly fingerprint: string;
  readonly expires: Date | null;
  readonly warnings: readonly Warning[];
}

/** The paths of a key's four files. */
export function keyFiles(output: string): KeyForms<string> {
  const stem = output.replace(/\.asc$/, '');
  return {
    secret: output,
    signing: `${stem}.signing.asc`,
    certificate: `${stem}.pub.asc`,
    revocation: `${stem}.rev.asc`,
  };
}

/**
 * Checks for existing files before anyone is asked for a passphrase, and takes back what a killed run left of a key. Throws
 * FILE_EXISTS.
 */
export function checkKeyFiles(output: string): void {
  const paths = Object.values(keyFiles(output));
  const isCertain = takeBackHalf(paths);
  const existing = paths.filter((path) => kindOf(path) !== null);
  if (existing.length === 0) return;
  const [only = '', ...more] = existing;
  throw new PacksignError('FILE_EXISTS', `${only} exists`, {
    hint: isCertain
      ? 'packsign never overwrites a key: choose another name with --output FILE'
      : `a run that was interrupted may have left it: rm ${[only, ...more].map(shellWord).join(' ')}, unless they are yours`,
  });
}

const FORMS = ['secret', 'signing', 'revocation', 'certificate'] as const;

/** The bytes of a key's files, the secret key first: it can make the others again. */
function filesOf(output: string, forms: Partial<KeyForms<Uint8Array>>) {
  const paths = keyFiles(output);
  return FORMS.flatMap((form) => {
    const bytes = forms[form];
    const mode = form === 'certificate' ? {} : { mode: SECRET };
    return bytes === undefined ? [] : [{ path: paths[form], bytes, ...mode }];
  });
}

/** Writes those of a new key's files that are given, all of them or none. Gives their paths. Throws FILE_EXISTS, FILE_UNWRITABLE. */
export function createKeyFiles(output: string, forms: Partial<KeyForms<Uint8Array>>): readonly string[] {
  const files = filesOf(output, forms);
  createFiles(files);
  return files.map(({ path }) => path);
}

/** Replaces those of a key's files that are given; root leaves them to their owner. Throws FILE_UNWRITABLE. */
export function replaceKeyFiles(output: string, forms: Partial<KeyForms<Uint8Array>>): readonly string[] {
  const files = filesOf(output, forms);
  for (const { path, bytes, ...options } of files) writeDurably(path, bytes, { ...options, like: output });
  return files.map(({ path }) => path);
}

/** Makes a key and writes its four files, or none of them. Throws FILE_EXISTS, FILE_UNWRITABLE. */
export async function generateKeyFiles(options: GenerateOptions): Promise<GeneratedKey> {
  const { output, expiresInSeconds, now } = options;
  checkKeyFiles(output);
  const { generateKey } = await import('./generate.js');
  const key = await generateKey({ ...options, date: now });
  createKeyFiles(output, key);
  const files = keyFiles(output);
  const warnings = [files.secret, files.signing, files.revocation].flatMap(exposedKeyWarnings);
  const expires = expiresInSeconds === null ? null : new Date(now.getTime() + expiresInSeconds * 1000);
  return { fingerprint: key.fingerprint, ...files, expires, warnings };
}

export interface ShownKey extends Omit<KeyDescription, 'certificate'> {
  /** What today's verifiers will say about it. */
  readonly lint: readonly LintFinding[];
}

export interface ShowKeyOptions extends Pick<CertificateSources, 'environment'> {
  readonly now: Date;
  /** The directory to whose `keys.asc` the key is compared. */
  readonly directory: string;
}

/** What a key holds: a file, secret or public, or one that GnuPG has. Throws NO_KEY, KEY_MALFORMED, KEYS_MALFORMED. */
export async function showKey(name: string, options: ShowKeyOptions): Promise<ShownKey> {
  const { now, environment, directory } = options;
  const { describeKey } = await import('./describe.js');
  const bytes =
    readBounded(name, KEY_FILE_LIMIT_BYTES) ??
    (await openCertificates([name], { certificates: [], environment }))[0]?.binary ??
    new Uint8Array();
  const { certificate, ...description } = await inFile(name, () => describeKey(bytes, now));
  const published = (await readCertificateFile(join(directory, KEYS_NAME))) ?? [];
  const lint = await lintAll([certificate], { published, databaseExpires: null, now });
  return { ...description, lint };
}

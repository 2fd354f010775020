import { join } from 'node:path';
import { createFile, kindOf, quietly, readBounded, removeDurably, writeDurably } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { KEYS_NAME } from '../model/layout.js';
import { readCertificateFile } from '../published/read.js';
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

/** Checks for existing files before anyone is asked for a passphrase. Throws FILE_EXISTS. */
export function checkKeyFiles(output: string): void {
  const existing = Object.values(keyFiles(output)).find((path) => kindOf(path) !== null);
  if (existing === undefined) return;
  throw new PacksignError('FILE_EXISTS', `${existing} exists`, {
    hint: 'packsign never overwrites a key: choose another name with --output FILE',
  });
}

/**
 * Writes those of a key's files that are given, the secret key first: it can make the others again. Writes all of them
 * or none, unless `replace` is set. Gives their paths. Throws FILE_EXISTS, FILE_UNWRITABLE.
 */
export function writeKeyFiles(
  output: string,
  forms: Partial<KeyForms<Uint8Array>>,
  { replace }: { readonly replace: boolean },
): readonly string[] {
  const files = keyFiles(output);
  const written: string[] = [];
  try {
    for (const form of ['secret', 'signing', 'revocation', 'certificate'] as const) {
      const bytes = forms[form];
      if (bytes === undefined) continue;
      const write = replace ? writeDurably : createFile;
      write(files[form], bytes, { mode: form === 'certificate' ? 0o644 : 0o600 });
      written.push(files[form]);
    }
  } catch (error) {
    if (!replace) for (const path of written) quietly(() => removeDurably(path));
    throw error;
  }
  return written;
}

/** Makes a key and writes its four files, or none of them. Throws FILE_EXISTS, FILE_UNWRITABLE. */
export async function generateKeyFiles(options: GenerateOptions): Promise<GeneratedKey> {
  const { output, expiresInSeconds, now } = options;
  checkKeyFiles(output);
  const { generateKey } = await import('./generate.js');
  const key = await generateKey({ ...options, date: now });
  writeKeyFiles(output, key, { replace: false });
  const expires = expiresInSeconds === null ? null : new Date(now.getTime() + expiresInSeconds * 1000);
  return { fingerprint: key.fingerprint, ...keyFiles(output), expires };
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
  const { certificate, ...description } = await describeKey(bytes, now);
  const published = (await readCertificateFile(join(directory, KEYS_NAME))) ?? [];
  const lint = await lintAll([certificate], { published, databaseExpires: null, now });
  return { ...description, lint };
}

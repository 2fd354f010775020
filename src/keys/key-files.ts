import { join } from 'node:path';
import { createFile, kindOf, quietly, readBounded, removeDurably } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { KEYS_NAME } from '../model/layout.js';
import type { KeyDescription } from './describe.js';
import type { LintFinding } from './lint.js';
import { lintAll } from './lint-published.js';
import { readCertificateFile } from '../published/read.js';
import { KEY_FILE_LIMIT_BYTES, openCertificates } from '../signers/open.js';
import type { CertificateSources } from '../signers/open.js';

export interface GenerateOptions {
  readonly userId: string;
  /** The file of the whole secret key; the others stand beside it. */
  readonly output: string;
  /** Null: the key is not locked. */
  readonly passphrase: string | null;
  /** Null: the key does not expire. */
  readonly expiresInSeconds: number | null;
  readonly rsa: boolean;
  readonly now: Date;
}

export interface GeneratedKey {
  readonly fingerprint: string;
  /** Path of the whole secret key, for a safe place. */
  readonly secret: string;
  /** Path of the secret signing subkey alone, for release machines. */
  readonly signing: string;
  /** Path of the certificate, which is public. */
  readonly certificate: string;
  /** Path of the revocation certificate. */
  readonly revocation: string;
  readonly expires: Date | null;
}

/** The four files that a generated key is written to. */
export function keyFiles(
  output: string,
): Pick<GeneratedKey, 'secret' | 'signing' | 'certificate' | 'revocation'> {
  const stem = output.replace(/\.asc$/, '');
  return {
    secret: output,
    signing: `${stem}.signing.asc`,
    certificate: `${stem}.pub.asc`,
    revocation: `${stem}.rev.asc`,
  };
}

/** Refuses before anybody is asked for a passphrase. Throws FILE_EXISTS. */
export function checkKeyFiles(output: string): void {
  const standing = Object.values(keyFiles(output)).find((path) => kindOf(path) !== null);
  if (standing === undefined) return;
  throw new PacksignError('FILE_EXISTS', `${standing} exists`, {
    hint: 'packsign never overwrites a key: choose another name with --output FILE',
  });
}

/** Makes a key and writes its four files, or none of them. Throws FILE_EXISTS, FILE_UNWRITABLE. */
export async function generateKeyFiles(options: GenerateOptions): Promise<GeneratedKey> {
  checkKeyFiles(options.output);
  const { generateKey } = await import('./generate.js');
  const key = await generateKey({ ...options, date: options.now });
  const files = keyFiles(options.output);
  const written: string[] = [];
  try {
    for (const part of ['secret', 'signing', 'revocation', 'certificate'] as const) {
      createFile(files[part], key[part], { mode: part === 'certificate' ? 0o644 : 0o600 });
      written.push(files[part]);
    }
  } catch (error) {
    for (const path of written) quietly(() => removeDurably(path));
    throw error;
  }
  const { expiresInSeconds, now } = options;
  const expires = expiresInSeconds === null ? null : new Date(now.getTime() + expiresInSeconds * 1000);
  return { fingerprint: key.fingerprint, ...files, expires };
}

export interface ShownKey extends Omit<KeyDescription, 'certificate'> {
  /** What today's verifiers will say of it. */
  readonly lint: readonly LintFinding[];
}

export interface ShowKeyOptions {
  readonly now: Date;
  readonly environment: CertificateSources['environment'];
  /** Whose `keys.asc` the key is held against. */
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
  const published = await readCertificateFile(join(directory, KEYS_NAME));
  const lint = await lintAll([certificate], { published, databaseExpires: null, now });
  return { ...description, lint };
}

import { existsSync } from 'node:fs';
import { createFile, readBounded, removeDurably } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import type { KeyDescription } from '../pgp/describe.js';

const KEY_FILE_LIMIT_BYTES = 1024 * 1024;

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
  const standing = Object.values(keyFiles(output)).find((path) => existsSync(path));
  if (standing === undefined) return;
  throw new PacksignError('FILE_EXISTS', `${standing} exists`, {
    hint: 'packsign never overwrites a key: choose another name with --output FILE',
  });
}

/** Makes a key and writes its four files, or none of them. Throws FILE_EXISTS, FILE_UNWRITABLE. */
export async function generateKeyFiles(options: GenerateOptions): Promise<GeneratedKey> {
  checkKeyFiles(options.output);
  const { generateKey } = await import('../pgp/generate.js');
  const key = await generateKey({ ...options, date: options.now });
  const files = keyFiles(options.output);
  const written: string[] = [];
  try {
    for (const part of ['secret', 'signing', 'revocation', 'certificate'] as const) {
      createFile(files[part], key[part], { mode: part === 'certificate' ? 0o644 : 0o600 });
      written.push(files[part]);
    }
  } catch (error) {
    for (const path of written) removeDurably(path);
    throw error;
  }
  const { expiresInSeconds, now } = options;
  const expires = expiresInSeconds === null ? null : new Date(now.getTime() + expiresInSeconds * 1000);
  return { fingerprint: key.fingerprint, ...files, expires };
}

/** What a key file holds. Throws NO_KEY, KEY_MALFORMED. */
export async function showKey(file: string, { now }: { now: Date }): Promise<KeyDescription> {
  const bytes = readBounded(file, KEY_FILE_LIMIT_BYTES);
  if (bytes === null) throw new PacksignError('NO_KEY', `there is no file ${file}`);
  const { describeKey } = await import('../pgp/describe.js');
  return await describeKey(bytes, now);
}

import { existsSync, statSync } from 'node:fs';
import { createFile, readBounded, removeDurably } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import type { Signer } from '../pgp/secret-key.js';
import type { Certificate } from '../pgp/certificates.js';
import type { KeyDescription } from '../pgp/describe.js';

const KEY_FILE_LIMIT_BYTES = 1024 * 1024;
const ARMOR_START = '-----BEGIN PGP PRIVATE KEY BLOCK-----';

export interface OpenSignerOptions {
  /** Asked only for a key that is locked; gets a label for the key. Null: there is none to be had. */
  readonly passphrase: (label: string) => Promise<string | null>;
  readonly now: Date;
}

/**
 * The signers that `--key` names: files, or an armored secret key itself (from the environment).
 * Throws NO_KEY, KEY_MALFORMED, KEY_EXPIRED, KEY_REVOKED, KEY_WEAK, KEY_NOT_YET_VALID, PASSPHRASE_NEEDED,
 * PASSPHRASE_WRONG.
 */
export async function openSigners(
  keys: readonly string[],
  options: OpenSignerOptions,
): Promise<readonly Signer[]> {
  const { readSecretKey } = await import('../pgp/secret-key.js');
  const signers: Signer[] = [];
  for (const key of keys) {
    const label = isArmored(key) ? 'the key in PACKSIGN_KEY' : key;
    const signer = await readSecretKey(secretBytes(key), {
      passphrase: () => options.passphrase(label),
      date: options.now,
    });
    if (signers.some(({ fingerprint }) => fingerprint === signer.fingerprint)) continue;
    signers.push(signer);
  }
  return signers;
}

/** The certificates of keys that need not be unlocked for it. Throws as `openSigners`, but for passphrases. */
export async function openCertificates(keys: readonly string[]): Promise<readonly Certificate[]> {
  const { readSecretCertificate } = await import('../pgp/secret-key.js');
  return await Promise.all(keys.map((key) => readSecretCertificate(secretBytes(key))));
}

const NOT_A_KEY = 'what was given as a key is neither a file nor an armored secret key';

// A damaged key from the environment must not be taken for a name and printed (threat T19).
function isName(key: string): boolean {
  return key.length < 256 && !/[\r\n]|PGP|\\n/.test(key);
}

function isArmored(key: string): boolean {
  return key.trimStart().startsWith(ARMOR_START);
}

function secretBytes(key: string): Uint8Array {
  if (isArmored(key)) return Buffer.from(key);
  const bytes = existsSync(key) && statSync(key).isFile() ? readBounded(key, KEY_FILE_LIMIT_BYTES) : null;
  if (bytes !== null) return bytes;
  throw new PacksignError('NO_KEY', isName(key) ? `there is no key file ${key}` : NOT_A_KEY, {
    hint: 'name a file with an OpenPGP secret key, or make one: packsign key generate --user-id "NAME <ADDRESS>"',
  });
}

/** The certificates in files, public or secret ones. Throws NO_KEY, KEYS_MALFORMED, KEY_MALFORMED. */
export async function readCertificateFiles(files: readonly string[]): Promise<readonly Certificate[]> {
  const { readCertificates } = await import('../pgp/certificates.js');
  const { readSecretCertificate } = await import('../pgp/secret-key.js');
  const certificates: Certificate[] = [];
  for (const file of files) {
    const bytes = secretBytes(file);
    if (Buffer.from(bytes).includes(ARMOR_START)) certificates.push(await readSecretCertificate(bytes));
    else certificates.push(...(await readCertificates(bytes)));
  }
  return certificates;
}

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

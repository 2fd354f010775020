import { join } from 'node:path';
import { createFile, quietly, readBounded, removeDurably, writeDurably } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { KEYS_NAME } from '../model/layout.js';
import { once } from '../model/once.js';
import type { CheckedBackup } from './backup.js';
import type { Certificate } from '../pgp/certificates.js';
import type { RenewedKey, RevocationReason } from './renew.js';
import type { Run } from '../run.js';
import { checkKeyFiles, keyFiles } from './key-files.js';
import { publishKeys } from './publish-keys.js';
import type { PublishedKeys } from './publish-keys.js';
import { readCertificateFile } from '../published/read.js';
import { KEY_FILE_LIMIT_BYTES } from '../signers/open.js';

export interface ChangeKeyOptions {
  /** File of the whole secret key. */
  readonly file: string;
  /** Where the changed key is written; null changes the files themselves. */
  readonly output: string | null;
  readonly passphrase: (label: string) => Promise<string | null>;
  /** The directory whose `keys.asc` is refreshed where it holds the key. */
  readonly directory: string;
  /** Whether the directory's trust page follows its `keys.asc`. */
  readonly page: boolean;
  readonly run: Run;
}

export interface ChangedKey {
  readonly fingerprint: string;
  /** The key that signs now; null where none does. */
  readonly signingKey: string | null;
  readonly expires: Date | null;
  /** Files that were written, the whole secret key first. */
  readonly files: readonly string[];
  /** Null where the directory does not publish this key: there is something left to do. */
  readonly published: PublishedKeys | null;
}

/** Moves a key's expiry. Throws the codes of `changeKey` and KEY_REVOKED. */
export async function extendKeyFile(
  options: ChangeKeyOptions & { readonly expires: Date | null },
): Promise<ChangedKey> {
  const { extendKey } = await import('./renew.js');
  return await changeKey(options, (bytes, unlocking) => extendKey(bytes, { ...options, ...unlocking }));
}

/** Gives a key a new signing subkey. Throws the codes of `changeKey` and KEY_REVOKED. */
export async function rotateKeyFile(
  options: ChangeKeyOptions & { readonly expires: Date | null; readonly oldExpires: Date | null },
): Promise<ChangedKey> {
  const { rotateKey } = await import('./renew.js');
  return await changeKey(options, (bytes, unlocking) => rotateKey(bytes, { ...options, ...unlocking }));
}

export interface RevokeKeyOptions extends ChangeKeyOptions {
  /** Null only for a revocation certificate, which says it by itself. */
  readonly reason: RevocationReason | null;
  readonly text: string;
  /** Fingerprint of the subkey alone; null revokes the whole key. */
  readonly subkey: string | null;
}

/**
 * Revokes a key or one of its subkeys, with the secret primary key or a revocation certificate made before. Throws
 * the codes of `changeKey`, USAGE, and KEY_NOT_PUBLISHED for a revocation of no key in `keys.asc`.
 */
export async function revokeKeyFile(options: RevokeKeyOptions): Promise<ChangedKey> {
  const { reason } = options;
  const { isRevocation } = await import('./revocation.js');
  if (isRevocation(readKeyFile(options.file))) return await publishRevocation(options);
  if (reason === null) {
    throw new PacksignError('USAGE', 'a key is revoked for a reason', {
      hint: '--reason superseded or retired keeps what it signed; compromised or unspecified ends all of it',
    });
  }
  const { revokeKey } = await import('./renew.js');
  return await changeKey(options, (bytes, unlocking) =>
    revokeKey(bytes, { ...options, ...unlocking, reason }),
  );
}

/** What a backup is good for, tried out in memory. Throws NO_KEY, KEY_MALFORMED, KEY_UNUSABLE, and for passphrases. */
export async function checkBackupFile(
  file: string,
  { passphrase, run: { now } }: Pick<ChangeKeyOptions, 'passphrase' | 'run'>,
): Promise<CheckedBackup> {
  const { checkBackup } = await import('./backup.js');
  return await checkBackup(readKeyFile(file), { passphrase: once(() => passphrase(file)), date: now });
}

interface Unlocking {
  readonly passphrase: () => Promise<string | null>;
  readonly date: Date;
}

/**
 * Reads the key, changes it, tries the changed one out, writes its files, refreshes `keys.asc`. Throws NO_KEY,
 * KEY_MALFORMED, KEY_UNUSABLE, PASSPHRASE_NEEDED, PASSPHRASE_WRONG, FILE_EXISTS, FILE_UNWRITABLE, the codes of
 * `publishKeys`.
 */
async function changeKey(
  options: ChangeKeyOptions,
  change: (bytes: Uint8Array, unlocking: Unlocking) => Promise<RenewedKey>,
): Promise<ChangedKey> {
  const { file, output, run } = options;
  const { now } = run;
  const bytes = readKeyFile(file);
  if (output !== null) checkKeyFiles(output);
  const passphrase = once(() => options.passphrase(file));
  const key = await change(bytes, { passphrase, date: now });
  const { checkBackup } = await import('./backup.js');
  await checkBackup(key.secret, { passphrase, date: now });
  const files = writeKeyFiles(key, options);
  return { ...(await outcome(key.certificate, options)), files };
}

/** The secret key first: whatever fails afterwards can be made again from it. */
function writeKeyFiles(key: RenewedKey, { file, output }: ChangeKeyOptions): readonly string[] {
  const { secret, signing, certificate } = keyFiles(output ?? file);
  const parts = [
    [secret, key.secret, 0o600],
    [signing, key.signing, 0o600],
    [certificate, key.armored, 0o644],
  ] as const;
  const written: string[] = [];
  try {
    for (const [path, bytes, mode] of parts) {
      if (output === null) writeDurably(path, bytes, { mode });
      else createFile(path, bytes, { mode });
      written.push(path);
    }
  } catch (error) {
    if (output !== null) for (const path of written) quietly(() => removeDurably(path));
    throw error;
  }
  return written;
}

async function publishRevocation(options: RevokeKeyOptions): Promise<ChangedKey> {
  const { file, directory } = options;
  const keys = join(directory, KEYS_NAME);
  const { applyRevocation } = await import('./revocation.js');
  const certificate = await applyRevocation(readKeyFile(file), await readCertificateFile(keys));
  if (certificate === null) {
    throw new PacksignError('KEY_NOT_PUBLISHED', `${file} revokes none of the keys in ${keys}`, {
      hint: 'name the directory that publishes the key: packsign key revoke FILE DIR',
    });
  }
  return { ...(await outcome(certificate, options)), files: [] };
}

async function outcome(
  certificate: Certificate,
  { directory, page, run }: ChangeKeyOptions,
): Promise<Omit<ChangedKey, 'files'>> {
  const { expiryOf, signingStatus } = await import('../pgp/certificates.js');
  const { fingerprint } = certificate;
  const standing = signingStatus(certificate, run.now);
  const known = await readCertificateFile(join(directory, KEYS_NAME));
  const isPublished = known.some((one) => one.fingerprint === fingerprint);
  return {
    fingerprint,
    signingKey: standing.kind === 'valid' ? standing.key.fingerprint : null,
    expires: expiryOf(certificate, run.now),
    published: isPublished ? await publishKeys(directory, { certificates: [certificate], page, run }) : null,
  };
}

function readKeyFile(file: string): Uint8Array {
  const bytes = readBounded(file, KEY_FILE_LIMIT_BYTES);
  if (bytes !== null) return bytes;
  throw new PacksignError('NO_KEY', `there is no key file ${file}`, {
    hint: 'a key that GnuPG keeps is changed with gpg --quick-set-expire, --quick-add-key or --edit-key',
  });
}

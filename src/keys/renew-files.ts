import { join } from 'node:path';
import { readBounded } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { KEYS_NAME } from '../model/layout.js';
import { once } from '../model/once.js';
import type { Certificate } from '../pgp/certificates.js';
import { readCertificateFile } from '../published/read.js';
import type { Run } from '../run.js';
import { KEY_FILE_LIMIT_BYTES } from '../signers/open.js';
import type { UnlockOptions } from '../signers/secret-key.js';
import type { CheckedBackup } from './backup.js';
import { checkKeyFiles, writeKeyFiles } from './key-files.js';
import { publishKeys } from './publish-keys.js';
import type { PublishedKeys } from './publish-keys.js';
import type { RevocationReason } from './make-self-signature.js';
import type { RenewedKey } from './renew.js';

export interface ChangeKeyOptions {
  /** File of the whole secret key. */
  readonly file: string;
  /** Where to write the changed key; null changes the files themselves. */
  readonly output: string | null;
  readonly passphrase: (label: string) => Promise<string | null>;
  /** The directory whose `keys.asc` is refreshed if it holds the key. */
  readonly directory: string;
  /** Whether the directory's trust page follows its `keys.asc`. */
  readonly page: boolean;
  readonly run: Run;
}

export interface ChangedKey {
  readonly fingerprint: string;
  /** The key that signs now; null if none does. */
  readonly signingKey: string | null;
  readonly expires: Date | null;
  /** Files that were written, the whole secret key first. */
  readonly files: readonly string[];
  /** Null if the directory does not publish this key: the user has to publish it. */
  readonly published: PublishedKeys | null;
}

/** Changes a key's expiry. Throws the codes of `changeKey` and KEY_REVOKED. */
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
  /** Null only for a revocation certificate, which holds the reason itself. */
  readonly reason: RevocationReason | null;
  readonly text: string;
  /** Fingerprint of one subkey; null revokes the whole key. */
  readonly subkey: string | null;
}

/**
 * Revokes a key or one of its subkeys, with the secret primary key or a revocation certificate made before. Throws
 * the codes of `changeKey`, USAGE, and KEY_NOT_PUBLISHED for a revocation of no key in `keys.asc`.
 */
export async function revokeKeyFile(options: RevokeKeyOptions): Promise<ChangedKey> {
  const { reason } = options;
  const { isRevocation } = await import('./revocation.js');
  const bytes = readKeyFile(options.file);
  if (isRevocation(bytes)) return await publishRevocation(bytes, options);
  if (reason === null) {
    throw new PacksignError('USAGE', '--reason is required', {
      hint: '--reason superseded or retired keeps what it signed; compromised or unspecified invalidates all of it',
    });
  }
  const { revokeKey } = await import('./renew.js');
  return await changeKey(options, (whole, unlocking) =>
    revokeKey(whole, { ...options, ...unlocking, reason }),
  );
}

/** Tries out a backup in memory. Throws NO_KEY, KEY_MALFORMED, KEY_UNUSABLE, and for passphrases. */
export async function checkBackupFile(
  file: string,
  { passphrase, run: { now } }: Pick<ChangeKeyOptions, 'passphrase' | 'run'>,
): Promise<CheckedBackup> {
  const { checkBackup } = await import('./backup.js');
  return await checkBackup(readKeyFile(file), { passphrase: once(() => passphrase(file)), date: now });
}

/**
 * Reads the key, changes it, tries the changed key out, writes its files, refreshes `keys.asc`. Throws NO_KEY,
 * KEY_MALFORMED, KEY_UNUSABLE, PASSPHRASE_NEEDED, PASSPHRASE_WRONG, FILE_EXISTS, FILE_UNWRITABLE, the codes of
 * `publishKeys`.
 */
async function changeKey(
  options: ChangeKeyOptions,
  change: (bytes: Uint8Array, unlocking: UnlockOptions) => Promise<RenewedKey>,
): Promise<ChangedKey> {
  const { file, output, run } = options;
  const bytes = readKeyFile(file);
  if (output !== null) checkKeyFiles(output);
  const unlocking = { passphrase: once(() => options.passphrase(file)), date: run.now };
  const key = await change(bytes, unlocking);
  const { secret, signing, armored: certificate } = key;
  const { checkBackup } = await import('./backup.js');
  await checkBackup(secret, unlocking);
  const forms = { secret, signing, certificate };
  const files = writeKeyFiles(output ?? file, forms, { replace: output === null });
  return await publishChanged(key.certificate, options, files);
}

async function publishRevocation(bytes: Uint8Array, options: RevokeKeyOptions): Promise<ChangedKey> {
  const { file, directory } = options;
  const keys = join(directory, KEYS_NAME);
  const { applyRevocation } = await import('./revocation.js');
  const certificate = await applyRevocation(bytes, (await readCertificateFile(keys)) ?? []);
  if (certificate === null) {
    throw new PacksignError('KEY_NOT_PUBLISHED', `${file} revokes none of the keys in ${keys}`, {
      hint: 'name the directory that publishes the key: packsign key revoke FILE DIR',
    });
  }
  return await publishChanged(certificate, options, []);
}

async function publishChanged(
  certificate: Certificate,
  { directory, page, run }: ChangeKeyOptions,
  files: readonly string[],
): Promise<ChangedKey> {
  const { expiryOf, signingStatus } = await import('../pgp/certificates.js');
  const { fingerprint } = certificate;
  const status = signingStatus(certificate, run.now);
  const known = (await readCertificateFile(join(directory, KEYS_NAME))) ?? [];
  const isPublished = known.some((one) => one.fingerprint === fingerprint);
  return {
    fingerprint,
    signingKey: status.kind === 'valid' ? status.key.fingerprint : null,
    expires: expiryOf(certificate, run.now),
    files,
    published: isPublished ? await publishKeys(directory, { certificates: [certificate], page, run }) : null,
  };
}

function readKeyFile(file: string): Uint8Array {
  const bytes = readBounded(file, KEY_FILE_LIMIT_BYTES);
  if (bytes !== null) return bytes;
  throw new PacksignError('NO_KEY', `there is no key file ${file}`, {
    hint: 'change a key in GnuPG with gpg --quick-set-expire, --quick-add-key or --edit-key',
  });
}

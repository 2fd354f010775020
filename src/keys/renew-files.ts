import { join } from 'node:path';
import { kindOf, readBounded } from '../disk/files.js';
import { withLock } from '../disk/lock.js';
import { PacksignError } from '../errors.js';
import { KEYS_NAME } from '../model/layout.js';
import { once } from '../model/once.js';
import { shellWord } from '../model/shell.js';
import type { Certificate } from '../pgp/certificates.js';
import { inFile } from '../pgp/origin.js';
import { readCertificateFile } from '../published/read.js';
import type { Run } from '../run.js';
import { openKeyWarnings } from '../signers/key-file.js';
import { KEY_FILE_LIMIT_BYTES, openCertificates } from '../signers/open.js';
import type { UnlockOptions } from '../signers/secret-key.js';
import type { CheckedBackup } from './backup.js';
import { checkKeyFiles, createKeyFiles, keyFiles, replaceKeyFiles } from './key-files.js';
import { publishKeysLocked } from './publish-keys.js';
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
  /** Whether an earlier run had made the subkey that signs now, and this one finished it. */
  readonly resumed: boolean;
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

/** Gives a key a new signing subkey, or goes on where an earlier run had made one. Throws the codes of `changeKey` and KEY_REVOKED. */
export async function rotateKeyFile(
  options: ChangeKeyOptions & { readonly expires: Date | null; readonly oldExpires: Date | null },
): Promise<ChangedKey> {
  const { keepKey, rotateKey } = await import('./renew.js');
  const going = await withOutputMade(options);
  let resumed = false;
  const changed = await changeKey(going, async (bytes, unlocking) => {
    resumed = await isHalfRotated(bytes, going);
    const change = resumed ? keepKey : rotateKey;
    return await change(bytes, { ...options, ...unlocking });
  });
  return { ...changed, resumed };
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
  { passphrase, run: { now, warn } }: Pick<ChangeKeyOptions, 'passphrase' | 'run'>,
): Promise<CheckedBackup> {
  for (const warning of openKeyWarnings(file)) warn(warning);
  const { checkBackup } = await import('./backup.js');
  return await inFile(file, () =>
    checkBackup(readKeyFile(file), { passphrase: once(() => passphrase(file)), date: now }),
  );
}

/**
 * Reads the key, changes it, tries the changed key out, writes its files, refreshes `keys.asc`. Has the lock of the
 * directory before it changes anything, so that nothing is half done because another packsign is at work there. Throws
 * NO_KEY, KEY_MALFORMED, KEY_UNUSABLE, PASSPHRASE_NEEDED, PASSPHRASE_WRONG, FILE_EXISTS, FILE_UNWRITABLE, the codes of
 * `publishKeys`.
 */
async function changeKey(options: ChangeKeyOptions, change: ChangeKey): Promise<ChangedKey> {
  const { file, output, run } = options;
  const passphrase = once(() => options.passphrase(file));
  const { openSecretKey } = await import('../signers/secret-key.js');
  const { certificate, secrets } = await inFile(file, () => openSecretKey(readKeyFile(file)));
  if (output !== null) checkKeyFiles(output);
  for (const warning of output === null ? [] : openKeyWarnings(file)) run.warn(warning);
  // Nobody else waits while a person types.
  if (secrets.get(certificate.fingerprint)?.isDecrypted() === false) await passphrase();
  const isPublished = (await publishedForm(certificate, options)) !== null;
  const work = async () => {
    const key = await change(readKeyFile(file), { passphrase, date: run.now });
    return await finishChange(key, { ...options, passphrase });
  };
  return await (isPublished ? withLock(run, work) : work());
}

type ChangeKey = (bytes: Uint8Array, unlocking: UnlockOptions) => Promise<RenewedKey>;

async function finishChange(
  { certificate, secret, signing, armored }: RenewedKey,
  options: Omit<ChangeKeyOptions, 'passphrase'> & Pick<UnlockOptions, 'passphrase'>,
): Promise<ChangedKey> {
  const { file, output, passphrase, run } = options;
  const { checkBackup } = await import('./backup.js');
  await checkBackup(secret, { passphrase, date: run.now });
  const forms = { secret, signing, certificate: armored };
  const files = output === null ? replaceKeyFiles(file, forms) : createKeyFiles(output, forms);
  try {
    return await publishChanged(certificate, options, files);
  } catch (error) {
    throw error instanceof PacksignError ? unpublished(error, options) : error;
  }
}

/** The key is changed, and only its publication failed: says how to go on. */
function unpublished(
  error: PacksignError,
  { output, directory }: Pick<ChangeKeyOptions, 'output' | 'directory'>,
): PacksignError {
  const next =
    output === null
      ? 'the key has been changed; run the same command again to publish it'
      : `the changed key is there already; publish it: packsign key publish ${shellWord(directory)} --key ${shellWord(output)}`;
  const hint = error.hint === null ? next : `${error.hint}; ${next}`;
  return new PacksignError(error.code, error.message, { hint, cause: error });
}

/** The key as the directory publishes it; null if it does not. */
async function publishedForm(
  { fingerprint }: Certificate,
  { directory }: Pick<ChangeKeyOptions, 'directory'>,
): Promise<Certificate | null> {
  const known = (await readCertificateFile(join(directory, KEYS_NAME))) ?? [];
  return known.find((one) => one.fingerprint === fingerprint) ?? null;
}

/**
 * Whether an earlier run gave the key its newest subkey and did not finish: what is published, or a file beside the key,
 * does not have it yet.
 */
async function isHalfRotated(bytes: Uint8Array, options: ChangeKeyOptions): Promise<boolean> {
  const { readSecretCertificate } = await import('../signers/secret-key.js');
  const { revocationAt, signingSubkeys } = await import('../pgp/key-status.js');
  const key = await readSecretCertificate(bytes);
  const newest = signingSubkeys(key).find((subkey) => revocationAt(subkey, options.run.now) === null);
  if (newest === undefined) return false;
  const { signing, certificate } = keyFiles(options.file);
  const beside = options.output === null ? [signing, certificate] : [];
  const others = [
    await publishedForm(key, options),
    ...(await Promise.all(beside.map(certificatesIn))).flat(),
  ];
  return others.some(
    (other) =>
      other?.fingerprint === key.fingerprint &&
      !other.subkeys.some(({ fingerprint }) => fingerprint === newest.fingerprint),
  );
}

/**
 * If an earlier run made the output and could not publish it, its key is the one that goes on. If it had published it, what
 * follows a publication is finished. Throws FILE_EXISTS then.
 */
async function withOutputMade<T extends ChangeKeyOptions>(options: T): Promise<T> {
  const { file, output } = options;
  if (output === null) return options;
  const [[key], [made]] = await Promise.all([certificatesIn(file), certificatesIn(output)]);
  if (made === undefined || made.fingerprint !== key?.fingerprint) return options;
  const going = { ...options, file: output, output: null };
  // A public key there is a file like any other: it exists.
  if (await isHalfRotated(readKeyFile(output), going).catch(() => false)) return going;
  const isMade = made.subkeys.length > key.subkeys.length;
  if (!isMade || (await publishedForm(made, options)) === null) return options;
  const { directory, page, run } = options;
  await withLock(run, () => publishKeysLocked(directory, { certificates: [], page, run }));
  const again = ['packsign', 'key', 'rotate', output, directory].map(shellWord).join(' ');
  throw new PacksignError('FILE_EXISTS', `${output} exists: its new subkey is published already`, {
    hint: `nothing is left to do; for one more subkey: ${again}`,
  });
}

/** None if they cannot be read: such a file is replaced. */
async function certificatesIn(path: string): Promise<readonly Certificate[]> {
  if (kindOf(path) !== 'file') return [];
  return await openCertificates([path], { certificates: [], environment: {} }).catch(() => []);
}

async function publishRevocation(bytes: Uint8Array, options: RevokeKeyOptions): Promise<ChangedKey> {
  const { file, directory } = options;
  const keys = join(directory, KEYS_NAME);
  const { applyRevocation } = await import('./revocation.js');
  const certificate = await applyRevocation(bytes, (await readCertificateFile(keys)) ?? []);
  if (certificate === null) {
    throw new PacksignError('KEY_NOT_PUBLISHED', `${file} revokes none of the keys in ${keys}`, {
      hint: `name the directory that publishes the key: packsign key revoke ${shellWord(file)} DIR`,
    });
  }
  return await withLock(options.run, () => publishChanged(certificate, options, []));
}

async function publishChanged(
  certificate: Certificate,
  options: Pick<ChangeKeyOptions, 'directory' | 'page' | 'run'>,
  files: readonly string[],
): Promise<ChangedKey> {
  const { directory, page, run } = options;
  const { expiryOf, signingStatus } = await import('../pgp/certificates.js');
  const status = signingStatus(certificate, run.now);
  const isPublished = (await publishedForm(certificate, options)) !== null;
  const publishing = { certificates: [certificate], page, run };
  return {
    fingerprint: certificate.fingerprint,
    signingKey: status.kind === 'valid' ? status.key.fingerprint : null,
    expires: expiryOf(certificate, run.now),
    files,
    resumed: false,
    published: isPublished ? await publishKeysLocked(directory, publishing) : null,
  };
}

function readKeyFile(file: string): Uint8Array {
  const bytes = readBounded(file, KEY_FILE_LIMIT_BYTES);
  if (bytes !== null) return bytes;
  throw new PacksignError('NO_KEY', `there is no key file ${file}`, {
    hint: 'change a key in GnuPG with gpg --quick-set-expire, --quick-add-key or --edit-key',
  });
}

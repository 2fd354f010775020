import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { kindOf, listFolder, readBounded } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import type { Warning } from '../model/finding.js';
import { nearestOf } from '../model/nearest.js';
import { orNull } from '../model/or-null.js';
import type { Certificate } from '../pgp/certificates.js';
import { inFile } from '../pgp/origin.js';
import { openKeyWarnings } from './key-file.js';
import type { Circumstances, Signer } from './signer.js';

export const KEY_FILE_LIMIT_BYTES = 1024 * 1024;
const SECRET_ARMOR = '-----BEGIN PGP PRIVATE KEY BLOCK-----';
const COMMAND = 'exec:';

/** Where the certificates of keys come from. */
export interface CertificateSources {
  /** Files with the certificates of the external commands among the keys, one for each, in their order. */
  readonly certificates: readonly string[];
  readonly environment: Circumstances['environment'];
}

export interface SignerSources extends CertificateSources, Circumstances {
  /** Asks for the passphrase of a locked key file, with a label for the key. Null if there is no one to ask. */
  readonly passphrase: (label: string) => Promise<string | null>;
  /** The passphrase that the user gave beforehand; null lets GnuPG ask. Never prompts. */
  readonly givenPassphrase: () => Promise<string | null>;
  readonly now: Date;
  /** Whether to ask for no passphrase and to leave keys locked, because nothing has to be signed. */
  readonly mayStayLocked?: boolean;
  /** Gets a warning for each secret key file that other users can read. */
  readonly warn?: (warning: Warning) => void;
}

/** A key that a `--key` names (cli contract, "Keys"). */
interface NamedKey {
  /** All that decides about the key; null if something outside packsign does. */
  readonly bytes: Uint8Array | null;
  readonly signer: (sources: SignerSources) => Promise<Signer>;
  readonly certificates: (sources: CertificateSources) => Promise<readonly Certificate[]>;
}

/**
 * Opens the signers that `--key` names: key files, an armored secret key itself (from the environment), keys in GnuPG,
 * external commands. Throws NO_KEY, USAGE, and the errors of each kind: KEY_MALFORMED, KEY_EXPIRED, KEY_REVOKED,
 * KEY_WEAK, KEY_NOT_YET_VALID, PASSPHRASE_NEEDED, PASSPHRASE_WRONG, GNUPG_MISSING, AGENT_UNREACHABLE, ….
 */
export async function openSigners(
  keys: readonly string[],
  sources: SignerSources,
): Promise<readonly Signer[]> {
  const signers = new Map<string, Signer>();
  for (const named of namedKeys(keys, sources)) {
    const signer = await named.signer(sources);
    if (!signers.has(signer.fingerprint)) signers.set(signer.fingerprint, signer);
  }
  return Array.from(signers.values());
}

/** The certificates of keys, secret or public; unlocks nothing. Throws as `openSigners`, and KEYS_MALFORMED. */
export async function openCertificates(
  keys: readonly string[],
  sources: CertificateSources,
): Promise<readonly Certificate[]> {
  const certificates: Certificate[] = [];
  for (const named of namedKeys(keys, sources)) certificates.push(...(await named.certificates(sources)));
  return certificates;
}

/**
 * Names keys by their bytes, to tell them from others without reading them; null if one is not read from a file. Throws
 * NO_KEY, FILE_UNREADABLE, USAGE.
 */
export function nameKeys(
  keys: readonly string[],
  sources: Pick<CertificateSources, 'certificates'>,
): readonly string[] | null {
  const names = namedKeys(keys, sources).map(({ bytes }) =>
    bytes === null ? null : createHash('sha256').update(bytes).digest('hex'),
  );
  return names.every((name) => name !== null) ? names : null;
}

function namedKeys(
  keys: readonly string[],
  { certificates }: Pick<CertificateSources, 'certificates'>,
): readonly NamedKey[] {
  const commands = keys.filter((key) => key.startsWith(COMMAND));
  if (commands.length !== certificates.length) {
    throw new PacksignError('USAGE', 'each exec: key needs one --certificate, and no other key takes one', {
      hint: "--key 'exec:COMMAND' --certificate FILE with the certificate of the key that it signs with",
    });
  }
  return keys.map((key) => {
    const certificate = certificates[commands.indexOf(key)];
    return certificate === undefined ? namedKey(key) : commandKey(key.slice(COMMAND.length), certificate);
  });
}

function namedKey(key: string): NamedKey {
  if (key.trimStart().startsWith(SECRET_ARMOR))
    return keyInBytes(Buffer.from(key), 'the key in PACKSIGN_KEY');
  if (kindOf(key) === 'file') return keyInFile(key);
  if (!isName(key)) {
    throw new PacksignError('NO_KEY', 'the given key is neither a file nor an armored secret key', {
      hint: KEY_HINT,
    });
  }
  if (isKeyId(key)) {
    throw new PacksignError('NO_KEY', `there is no key file ${key}, and it is not a full fingerprint`, {
      hint: 'a fingerprint has 40 hex digits; shorter key ids can be forged',
    });
  }
  if (isKeyPath(key)) throw noFile(key);
  return gnupgKey(key);
}

function keyInFile(path: string): NamedKey {
  const named = keyInBytes(readKeyFile(path), path);
  return {
    ...named,
    signer: async (sources) => {
      const signer = await named.signer(sources);
      for (const warning of openKeyWarnings(path)) sources.warn?.(warning);
      return signer;
    },
  };
}

function keyInBytes(bytes: Uint8Array, label: string): NamedKey {
  return {
    bytes,
    signer: async ({ passphrase, givenPassphrase, mayStayLocked = false, now }) => {
      const { readSecretKey } = await import('./secret-key.js');
      const ask = mayStayLocked ? givenPassphrase : () => passphrase(label);
      return await inFile(label, () => readSecretKey(bytes, { passphrase: ask, mayStayLocked, date: now }));
    },
    certificates: async () => {
      if (isPublic(bytes)) return await inFile(label, () => readPublic(bytes));
      const { readSecretCertificate } = await import('./secret-key.js');
      return [await inFile(label, () => readSecretCertificate(bytes))];
    },
  };
}

function gnupgKey(name: string): NamedKey {
  return {
    bytes: null,
    signer: async (sources) => {
      const { gnupgSigner } = await import('./gnupg.js');
      const { givenPassphrase, now } = sources;
      return await gnupgSigner(name, { ...sources, passphrase: givenPassphrase, date: now });
    },
    certificates: async (sources) => {
      const { gnupgCertificate } = await import('./gnupg.js');
      return [await gnupgCertificate(name, sources)];
    },
  };
}

function commandKey(command: string, path: string): NamedKey {
  const certificates = async () => await inFile(path, () => readPublic(readKeyFile(path)));
  return {
    bytes: null,
    signer: async (sources) => {
      const [certificate, another] = await certificates();
      if (certificate === undefined || another !== undefined)
        throw new PacksignError('KEYS_MALFORMED', `${path} does not hold exactly one certificate`);
      const { commandSigner } = await import('./command.js');
      return commandSigner(command, { ...sources, certificate, date: sources.now });
    },
    certificates,
  };
}

async function readPublic(bytes: Uint8Array): Promise<readonly Certificate[]> {
  const { readCertificates } = await import('../pgp/certificates.js');
  return await readCertificates(bytes);
}

const SECRET_KEY_TAG = 5;

/** Whether this is no secret key: neither armored, nor binary, which begins with a packet of its own type. */
function isPublic(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0;
  const tag = (first & 0x40) === 0 ? (first >> 2) & 0x0f : first & 0x3f;
  return !Buffer.from(bytes).includes(SECRET_ARMOR) && ((first & 0x80) === 0 || tag !== SECRET_KEY_TAG);
}

const KEY_HINT =
  'name a file with an OpenPGP secret key, or make one: packsign key generate --user-id "NAME <ADDRESS>"';

function readKeyFile(path: string): Uint8Array {
  const bytes = readBounded(path, KEY_FILE_LIMIT_BYTES);
  if (bytes === null) throw noFile(path);
  return bytes;
}

function noFile(path: string): PacksignError {
  if (kindOf(path) === 'folder')
    return new PacksignError('NO_KEY', `${path} is a folder, not a key file`, { hint: KEY_HINT });
  const folder = dirname(path);
  const isKeyFile = (name: string) => isKeyPath(name) && kindOf(join(folder, name)) === 'file';
  const near = nearestOf(basename(path), (orNull(() => listFolder(folder)) ?? []).filter(isKeyFile));
  const meant = near === null ? '' : `; did you mean ${join(folder, near)}?`;
  return new PacksignError('NO_KEY', `there is no key file ${path}${meant}`, { hint: KEY_HINT });
}

// A damaged key from the environment must not be taken for a name and printed (threat T19).
function isName(key: string): boolean {
  return key.trim() !== '' && key.length < 256 && !/[\r\n]|PGP|\\n/.test(key);
}

function isKeyId(key: string): boolean {
  return /^(?:0x)?(?:[0-9a-f]{8}|[0-9a-f]{16})!?$/i.test(key);
}

/** Do not ask GnuPG for what reads like a path: it would take any key with such a word in its user id. */
export function isKeyPath(key: string): boolean {
  return !key.includes('<') && (/[\\/]/.test(key) || /\.(?:asc|gpg|pgp|key|pem|sec|txt)$/i.test(key));
}

import { kindOf, readBounded } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Circumstances, Signer } from './signer.js';

export const KEY_FILE_LIMIT_BYTES = 1024 * 1024;
const SECRET_ARMOR = '-----BEGIN PGP PRIVATE KEY BLOCK-----';
const COMMAND = 'exec:';

/** Where certificates of keys come from. */
export interface CertificateSources {
  /** Files with the certificates of the external commands among the keys, one for each, in their order. */
  readonly certificates: readonly string[];
  readonly environment: Circumstances['environment'];
}

export interface SignerSources extends CertificateSources, Circumstances {
  /** Asked only for a key file that is locked; gets a label for the key. Null: there is none to be had. */
  readonly passphrase: (label: string) => Promise<string | null>;
  /** The passphrase that was given beforehand; null leaves the question to GnuPG. Asks nobody. */
  readonly givenPassphrase: () => Promise<string | null>;
  readonly now: Date;
}

/** What a `--key` names (cli contract, "Keys"). */
type Named =
  | { readonly kind: 'secret'; readonly bytes: Uint8Array; readonly label: string }
  | { readonly kind: 'gnupg'; readonly name: string }
  | { readonly kind: 'command'; readonly command: string; readonly certificate: string };

/**
 * The signers that `--key` names: files, an armored secret key itself (from the environment), keys that GnuPG
 * keeps, external commands. Throws NO_KEY, USAGE, and what keeps each kind from signing: KEY_MALFORMED, KEY_EXPIRED,
 * KEY_REVOKED, KEY_WEAK, KEY_NOT_YET_VALID, PASSPHRASE_NEEDED, PASSPHRASE_WRONG, GNUPG_MISSING, AGENT_UNREACHABLE, ….
 */
export async function openSigners(
  keys: readonly string[],
  sources: SignerSources,
): Promise<readonly Signer[]> {
  const signers: Signer[] = [];
  for (const named of namedKeys(keys, sources)) {
    const signer = await openSigner(named, sources);
    if (signers.some(({ fingerprint }) => fingerprint === signer.fingerprint)) continue;
    signers.push(signer);
  }
  return signers;
}

/** The certificates of keys, secret or public; nothing is unlocked. Throws as `openSigners`, and KEYS_MALFORMED. */
export async function openCertificates(
  keys: readonly string[],
  sources: CertificateSources,
): Promise<readonly Certificate[]> {
  const certificates: Certificate[] = [];
  for (const named of namedKeys(keys, sources)) certificates.push(...(await certificatesOf(named, sources)));
  return certificates;
}

async function openSigner(named: Named, sources: SignerSources): Promise<Signer> {
  const date = sources.now;
  switch (named.kind) {
    case 'secret': {
      const { readSecretKey } = await import('./secret-key.js');
      return await readSecretKey(named.bytes, { passphrase: () => sources.passphrase(named.label), date });
    }
    case 'gnupg': {
      const { gnupgSigner } = await import('./gnupg.js');
      return await gnupgSigner(named.name, { ...sources, passphrase: sources.givenPassphrase, date });
    }
    case 'command': {
      const [certificate, another] = await readPublic(readKeyFile(named.certificate));
      if (certificate === undefined || another !== undefined) {
        throw new PacksignError(
          'KEYS_MALFORMED',
          `${named.certificate} does not hold exactly one certificate`,
        );
      }
      const { commandSigner } = await import('./command.js');
      return commandSigner(named.command, { ...sources, certificate, date });
    }
  }
}

async function certificatesOf(named: Named, sources: CertificateSources): Promise<readonly Certificate[]> {
  switch (named.kind) {
    case 'secret': {
      if (!Buffer.from(named.bytes).includes(SECRET_ARMOR) && isPublic(named.bytes)) {
        return await readPublic(named.bytes);
      }
      const { readSecretCertificate } = await import('./secret-key.js');
      return [await readSecretCertificate(named.bytes)];
    }
    case 'gnupg': {
      const { gnupgCertificate } = await import('./gnupg.js');
      return [await gnupgCertificate(named.name, sources)];
    }
    case 'command':
      return await readPublic(readKeyFile(named.certificate));
  }
}

async function readPublic(bytes: Uint8Array): Promise<readonly Certificate[]> {
  const { readCertificates } = await import('../pgp/certificates.js');
  return await readCertificates(bytes);
}

const SECRET_KEY_TAG = 5;

/** Anything but a secret key in its binary form: that one begins with a packet of its own type. */
function isPublic(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0;
  const tag = (first & 0x40) === 0 ? (first >> 2) & 0x0f : first & 0x3f;
  return (first & 0x80) === 0 || tag !== SECRET_KEY_TAG;
}

function namedKeys(keys: readonly string[], { certificates }: CertificateSources): readonly Named[] {
  const commands = keys.filter((key) => key.startsWith(COMMAND));
  if (commands.length !== certificates.length) {
    throw new PacksignError('USAGE', 'each exec: wants a --certificate, and nothing else does', {
      hint: "--key 'exec:COMMAND' --certificate FILE with the certificate of the key that it signs with",
    });
  }
  return keys.map((key) => {
    const certificate = certificates[commands.indexOf(key)];
    if (certificate === undefined) return namedKey(key);
    return { kind: 'command', command: key.slice(COMMAND.length), certificate };
  });
}

const NOT_A_KEY = 'what was given as a key is neither a file nor an armored secret key';
const KEY_HINT =
  'name a file with an OpenPGP secret key, or make one: packsign key generate --user-id "NAME <ADDRESS>"';

function namedKey(key: string): Named {
  if (key.trimStart().startsWith(SECRET_ARMOR))
    return { kind: 'secret', bytes: Buffer.from(key), label: 'the key in PACKSIGN_KEY' };
  if (kindOf(key) === 'file') {
    return { kind: 'secret', bytes: readKeyFile(key), label: key };
  }
  if (!isName(key)) throw new PacksignError('NO_KEY', NOT_A_KEY, { hint: KEY_HINT });
  if (isKeyId(key)) {
    throw new PacksignError('NO_KEY', `there is no key file ${key}, and it is not a full fingerprint`, {
      hint: 'a fingerprint has 40 hex digits; shorter key numbers can be forged',
    });
  }
  if (isPath(key)) throw noFile(key);
  return { kind: 'gnupg', name: key };
}

function readKeyFile(path: string): Uint8Array {
  const bytes = readBounded(path, KEY_FILE_LIMIT_BYTES);
  if (bytes === null) throw noFile(path);
  return bytes;
}

function noFile(path: string): PacksignError {
  return new PacksignError('NO_KEY', `there is no key file ${path}`, { hint: KEY_HINT });
}

// A damaged key from the environment must not be taken for a name and printed (threat T19).
function isName(key: string): boolean {
  return key.trim() !== '' && key.length < 256 && !/[\r\n]|PGP|\\n/.test(key);
}

function isKeyId(key: string): boolean {
  return /^(?:0x)?(?:[0-9a-f]{8}|[0-9a-f]{16})!?$/i.test(key);
}

/** What reads like a file is not looked for in GnuPG, which would take any key with such a word in its user id. */
function isPath(key: string): boolean {
  return !key.includes('<') && (/[\\/]/.test(key) || /\.(?:asc|gpg|pgp|key|pem|sec|txt)$/i.test(key));
}

import { enums } from 'openpgp';
import { PacksignError } from '../errors.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import { readCertificates } from '../pgp/certificates.js';
import { chooseHash } from '../pgp/hash.js';
import { chooseSigningKey, flagsAt, keyStatusToSign, signingSubkeys } from '../pgp/key-status.js';
import { requireValid } from '../pgp/usable.js';
import { runChild } from '../programs/child.js';
import type { ChildOptions, ChildOutcome } from '../programs/child.js';
import { errorNumber, gnupgError, readStatus } from './gnupg-status.js';
import { requireMade, wrongIssuer } from './made.js';
import { signerOf } from './signer.js';
import type { Circumstances, Signer } from './signer.js';

export interface GnupgOptions extends Circumstances {
  /** The passphrase that the user gave beforehand; null lets pinentry ask. */
  readonly passphrase: () => Promise<string | null>;
  readonly date: Date;
}

type Environment = Pick<Circumstances, 'environment'>;

/** One key in GnuPG's listing. */
interface ListedKey {
  /** Fingerprint of the primary key. */
  readonly fingerprint: string;
  /** Fingerprints of the keys whose secret half is in the agent or on a card. */
  readonly held: ReadonlySet<string>;
}

/** A key as the user names it. */
interface KeyName {
  readonly text: string;
  /** Null for a user id. */
  readonly fingerprint: string | null;
  /** Whether it ends in `!`: no other key of the certificate may sign. */
  readonly exact: boolean;
}

const FINGERPRINT = /^(?:0x)?([0-9A-F]{40})(!?)$/;
const LOCAL_TIMEOUT_MS = 30_000;

/**
 * A signer whose key GnuPG keeps, in gpg-agent or on a smart card. A subkey's fingerprint names that subkey. A primary
 * key's fingerprint names the primary key if it signs, else the newest signing subkey of its certificate.
 *
 * @throws {PacksignError} `GNUPG_MISSING`, `NO_KEY`, `KEY_AMBIGUOUS`, `AGENT_UNREACHABLE`, `GNUPG_FAILED`;
 * `KEY_EXPIRED`, `KEY_REVOKED`, `KEY_WEAK`, `KEY_UNUSABLE`: the key cannot sign. Signing also throws
 * `PASSPHRASE_NEEDED`, `PASSPHRASE_WRONG`, `CARD_MISSING`, `SIGNER_TIMED_OUT`, `SELF_CHECK_FAILED`.
 */
export async function gnupgSigner(name: string, options: GnupgOptions): Promise<Signer> {
  const named = readName(name);
  const listed = await findKey(named, 'secret key', options);
  const certificate = await exportKey(listed.fingerprint, options);
  const key = chooseKey(certificate, { listed, named, date: options.date });
  return signerOf(certificate, key, async (content, { date, preferredHashes }) => {
    const hash = chooseHash(key.algorithm.name, preferredHashes);
    const passphrase = await options.passphrase();
    const outcome = await gpg(
      [...(passphrase === null ? [] : LOOPBACK), ...signingArguments(key, { date, hash })],
      { ...options, input: content.bytes, secret: passphrase },
    );
    requireSigned(outcome, key);
    return await requireMade(outcome.stdout, { certificate, key, content, date, by: 'gpg' });
  });
}

/**
 * The public certificate of a key that GnuPG has, secret or not.
 *
 * @throws {PacksignError} `GNUPG_MISSING`, `NO_KEY`, `KEY_AMBIGUOUS`, `GNUPG_FAILED`.
 */
export async function gnupgCertificate(name: string, environment: Environment): Promise<Certificate> {
  const { fingerprint } = await findKey(readName(name), 'key', environment);
  return await exportKey(fingerprint, environment);
}

const HASH_NAMES: ReadonlyMap<number, string> = new Map([
  [enums.hash.sha256, 'SHA256'],
  [enums.hash.sha384, 'SHA384'],
]);

/** GnuPG takes the first line of standard input for the passphrase, and the rest for what it signs. */
const LOOPBACK = ['--pinentry-mode', 'loopback', '--passphrase-fd', '0'];

/** Each option overrides a setting that gpg.conf may have. If another setting spoils the signature, the check fails. */
function signingArguments(
  key: CertificateKey,
  { date, hash }: { date: Date; hash: number },
): readonly string[] {
  return [
    ...['--no-armor', '--no-textmode', '--default-sig-expire', '0', '--no-ask-sig-expire'],
    ...['--digest-algo', HASH_NAMES.get(hash) ?? 'SHA512'],
    // The date of the database, which SOURCE_DATE_EPOCH may have set.
    ...['--faked-system-time', `${date.getTime() / 1000}!`],
    ...['--local-user', `${key.fingerprint}!`, '--output', '-', '--detach-sign'],
  ];
}

/** Checks for exit status 0 and exactly one signature, by the right key (threat T13). */
function requireSigned(outcome: ChildOutcome, key: CertificateKey): void {
  const lines = readStatus(outcome.stderr);
  const created = lines.filter(({ keyword }) => keyword === 'SIG_CREATED');
  const refused = lines.some(({ keyword }) => ['INV_SGNR', 'FAILURE', 'ERROR'].includes(keyword));
  if (outcome.trouble !== null || outcome.status !== 0 || refused || created.length === 0) {
    throw gnupgError(outcome, 'could not sign');
  }
  const [kind, , , , , fingerprint] = created[0]?.args ?? [];
  if (created.length === 1 && kind === 'D' && fingerprint === key.fingerprint) return;
  const issuers = created.map(({ args }) => args[5] ?? 'an unknown key');
  throw wrongIssuer(key, issuers, { hint: 'remove "local-user" and "default-key" from gpg.conf' });
}

function chooseKey(
  certificate: Certificate,
  { listed, named, date }: { listed: ListedKey; named: KeyName; date: Date },
): CertificateKey {
  const { primary } = certificate;
  const isHeld = ({ fingerprint }: CertificateKey): boolean => listed.held.has(fingerprint);
  const primarySigns =
    isHeld(primary) && (flagsAt(certificate, primary, date) & enums.keyFlags.signData) !== 0;
  const wanted = [primary, ...certificate.subkeys].find((key) => key.fingerprint === named.fingerprint);
  if (wanted !== undefined && (named.exact || wanted !== primary || primarySigns)) {
    if (!isHeld(wanted)) throw notHeld(wanted);
    return requireValid(certificate, keyStatusToSign(certificate, wanted, date)).key;
  }
  const [newest = primary, ...older] = signingSubkeys(certificate);
  if (![newest, ...older].some(isHeld)) throw notHeld(newest);
  return requireValid(certificate, chooseSigningKey(certificate, date, isHeld)).key;
}

function notHeld({ fingerprint }: CertificateKey): PacksignError {
  return new PacksignError('NO_KEY', `GnuPG does not have the secret half of ${fingerprint}, which signs`, {
    hint: 'gpg --list-secret-keys shows its keys; # marks those kept elsewhere',
  });
}

/** The one key that a name fits: if it fits two, GnuPG would choose. */
async function findKey(
  named: KeyName,
  kind: 'key' | 'secret key',
  environment: Environment,
): Promise<ListedKey> {
  const format = ['--with-colons', '--fixed-list-mode', '--with-fingerprint', '--with-fingerprint'];
  const option = kind === 'key' ? '--list-keys' : '--list-secret-keys';
  const outcome = await askGpg([...format, option, '--', patternOf(named)], environment);
  const [key, another] = readListing(outcome.stdout.toString('utf8'));
  if (key === undefined) throw notFound(outcome, { named, kind });
  if (another === undefined) return key;
  throw new PacksignError('KEY_AMBIGUOUS', `GnuPG has more than one ${kind} that matches ${named.text}`, {
    hint: `name it by its fingerprint: ${key.fingerprint} or ${another.fingerprint}`,
  });
}

const NO_SECRET_KEY = 17;
const NO_PUBLIC_KEY = 9;

function notFound(outcome: ChildOutcome, { named, kind }: { named: KeyName; kind: string }): PacksignError {
  const number = errorNumber(readStatus(outcome.stderr));
  if (outcome.trouble !== null || (number !== NO_SECRET_KEY && number !== NO_PUBLIC_KEY)) {
    return gnupgError(outcome, 'could not list keys');
  }
  const file = named.fingerprint === null ? `there is no key file ${named.text}, and ` : '';
  return new PacksignError('NO_KEY', `${file}GnuPG has no ${kind} ${named.text}`, {
    hint: 'name a key file, or a fingerprint that gpg --list-secret-keys --with-subkey-fingerprint shows',
  });
}

/** Reads the records of `--with-colons`, which doc/DETAILS of GnuPG describes. */
function readListing(listing: string): readonly ListedKey[] {
  const keys: { fingerprint: string; held: Set<string> }[] = [];
  let record = '';
  let token = '';
  for (const line of listing.split(/\r?\n/)) {
    const fields = line.split(':');
    const [type = ''] = fields;
    if (['sec', 'pub', 'ssb', 'sub'].includes(type)) [record, token] = [type, fields[14] ?? ''];
    if (type !== 'fpr' || record === '') continue;
    const fingerprint = fields[9] ?? '';
    if (record === 'sec' || record === 'pub') keys.push({ fingerprint, held: new Set() });
    // A number sign means that the agent knows the key but does not have its secret half.
    if ((record === 'sec' || record === 'ssb') && token !== '#') keys.at(-1)?.held.add(fingerprint);
    record = '';
  }
  return keys;
}

async function exportKey(fingerprint: string, environment: Environment): Promise<Certificate> {
  const outcome = await askGpg(['--no-armor', '--export', '--', fingerprint], environment);
  if (outcome.status !== 0 || outcome.stdout.length === 0)
    throw gnupgError(outcome, 'could not export the key');
  const certificate = (await readExport(outcome.stdout)).find((one) => one.fingerprint === fingerprint);
  if (certificate !== undefined) return certificate;
  throw new PacksignError('KEY_MALFORMED', `GnuPG exported another key than ${fingerprint}`);
}

async function readExport(exported: Uint8Array): Promise<readonly Certificate[]> {
  try {
    return await readCertificates(exported);
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    const message = `cannot read the key that GnuPG exported: ${error.message}`;
    throw new PacksignError('KEY_MALFORMED', message, { cause: error });
  }
}

async function askGpg(args: readonly string[], { environment }: Environment): Promise<ChildOutcome> {
  return await gpg(args, { environment, timeoutMs: LOCAL_TIMEOUT_MS });
}

async function gpg(args: readonly string[], options: ChildOptions): Promise<ChildOutcome> {
  const common = ['--batch', '--no-tty', '--status-fd', '2', '--no-auto-check-trustdb'];
  const environment = { ...options.environment, LC_ALL: 'C', LANGUAGE: undefined };
  return await runChild(['gpg', ...common, ...args], { ...options, environment });
}

function readName(text: string): KeyName {
  const [, fingerprint = null, mark] =
    FINGERPRINT.exec(text.replace(/[\s:]/g, '').toUpperCase().replace(/^0X/, '0x')) ?? [];
  return { text: fingerprint ?? text, fingerprint, exact: mark === '!' };
}

/** As in GnuPG's manual: a whole user id, an address, or part of a user id. */
function patternOf({ text, fingerprint }: KeyName): string {
  if (fingerprint !== null) return fingerprint;
  if (text.includes('<')) return `=${text}`;
  return /^[^\s@]+@[^\s@]+$/.test(text) ? `<${text}>` : `*${text}`;
}

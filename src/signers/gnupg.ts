import { enums } from 'openpgp';
import { PacksignError } from '../errors.js';
import { wholeSeconds } from '../model/time.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import { readCertificates } from '../pgp/certificates.js';
import { runChild } from './child.js';
import type { ChildOptions, ChildOutcome } from './child.js';
import { contentOf } from '../pgp/content.js';
import { errorNumber, gnupgError, readStatus } from './gnupg-status.js';
import { chooseHash } from '../pgp/hash.js';
import { requireMade } from './made.js';
import type { Circumstances, Signer } from './signer.js';
import { chooseSigningKey, flagsAt, signingSubkeys, keyStatusToSign } from '../pgp/key-status.js';
import { requireValid } from '../pgp/usable.js';

export interface GnupgOptions extends Circumstances {
  /** A passphrase that was given beforehand; null leaves the question to pinentry. */
  readonly passphrase: () => Promise<string | null>;
  readonly date: Date;
}

/** What GnuPG has of one secret key. */
interface Holding {
  /** Fingerprint of the primary key. */
  readonly fingerprint: string;
  /** Fingerprints whose secret half is here or on a card. */
  readonly held: ReadonlySet<string>;
}

/** A key as a person names it. */
interface Name {
  readonly text: string;
  /** Null for a user id. */
  readonly fingerprint: string | null;
  /** With a final `!`: no other key of the certificate will do. */
  readonly exact: boolean;
}

const FINGERPRINT = /^(?:0x)?([0-9A-F]{40})(!?)$/;
const LOCAL_TIMEOUT_MS = 30_000;

/**
 * A signer whose key GnuPG keeps: in gpg-agent, on a smart card. A subkey's fingerprint names that subkey; a
 * primary key's names that key where it signs, else the newest signing subkey of its certificate.
 *
 * @throws {PacksignError} `GNUPG_MISSING`, `NO_KEY`, `KEY_AMBIGUOUS`, `AGENT_UNREACHABLE`, `GNUPG_FAILED`;
 * `KEY_EXPIRED`, `KEY_REVOKED`, `KEY_WEAK`, `KEY_UNUSABLE`: the key cannot sign. Signing throws moreover
 * `PASSPHRASE_NEEDED`, `PASSPHRASE_WRONG`, `CARD_MISSING`, `SIGNER_TIMED_OUT`, `SELF_CHECK_FAILED`.
 */
export async function gnupgSigner(name: string, options: GnupgOptions): Promise<Signer> {
  const named = nameOf(name);
  const holding = await findHolding(named, options);
  const certificate = await exportOne(holding.fingerprint, options);
  const key = chooseKey(certificate, { holding, named, date: options.date });
  return {
    fingerprint: certificate.fingerprint,
    certificate,
    signingKey: key.fingerprint,
    sign: async (document, { date }) => {
      const created = wholeSeconds(date);
      const standing = requireValid(certificate, keyStatusToSign(certificate, key, created));
      const content = document instanceof Uint8Array ? contentOf(document) : document;
      const hash = chooseHash(key.algorithm.name, standing.preferredHashes);
      const passphrase = await options.passphrase();
      const outcome = await gpg(
        [...(passphrase === null ? [] : LOOPBACK), ...signingArguments(key, { created, hash })],
        { ...options, input: content.bytes, secret: passphrase },
      );
      requireSigned(outcome, key);
      return await requireMade(outcome.stdout, { certificate, key, content, date: created, by: 'gpg' });
    },
  };
}

/**
 * The public certificate of a key that GnuPG has, secret or not.
 *
 * @throws {PacksignError} `GNUPG_MISSING`, `NO_KEY`, `KEY_AMBIGUOUS`, `GNUPG_FAILED`.
 */
export async function gnupgCertificate(
  name: string,
  circumstances: Pick<Circumstances, 'environment'>,
): Promise<Certificate> {
  const named = nameOf(name);
  const outcome = await list(['--list-keys', '--', pattern(named)], circumstances);
  const [holding] = requireOne(outcome, { named, kind: 'key' });
  return await exportOne(holding.fingerprint, circumstances);
}

const HASH_NAMES: ReadonlyMap<number, string> = new Map([
  [enums.hash.sha256, 'SHA256'],
  [enums.hash.sha384, 'SHA384'],
]);

const LOOPBACK = ['--pinentry-mode', 'loopback', '--passphrase-fd', '4'];

/** Each option undoes what a gpg.conf may say otherwise; a strange one left over fails the check afterwards. */
function signingArguments(
  key: CertificateKey,
  { created, hash }: { created: Date; hash: number },
): readonly string[] {
  return [
    ...['--no-armor', '--no-textmode', '--default-sig-expire', '0', '--no-ask-sig-expire'],
    ...['--digest-algo', HASH_NAMES.get(hash) ?? 'SHA512'],
    // The time that the database was given, also where SOURCE_DATE_EPOCH says it.
    ...['--faked-system-time', `${created.getTime() / 1000}!`],
    ...['--local-user', `${key.fingerprint}!`, '--output', '-', '--detach-sign'],
  ];
}

/** Exit status 0 and exactly the one signature that was asked for (threat T13). */
function requireSigned(outcome: ChildOutcome, key: CertificateKey): void {
  const lines = readStatus(outcome.report);
  const created = lines.filter(({ keyword }) => keyword === 'SIG_CREATED');
  const refused = lines.some(({ keyword }) => ['INV_SGNR', 'FAILURE', 'ERROR'].includes(keyword));
  if (outcome.trouble !== null || outcome.status !== 0 || refused || created.length === 0) {
    throw gnupgError(outcome, 'could not sign');
  }
  const [kind, , , , , fingerprint] = created[0]?.args ?? [];
  if (created.length === 1 && kind === 'D' && fingerprint === key.fingerprint) return;
  const others = created.map(({ args }) => args[5] ?? 'an unknown key').join(', ');
  throw new PacksignError('SELF_CHECK_FAILED', `key ${key.fingerprint} was to sign, and ${others} did`, {
    hint: 'take "local-user" and "default-key" out of gpg.conf',
  });
}

function chooseKey(
  certificate: Certificate,
  { holding, named, date }: { holding: Holding; named: Name; date: Date },
): CertificateKey {
  const isHeld = ({ fingerprint }: CertificateKey): boolean => holding.held.has(fingerprint);
  const wanted = [certificate.primary, ...certificate.subkeys].find(
    ({ fingerprint }) => fingerprint === named.fingerprint,
  );
  if (wanted !== undefined && (named.exact || wanted !== certificate.primary || signsItself())) {
    if (!isHeld(wanted)) throw notHeld(wanted.fingerprint);
    return requireValid(certificate, keyStatusToSign(certificate, wanted, date)).key;
  }
  const subkeys = signingSubkeys(certificate);
  const candidates = subkeys.length > 0 ? subkeys : [certificate.primary];
  if (!candidates.some(isHeld)) throw notHeld(candidates[0]?.fingerprint ?? certificate.fingerprint);
  return requireValid(certificate, chooseSigningKey(certificate, date, isHeld)).key;

  function signsItself(): boolean {
    return (
      isHeld(certificate.primary) &&
      (flagsAt(certificate, certificate.primary, date) & enums.keyFlags.signData) !== 0
    );
  }
}

function notHeld(fingerprint: string): PacksignError {
  return new PacksignError('NO_KEY', `GnuPG does not have the secret half of ${fingerprint}, which signs`, {
    hint: 'gpg --list-secret-keys shows what is there; # marks what is kept elsewhere',
  });
}

async function findHolding(named: Name, circumstances: Pick<Circumstances, 'environment'>): Promise<Holding> {
  const outcome = await list(['--list-secret-keys', '--', pattern(named)], circumstances);
  const [holding] = requireOne(outcome, { named, kind: 'secret key' });
  return holding;
}

/** Exactly one certificate: a name that fits two would let GnuPG choose. */
function requireOne(
  outcome: ChildOutcome,
  { named, kind }: { named: Name; kind: 'key' | 'secret key' },
): readonly [Holding] {
  const [holding, another] = readListing(outcome.stdout.toString('utf8'));
  if (holding === undefined) throw notFound(outcome, { named, kind });
  if (another === undefined) return [holding];
  throw new PacksignError('KEY_AMBIGUOUS', `GnuPG has more than one ${kind} that fits ${named.text}`, {
    hint: `name it by its fingerprint: ${holding.fingerprint} or ${another.fingerprint}`,
  });
}

const NO_SECRET_KEY = 17;
const NO_PUBLIC_KEY = 9;

function notFound(outcome: ChildOutcome, { named, kind }: { named: Name; kind: string }): PacksignError {
  const number = errorNumber(readStatus(outcome.report));
  if (outcome.trouble !== null || (number !== NO_SECRET_KEY && number !== NO_PUBLIC_KEY)) {
    return gnupgError(outcome, 'could not list keys');
  }
  const file = named.fingerprint === null ? `there is no key file ${named.text}, and ` : '';
  return new PacksignError('NO_KEY', `${file}GnuPG has no ${kind} ${named.text}`, {
    hint: 'name a key file, or a fingerprint that gpg --list-secret-keys --with-subkey-fingerprint shows',
  });
}

/** Records of `--with-colons`, as doc/DETAILS of GnuPG has them. */
function readListing(listing: string): readonly Holding[] {
  const holdings: { fingerprint: string; held: Set<string> }[] = [];
  let record = '';
  let token = '';
  for (const line of listing.split('\n')) {
    const fields = line.split(':');
    const [type = ''] = fields;
    if (['sec', 'pub', 'ssb', 'sub'].includes(type)) [record, token] = [type, fields[14] ?? ''];
    if (type !== 'fpr' || record === '') continue;
    const fingerprint = fields[9] ?? '';
    if (record === 'sec' || record === 'pub') holdings.push({ fingerprint, held: new Set() });
    // A number sign: the agent knows of it, and that is all.
    if (record.startsWith('s') && record !== 'sub' && token !== '#') holdings.at(-1)?.held.add(fingerprint);
    record = '';
  }
  return holdings;
}

async function exportOne(
  fingerprint: string,
  { environment }: Pick<Circumstances, 'environment'>,
): Promise<Certificate> {
  const outcome = await gpg(['--no-armor', '--export', '--', fingerprint], {
    environment,
    timeoutMs: LOCAL_TIMEOUT_MS,
  });
  if (outcome.status !== 0 || outcome.stdout.length === 0)
    throw gnupgError(outcome, 'could not export the key');
  const certificate = (await certificatesOf(outcome.stdout)).find((one) => one.fingerprint === fingerprint);
  if (certificate !== undefined) return certificate;
  throw new PacksignError('KEY_MALFORMED', `GnuPG gave another key than ${fingerprint}`);
}

async function certificatesOf(exported: Uint8Array): Promise<readonly Certificate[]> {
  try {
    return await readCertificates(exported);
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    throw new PacksignError('KEY_MALFORMED', `the key that GnuPG exports: ${error.message}`, {
      cause: error,
    });
  }
}

async function list(
  args: readonly string[],
  { environment }: Pick<Circumstances, 'environment'>,
): Promise<ChildOutcome> {
  const format = ['--with-colons', '--fixed-list-mode', '--with-fingerprint', '--with-fingerprint'];
  return await gpg([...format, ...args], { environment, timeoutMs: LOCAL_TIMEOUT_MS });
}

async function gpg(args: readonly string[], options: ChildOptions): Promise<ChildOutcome> {
  const common = ['--batch', '--no-tty', '--status-fd', '3', '--no-auto-check-trustdb'];
  const environment = { ...options.environment, LC_ALL: 'C', LANGUAGE: undefined };
  return await runChild(['gpg', ...common, ...args], { ...options, environment });
}

function nameOf(text: string): Name {
  const [, fingerprint, mark] =
    FINGERPRINT.exec(text.replace(/[\s:]/g, '').toUpperCase().replace(/^0X/, '0x')) ?? [];
  if (fingerprint !== undefined) return { text: fingerprint, fingerprint, exact: mark === '!' };
  return { text, fingerprint: null, exact: false };
}

/** As GnuPG's manual has it: a whole user id, an address, or a part of one. */
function pattern({ text, fingerprint }: Name): string {
  if (fingerprint !== null) return fingerprint;
  if (text.includes('<')) return `=${text}`;
  return /^[^\s@]+@[^\s@]+$/.test(text) ? `<${text}>` : `*${text}`;
}

import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readNamed } from '../disk/files.js';
import { PacksignError, exitStatusOf } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import type { Database } from '../model/database.js';
import { KEYS_NAME, signaturePath } from '../model/layout.js';
import { shellWord } from '../model/shell.js';
import { continuationOf } from '../model/chain.js';
import type { Warning } from '../model/finding.js';
import type { AcceptedNote, TrustEntry, TrustPlace } from '../model/trust.js';
import type { Certificate } from '../pgp/certificates.js';
import { contentOf } from '../pgp/content.js';
import type { Content } from '../pgp/content.js';
import { DATABASE_LIMITS } from '../places/place.js';
import type { Read } from '../places/place.js';
import { verifyDatabase } from '../verify/verify-database.js';
import type {
  Accepted,
  CheckedSignature,
  Pins,
  TrustedDatabase,
  Verdict,
} from '../verify/verify-database.js';
import { currentKeys } from './current-keys.js';
import type { CurrentKeys } from './current-keys.js';
import { orError } from './or-error.js';
import { pinsOf, readArmored } from './pins.js';
import type { PinnedBy } from './pins.js';
import { keptOf, remember } from './remember.js';
import { isAhead } from '../model/dated-back.js';
import { acceptedOf, withKeysOf } from './sources.js';
import type { Verifying, PlaceRequest, Source } from './sources.js';

/** A database from one place, with its verdict. */
export interface PlaceVerdict {
  /** An `unauthenticated` database may list packages, but nobody vouches for them. */
  readonly status: 'authentic' | 'stale' | 'unauthenticated' | 'refused';
  /** Why it is not `authentic`; null if it is. */
  readonly code: ErrorCode | null;
  readonly message: string | null;
  readonly sha256: string | null;
  /** The server's ETag; null if there is none, or a mirror answered. */
  readonly etag: string | null;
  /** The signature file; null if there was none, or nobody looked. */
  readonly signature: Uint8Array | null;
  /** The bytes of the database; null if it was refused. */
  readonly bytes: Uint8Array | null;
  /** The database, if the signatures are good under the keys that were tried. Only `trusted` means that a key is pinned. */
  readonly listed: Database | null;
  /** Null unless pinned keys have signed it. */
  readonly trusted: TrustedDatabase | null;
  readonly pinnedBy: PinnedBy | null;
  /** The pinned primary fingerprints. */
  readonly fingerprints: readonly string[];
  readonly signatures: readonly CheckedSignature[];
  /** What it was checked with: what was known of the pinned keys, and what the place adds to that. */
  readonly certificates: readonly Certificate[];
  /** The database that was accepted before; null if none was, or the store was not asked. */
  readonly accepted: AcceptedNote | null;
  /** Where the maintainer wants to hear of trouble, as the last accepted database says. */
  readonly notify: string | null;
  readonly notices: readonly string[];
  /** What changed since the accepted database under the same name. */
  readonly changes: readonly Warning[];
}

const REREADS = 3;

/**
 * Reads a database from a place and decides on it: steps 1 to 10 of docs/FORMAT.md §8. A bad database is in the answer,
 * with its code, and leaves the trust store as it was. Throws what keeps us from looking: FILE_UNREADABLE, NETWORK,
 * NETWORK_TIMEOUT, NETWORK_SLOW, REDIRECT_REFUSED, TRUST_DAMAGED, LOCKED.
 */
export async function verifyPlace(
  place: Verifying['place'],
  source: Source,
  request: PlaceRequest,
): Promise<PlaceVerdict> {
  const verifying = { place, source, request };
  const isKept = request.fresh !== true && place.database === source.url;
  const known = isKept ? keptOf(source, request.run.trust) : null;
  return await refusing(verifying, null, async () => {
    for (let attempt = 0; ; attempt += 1) {
      const obtained = await readDatabase(verifying, known, attempt);
      if (obtained.kind === 'absent') return missing(source, absence(verifying, obtained));
      const content = contentOf(obtained.bytes);
      const sha256 = content.sha256();
      const answer = await refusing(verifying, sha256, async () => {
        const signature = obtained.signature ?? (await readSignature(sha256, verifying, attempt));
        const mayCome = place.mayLag && source.pins !== null && attempt < REREADS;
        return signature === null && mayCome
          ? null
          : await decide({ ...obtained, signature, content }, verifying);
      });
      // From the copies of this machine, of which nobody vouches for the signature.
      if (answer?.status === 'refused' && obtained.signature !== null && attempt === 0) continue;
      const mayBeOver = answer?.status === 'refused' && attempt < REREADS;
      if (answer !== null && !(mayBeOver && (await isReplaced(content, verifying)))) return answer;
      if (answer === null) await sleep(request.run.network.backOffMs * 2 ** attempt);
    }
  });
}

/** Turns an error that is about the data into an answer. */
async function refusing<T>(
  { source }: Verifying,
  sha256: string | null,
  carryOut: () => Promise<T>,
): Promise<T | PlaceVerdict> {
  const answer = await orError(carryOut);
  if (!(answer instanceof PacksignError)) return answer;
  if (exitStatusOf(answer) === 2) throw answer;
  return refusal(source, { code: answer.code, message: answer.message, sha256 });
}

/** Whether another database is there by now: keys that speak against this one may have come with that. */
async function isReplaced({ bytes }: Content, { place }: Verifying): Promise<boolean> {
  const read = await place.readDatabase({ ...DATABASE_LIMITS, fresh: true }).catch(() => null);
  return read?.kind === 'found' && !read.bytes.equals(bytes);
}

interface Obtained {
  readonly bytes: Buffer;
  readonly signature: Buffer | null;
  readonly etag: string | null;
}

/** Step 1. Parses nothing. A database from the cache comes with its signature. */
async function readDatabase(
  { place, request }: Verifying,
  known: ReturnType<typeof keptOf>,
  attempt: number,
): Promise<({ readonly kind: 'obtained' } & Obtained) | (Read & { kind: 'absent' })> {
  const read = await place.readDatabase({
    ...DATABASE_LIMITS,
    etag: attempt === 0 ? (known?.etag ?? null) : null,
    fresh: request.fresh === true || attempt > 0,
    pastCaches: request.pastCaches === true || attempt >= 2,
  });
  if (read.kind === 'absent') return read;
  if (read.kind === 'found') return { ...read, kind: 'obtained', signature: null };
  if (known?.etag == null) {
    throw new PacksignError('NETWORK', `${place.database} answered 304 to an unconditional request`);
  }
  return { kind: 'obtained', ...known };
}

/** Step 2: the signature of exactly these bytes. Without pins no signature is needed. */
async function readSignature(
  sha256: string,
  { place, source, request }: Verifying,
  attempt: number,
): Promise<Buffer | null> {
  if (source.pins === null) return null;
  if (source.signatureFile !== null) return readNamed(source.signatureFile, SIGNATURE_LIMIT_BYTES);
  const read = await place.readBeside(signaturePath(sha256), {
    limitBytes: SIGNATURE_LIMIT_BYTES,
    tooLarge: 'SIGNATURE_MALFORMED',
    fresh: request.fresh === true || attempt > 0,
  });
  return read.kind === 'found' ? read.bytes : null;
}

/** Steps 3 to 10. */
async function decide(
  obtained: Obtained & { readonly content: Content },
  verifying: Verifying,
): Promise<PlaceVerdict> {
  const { place, source, request } = verifying;
  const { bytes, signature, content } = obtained;
  const sha256 = content.sha256();
  if (source.pins === null) return unpinned(source, { bytes, sha256 });
  const keys = await currentKeys(sha256, verifying);
  // A login page or an error page is nothing that anybody tampered with.
  const isOther = place.mayLag && signature === null && !bytes.subarray(0, 1024).includes('<plist');
  if (isOther) return missing(source, `${place.database} is not a package database`);
  if (keys.defect !== null && keys.certificates.length === 0) {
    return refusal(source, { ...keys.defect, sha256 });
  }
  if (signature !== null && keys.certificates.length === 0 && source.url === null && !keys.areFresh) {
    const message = `there is no ${place.nameOf(KEYS_NAME)} to check its signature with; --keys FILE names keys that you trust`;
    return refusal(source, { code: 'SIGNATURE_INVALID', message, sha256 });
  }
  const pins = source.pins === 'beside' ? pinsOf(keys.certificates) : source.pins;
  const { entry } = source;
  const verdictBy = async (by: Deciding, accepted = acceptedBy(by, verifying, sha256)): Promise<Verdict> =>
    await verifyDatabase(
      { bytes, content, signature, certificates: by.certificates },
      {
        ...{ pins: by.pins, now: request.run.now, accepted, url: source.url },
        byHand: source.signatureFile !== null,
      },
    );
  const judge = async (by: Deciding): Promise<Verdict> => {
    const accepted = acceptedBy(by, verifying, sha256);
    const verdict = await verdictBy(by, accepted);
    if (verdict.code !== 'HISTORY_BROKEN' || accepted === null) return verdict;
    const { compare: _, ...order } = accepted;
    return await confirmed(verdict, { accepted, otherwise: await verdictBy(by, order) }, request);
  };
  const etag = place.database === source.url ? obtained.etag : null;
  const decided = { bytes, signature, etag, keys, verdict: await judge({ ...keys, pins, entry }) };
  const verdict = await remember(decided, verifying, async (stored) => {
    const merged = await mergedKeys(stored, keys, request.run.trust);
    return { keys: merged, verdict: await verdictBy({ ...merged, pins: stored, entry: stored }) };
  });
  const answer: PlaceVerdict = {
    ...{ ...common(source), ...answerOf(verdict, verifying), signature, etag, notices: keys.notices },
    ...{ fingerprints: pins.fingerprints, certificates: keys.certificates },
    bytes: verdict.database === null ? null : bytes,
  };
  return source.pins === 'beside' && verdict.database !== null ? unproven(answer) : answer;
}

/** The last accepted database. What it listed is read only where the bytes differ. */
function acceptedBy({ entry }: Deciding, { source, request }: Verifying, sha256: string): Accepted | null {
  if (entry !== null) return acceptedOf(entry, { trust: request.run.trust, sha256 });
  const { accepted, readChain } = source;
  if (accepted === null || readChain === undefined || accepted.sha256 === sha256) return accepted;
  return { ...accepted, compare: continuationOf({ issued: accepted.issued, chain: readChain() }) };
}

/** The verdict apart from the broken chain, if a person accepts that. Throws NOT_CONFIRMED. */
async function confirmed(
  verdict: Verdict,
  { accepted, otherwise }: { readonly accepted: Accepted; readonly otherwise: Verdict },
  { confirmBreaks }: PlaceRequest,
): Promise<Verdict> {
  if (confirmBreaks === undefined || otherwise.database === null) return verdict;
  const { database, sha256 } = otherwise;
  const breaks = accepted.compare?.(database).breaks ?? [];
  const broken = { sha256, issued: database.Packsign.Issued, before: accepted.issued, breaks };
  if (await confirmBreaks(broken)) return otherwise;
  throw new PacksignError('NOT_CONFIRMED', 'nothing was accepted: the last accepted database stays');
}

/** What a verdict depends on beside the bytes. */
interface Deciding extends Pick<CurrentKeys, 'certificates'> {
  readonly pins: Pins;
  readonly entry: TrustEntry | null;
}

/** The certificates of an entry as it is stored now, with what a server added to those that we knew before. */
async function mergedKeys(stored: TrustEntry, keys: CurrentKeys, trust: TrustPlace): Promise<CurrentKeys> {
  const known = await withKeysOf(stored, trust, () => readArmored(stored.certificates));
  const pinned = keys.certificates.filter(({ fingerprint }) => stored.fingerprints.includes(fingerprint));
  const { mergeCertificates } = await import('../pgp/certificates.js');
  return { ...keys, certificates: await mergeCertificates(known, pinned) };
}

/** The keys beside a database prove that it is whole, not whose it is. */
function unproven(answer: PlaceVerdict): PlaceVerdict {
  const message = 'signed by the key beside it, which proves nothing: anybody could have put both there';
  return { ...answer, status: 'unauthenticated', code: 'NOT_PINNED', message, trusted: null, notify: null };
}

function answerOf(
  { status, code, message, sha256, signatures, database, changes }: Verdict,
  verifying: Verifying,
) {
  const { entry } = verifying.source;
  const hasVanished = code === 'SIGNATURE_MISSING' && entry?.accepted != null;
  return {
    ...{ status, code, sha256, signatures, changes, listed: database, trusted: database },
    message: hasVanished
      ? 'the last accepted database was signed, and these bytes have no signature'
      : message === null
        ? null
        : `${message}${wayOut({ code, sha256 }, verifying)}`,
    notify: database === null ? (entry?.accepted?.notify ?? null) : (database.Packsign.Notify ?? null),
  };
}

/** What the user can do about a database that does not follow the accepted one. */
function wayOut({ code, sha256 }: Pick<Verdict, 'code' | 'sha256'>, verifying: Verifying): string {
  const { place, source, request } = verifying;
  const { entry, signatureFile } = source;
  if (code === 'SIGNATURE_MISSING' && signatureFile === null)
    return `; there is no ${place.nameOf(signaturePath(sha256))}`;
  if (code === 'HISTORY_BROKEN') {
    const target = shellWord(entry?.name ?? dirname(place.database));
    return `; if its maintainer confirms it: packsign trust accept ${target}`;
  }
  const last = entry?.accepted?.issued ?? null;
  if (code !== 'DATABASE_ROLLED_BACK' || entry === null || last === null) return '';
  return isAhead(last, request.run.now) ? `; that one is from the future: ${forgetting(entry)}` : '';
}

/** How to trust a database again without what was accepted of it. */
function forgetting({ name, url, fingerprints, threshold }: TrustEntry): string {
  const pins = fingerprints.map((fingerprint) => ` --fingerprint ${fingerprint}`).join('');
  const [called, least] = [` --name ${shellWord(name)}`, ` --threshold ${threshold}`];
  const again = `packsign trust add ${shellWord(url)}${called}${pins}${least}`;
  return `if this clock is right, forget it with packsign trust remove ${shellWord(name)}, then type ${again}`;
}

const NOTHING_FOUND = {
  ...{ sha256: null, etag: null, signature: null, bytes: null, listed: null, trusted: null },
  ...{ signatures: [], certificates: [], notify: null, notices: [], changes: [] },
} as const;

function common({ entry, pins, pinnedBy }: Source) {
  const fingerprints = pins === null || pins === 'beside' ? [] : pins.fingerprints;
  return { pinnedBy, fingerprints, accepted: entry?.accepted ?? null };
}

function unpinned(source: Source, found: Pick<PlaceVerdict, 'bytes' | 'sha256'>): PlaceVerdict {
  const message =
    source.entry === null
      ? 'no key given to check it against'
      : 'trusted without a key: its signature cannot be checked';
  const status = 'unauthenticated' as const;
  return { ...NOTHING_FOUND, ...common(source), ...found, status, code: 'NOT_PINNED', message };
}

function absence(
  { place: { database }, source }: Verifying,
  { isForbidden }: Read & { kind: 'absent' },
): string {
  if (isForbidden) return `${database} may not be read (403), or is not there`;
  return `there is no ${source.url === null ? '' : 'database at '}${database}`;
}

function missing(source: Source, message: string): PlaceVerdict {
  return refusal(source, { code: 'DATABASE_MISSING', message, sha256: null });
}

function refusal(
  source: Source,
  why: { readonly code: ErrorCode; readonly message: string; readonly sha256: string | null },
): PlaceVerdict {
  const notify = source.entry?.accepted?.notify ?? null;
  // In a directory no pins were asked for yet when nothing could be read.
  const pinnedBy = source.url === null ? null : source.pinnedBy;
  return { ...NOTHING_FOUND, ...common(source), pinnedBy, notify, status: 'refused', ...why };
}

import { basename, dirname, join } from 'node:path';
import { readOfferedKeys } from '../consume/current-keys.js';
import { fetchSource } from '../consume/fetch.js';
import type { FetchedDatabase } from '../consume/fetch.js';
import { choosePins } from '../consume/pins.js';
import { findEntry, sourceOf, withKeysOf } from '../consume/sources.js';
import type { RemoteSource } from '../consume/sources.js';
import { kindOf } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { decodeDraft } from '../format/database.js';
import { databaseAddress, isAddress } from '../model/address.js';
import { thresholdOf } from '../model/database.js';
import { DATABASE_NAME, KEYS_NAME, SIGNATURE_COPY_NAME, STATE_FOLDER } from '../model/layout.js';
import { orNull } from '../model/or-null.js';
import type { Settings } from '../model/settings.js';
import { SLACK_MS } from '../model/time.js';
import type { TrustEntry } from '../model/trust.js';
import { withNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import type { Certificate } from '../pgp/certificates.js';
import { addressPlace } from '../places/address.js';
import { DATABASE_LIMITS } from '../places/place.js';
import { contentOf } from '../pgp/content.js';
import { readNote } from '../published/notes.js';
import type { Published, SignedDatabase } from '../published/published.js';
import { readPublished } from '../published/read.js';
import { END_OF_TIME, restoreHint } from '../published/verified.js';
import type { Run } from '../run.js';
import { nothingToJoin } from './adopt.js';
import { newerOf, requireCurrent, rolledBack } from './current-predecessor.js';
import type { LeastPredecessor } from './current-predecessor.js';
import { verifyDatabase } from '../verify/verify-database.js';
import type { Pins } from '../verify/verify-database.js';

/** The database that the next one is built upon, and the published keys. */
export interface Predecessor {
  /** Null if a history begins here. */
  readonly signed: SignedDatabase | null;
  /** SHA-256 of the database that is replaced, verified or not. */
  readonly previous: string | null;
  /** `Issued` of a database that is replaced without being continued, and that readers may have; null or absent if none is. */
  readonly replaced?: Date | null;
  /** The published certificates. */
  readonly keys: readonly Certificate[];
  /** The `keys.asc` of the other place, for a directory that has none of its own; else null. */
  readonly lastKeys: Uint8Array | null;
  /** A second database that is joined with it; null or absent for none. */
  readonly adopted?: SignedDatabase | null;
}

export interface PredecessorOptions extends LeastPredecessor {
  readonly settings: Settings;
  /** Certificates of the keys that will sign. */
  readonly signing: readonly Certificate[];
  /** Whether to begin a new history. */
  readonly first: boolean;
  /** A database in another place, a file or an address, which this directory continues; null for none. */
  readonly previous: string | null;
  /** The file or address of a second database, which the next one goes on from too; null for none. */
  readonly adopt?: string | null;
  readonly run: Run;
}

/**
 * Finds the database that the next one is built upon (`--first`, `--previous`). Throws PREVIOUS_UNKNOWN, and what
 * `verified` and `findPredecessorElsewhere` throw.
 */
export async function findPredecessor(
  published: Published,
  options: PredecessorOptions,
): Promise<Predecessor> {
  const found = await findOne(published, options);
  return { ...found, adopted: await findAdopted(published, found.signed, options) };
}

/** Verifies a database that is adopted as one to build upon. Throws PREVIOUS_UNKNOWN, and as `findPredecessorElsewhere`. */
export async function findAdopted(
  published: Published,
  signed: SignedDatabase | null,
  options: Omit<PredecessorOptions, 'first' | 'previous'>,
): Promise<SignedDatabase | null> {
  const { adopt = null } = options;
  if (adopt === null) return null;
  if (signed === null) throw nothingToJoin(adopt);
  const found = await verifyElsewhere(published, { ...options, previous: adopt });
  // `--not-before` is about the other one.
  requireCurrent(found.signed, { ...options, from: adopt, notBefore: null });
  return found.signed;
}

async function findOne(published: Published, options: PredecessorOptions): Promise<Predecessor> {
  const { first, previous } = options;
  const elsewhere = previous === null ? null : await orNothing(published, { ...options, previous });
  if (elsewhere !== null) return elsewhere;
  const keys = await published.certificates();
  const sha256 = published.sha256();
  if (first && previous === null) {
    const replaced = issuedIn(published.bytes(DATABASE_NAME), options.run.now);
    return { signed: null, previous: sha256, replaced, keys, lastKeys: null };
  }
  if (sha256 === null && !first) requireBeginning(published, options);
  const signed = await published.verified();
  return { signed, previous: sha256, keys, lastKeys: null };
}

/**
 * A database that is elsewhere, or was published here and is gone, is no reason to begin anew: users would miss its
 * history. A directory that somebody emptied begins anew all the same. Throws PREVIOUS_UNKNOWN.
 */
export function requireBeginning(
  published: Published,
  { settings, run: { notesFolder, objects } }: Pick<PredecessorOptions, 'settings' | 'run'>,
): void {
  if (objects !== null && objects.identityOf(DATABASE_NAME) !== null) {
    const message = `nothing is published in ${published.directory}, but there is a database at ${objects.address}`;
    throw new PacksignError('PREVIOUS_UNKNOWN', message, {
      hint: 'use the folder of the machine that made it; or continue it: --previous ADDRESS, where readers fetch it; or start a new history: --first',
    });
  }
  if (settings.Database !== undefined) {
    const message = `nothing is published here, but "Database" says ${settings.Database}`;
    const continued = `packsign build DIRECTORY --previous ${settings.Database}`;
    throw new PacksignError('PREVIOUS_UNKNOWN', message, {
      hint: `continue it: ${continued}; or start a new history: packsign build DIRECTORY --first`,
    });
  }
  const isNoted = () =>
    notesFolder !== null && orNull(() => readNote(notesFolder, published.directory)) !== null;
  // The copy follows the database, and keys are there before it.
  const wasHere =
    published.bytes(SIGNATURE_COPY_NAME) !== null || (published.bytes(KEYS_NAME) !== null && isNoted());
  if (!wasHere) return;
  const path = join(published.directory, DATABASE_NAME);
  throw new PacksignError('PREVIOUS_UNKNOWN', `${path} is missing, and was published before`, {
    hint: restoreHint(DATABASE_NAME),
  });
}

/**
 * The database of another place. Null if nothing was published there yet, and `--first` says that this may be: so a
 * runner begins and goes on with the same command. A user who gives `--not-before` knows that there is one.
 */
async function orNothing(
  published: Published,
  options: PredecessorOptions & { readonly previous: string },
): Promise<Elsewhere | null> {
  const { first, previous, notBefore = null } = options;
  try {
    return await findPredecessorElsewhere(published, options);
  } catch (error) {
    const isMissing = error instanceof PacksignError && error.code === 'PREVIOUS_UNKNOWN';
    if (!isMissing || !first || notBefore !== null) throw error;
    if (await isNothingAt(databaseAddress(previous), options.run)) return null;
    const hint =
      'only a 404 shows that, from a site that is not trusted yet; to begin all the same, leave out --previous';
    throw new PacksignError(
      'PREVIOUS_UNKNOWN',
      `packsign cannot tell whether anything was published at ${previous}`,
      {
        hint,
        cause: error,
      },
    );
  }
}

/** Whether there never was a database, as far as anybody can tell: a login page and a 403 are no such answer. */
async function isNothingAt(url: string, { network, trust }: Run): Promise<boolean> {
  if (findEntry(url, trust) !== null) return false;
  return await withNetwork(network, async (opened) => {
    const read = await addressPlace(opened, url).readDatabase({
      ...DATABASE_LIMITS,
      fresh: true,
      pastCaches: true,
    });
    return read.kind === 'absent' && !read.isForbidden;
  });
}

/** `Issued` of a database, verified or not; null if it has none, or one that no reader can have accepted yet. */
function issuedIn(bytes: Buffer | null, now: Date): Date | null {
  const issued = bytes === null ? null : orNull(() => decodeDraft(bytes).Packsign.Issued);
  return issued !== null && issued.getTime() <= now.getTime() + SLACK_MS ? issued : null;
}

export type ElsewhereOptions = Omit<PredecessorOptions, 'first' | 'previous'> & {
  readonly previous: string;
};

/**
 * Reads a database from another place and verifies it before anything is built upon it. Throws PREVIOUS_INVALID,
 * DATABASE_STALE, DATABASE_ROLLED_BACK, PREVIOUS_UNKNOWN, FILE_UNREADABLE, NOT_PINNED, KEYS_MALFORMED, FOREIGN_DATABASE, TRUST_DAMAGED, NETWORK and the like.
 */
export async function findPredecessorElsewhere(
  published: Published,
  options: ElsewhereOptions,
): Promise<Elsewhere> {
  const found = await verifyElsewhere(published, options);
  const context = { ...options, from: options.previous };
  const signed = await newerOf(published, found.signed, context);
  if (signed === found.signed) {
    requireCurrent(signed, context);
    return found;
  }
  // It was published from here, so it was not fetched.
  requireCurrent(signed, { ...context, allowStale: true });
  return { ...found, signed, previous: signed.content.sha256() };
}

const OF_ELSEWHERE: readonly string[] = ['PREVIOUS_INVALID', 'FOREIGN_DATABASE'];
const NOT_BUILT_UPON =
  'restore it from a backup, or find out whose it is with packsign verify DIRECTORY; nothing was built upon it';

/** A database of another place, which is never missing: to begin anew is `--first`. */
type Elsewhere = Predecessor & { readonly signed: SignedDatabase };

/** Reads a database from another place, and verifies it with the keys that are known here. Throws as above. */
async function verifyElsewhere(published: Published, options: ElsewhereOptions): Promise<Elsewhere> {
  const { previous } = options;
  const own = await published.certificates();
  if (isAddress(previous)) return await fetchPredecessor(published.directory, { ...options, own });
  const folder = folderOf(previous);
  const elsewhere = readPublished(folder, join(folder, STATE_FOLDER));
  const signed = await elsewhere.verified().catch((error: unknown) => {
    if (!(error instanceof PacksignError) || !OF_ELSEWHERE.includes(error.code)) throw error;
    // Its own hint is about the database of this directory, which may be sound.
    throw new PacksignError(error.code, error.message, { hint: NOT_BUILT_UPON, cause: error });
  });
  if (signed === null) throw new PacksignError('FILE_UNREADABLE', `there is no database in ${folder}`);
  await requireKnown(signed, [...own, ...(await elsewhere.certificates())], { ...options, own });
  const found = { signed, previous: elsewhere.sha256() };
  return own.length > 0
    ? { ...found, keys: own, lastKeys: null }
    : { ...found, keys: await elsewhere.certificates(), lastKeys: elsewhere.bytes(KEYS_NAME) };
}

/** The published directory that the user names, or whose database the user names. Throws FILE_UNREADABLE. */
function folderOf(path: string): string {
  const kind = kindOf(path);
  if (kind === null) throw new PacksignError('FILE_UNREADABLE', `there is no file ${path}`);
  if (kind === 'folder') return path;
  if (basename(path) === DATABASE_NAME) return dirname(path);
  throw new PacksignError('FILE_UNREADABLE', `${path} is not a published ${DATABASE_NAME}`, {
    hint: `name the ${DATABASE_NAME} in a published directory, or the directory itself`,
  });
}

interface FetchedPredecessor extends ElsewhereOptions {
  /** The certificates in `keys.asc` of the directory. */
  readonly own: readonly Certificate[];
}

/** Never uses a cache, and never trusts keys because the server names them: else anybody's history could continue here. */
async function fetchPredecessor(directory: string, options: FetchedPredecessor): Promise<Elsewhere> {
  const { own, previous: address, run } = options;
  const at = databaseAddress(address);
  const entry = findEntry(address, run.trust);
  const source = await sourceFor(directory, at, { ...options, entry });
  return await withNetwork(run.network, async (network) => {
    const request = { run: { ...run, trust: { kind: 'none' }, now: END_OF_TIME }, fresh: true, at } as const;
    const fetchAs = async (url: string): Promise<FetchedDatabase> => {
      let pins: Pins = source.pins;
      for (;;) {
        const fetched = await fetchSource(network, { ...source, pins, url }, request);
        const own = fetched.trusted === null ? 0 : thresholdOf(fetched.trusted);
        if (pins.threshold === 'own' || own <= pins.threshold) return fetched;
        pins = { ...pins, threshold: own };
      }
    };
    let fetched = await fetchAs(at);
    const { Database } = options.settings;
    // The user may have named another address than its own, or the database is about to move.
    if (fetched.code === 'WRONG_DATABASE' && Database !== undefined) {
      fetched = await fetchAs(databaseAddress(Database));
    }
    const signed = signedOf(fetched);
    const offered = own.length > 0 ? null : await offeredKeys(network, fetched);
    return { signed, previous: signed.content.sha256(), keys: own, lastKeys: null, ...offered };
  });
}

/**
 * Pins the keys that the directory publishes, else those in the settings, else those that the user pinned for this
 * address, else those that will sign. Certificates may come from the address, pins and the threshold never. Throws
 * NOT_PINNED.
 */
async function sourceFor(
  directory: string,
  url: string,
  { own, settings, signing, entry, run }: FetchedPredecessor & { readonly entry: TrustEntry | null },
): Promise<RemoteSource & { readonly pins: Pins }> {
  const candidates = { published: own, signers: settings.Signers ?? [], entry, signing };
  const chosen = await withKeysOf(entry, run.trust, () => choosePins(candidates));
  if (chosen.pins !== null && chosen.pins !== 'beside') {
    const { fingerprints } = chosen.pins;
    const threshold = leastOf(fingerprints, { url, settings, entry });
    const pins: Pins = { fingerprints, threshold };
    return { ...sourceOf(url, chosen, entry), pins };
  }
  throw new PacksignError('NOT_PINNED', `nothing here says whose keys sign ${url}`, {
    hint: `put the published ${KEYS_NAME} into ${directory}, or name the key that signs with --key`,
  });
}

interface Known {
  /** The database that is judged. */
  readonly url: string;
  readonly settings: Settings;
  readonly entry: TrustEntry | null;
}

/**
 * How many of these keys must have signed, by what is known here. What the other database asks for can only raise it:
 * else one stolen key of two could sign that one is enough (threat T34). Throws NOT_PINNED.
 */
function leastOf(fingerprints: readonly string[], { url, settings, entry }: Known): number {
  const pinned = entry === null || entry.fingerprints.length === 0 ? undefined : entry.threshold;
  const said = [settings.Threshold, pinned].filter((threshold) => threshold !== undefined);
  const count = new Set(fingerprints).size;
  const least = Math.max(1, ...said);
  if (least > count) {
    throw new PacksignError(
      'NOT_PINNED',
      `${least} keys must have signed ${url}, and only ${count === 1 ? 'one is' : `${count} are`} known here`,
      { hint: 'name all of them with --signers, or "Signers" in packsign.json' },
    );
  }
  if (count === 1 || said.length > 0) return least;
  throw new PacksignError(
    'NOT_PINNED',
    `nothing here says how many of the ${count} keys must have signed ${url}`,
    { hint: 'say so with --threshold, or "Threshold" in packsign.json' },
  );
}

/** A file that was copied from elsewhere must be by the keys that this directory knows, as far as it knows any. */
async function requireKnown(
  { content, signature }: SignedDatabase,
  certificates: readonly Certificate[],
  { own, previous, settings }: FetchedPredecessor,
): Promise<void> {
  const { pins } = await choosePins({ published: own, signers: settings.Signers ?? [] });
  if (pins === null || pins === 'beside') return;
  const verdict = await verifyDatabase(
    { bytes: content.bytes, content, signature, certificates },
    {
      pins: { fingerprints: pins.fingerprints, threshold: settings.Threshold ?? 1 },
      ...{ now: END_OF_TIME, accepted: null, url: null },
    },
  );
  if (verdict.status === 'refused') throw invalid(previous, verdict);
}

function signedOf({ trusted, bytes, signature, code, message, from }: FetchedDatabase): SignedDatabase {
  if (trusted !== null && bytes !== null && signature !== null) {
    return { database: trusted, content: contentOf(bytes), signature, reading: null };
  }
  if (code === 'DATABASE_MISSING') {
    throw new PacksignError('PREVIOUS_UNKNOWN', message ?? `there is no database at ${from}`, {
      hint: 'if nothing was ever published there, say so with packsign build DIRECTORY --first',
    });
  }
  if (code === 'DATABASE_ROLLED_BACK') throw rolledBack(from, `was refused: ${message ?? ''}`);
  throw invalid(from, { code, message });
}

function invalid(from: string, { code, message }: Pick<FetchedDatabase, 'code' | 'message'>): PacksignError {
  return new PacksignError(
    'PREVIOUS_INVALID',
    `${from} is not what its signers published: ${message ?? ''}${code === null ? '' : ` (${code})`}`,
    { hint: NOT_BUILT_UPON },
  );
}

/** The keys that users of the other place have, as far as its signed database names them. */
async function offeredKeys(
  network: Network,
  { from, fingerprints, trusted }: FetchedDatabase,
): Promise<Pick<Predecessor, 'keys' | 'lastKeys'>> {
  const named = new Set([...fingerprints, ...(trusted?.Packsign.Signers?.Fingerprints ?? [])]);
  const offered = await readOfferedKeys(addressPlace(network, from), named);
  const keys = offered.filter(({ fingerprint }) => named.has(fingerprint));
  if (keys.length === 0) return { keys, lastKeys: null };
  const { encodeCertificates } = await import('../pgp/certificates.js');
  return { keys, lastKeys: encodeCertificates(keys).armored };
}

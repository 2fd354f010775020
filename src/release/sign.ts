import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { orError } from '../consume/or-error.js';
import { withLock } from '../disk/lock.js';
import { PacksignError } from '../errors.js';
import { readDraft } from '../format/database.js';
import { lintPublished } from '../keys/lint-published.js';
import { absenceRule } from '../model/absence.js';
import type { Absent } from '../model/absence.js';
import type { Database } from '../model/database.js';
import { diffDatabases } from '../model/diff.js';
import type { Coverage } from '../model/coverage.js';
import type { Difference } from '../model/diff.js';
import type { FileEntry } from '../model/file-entry.js';
import type { Warning } from '../model/finding.js';
import { UNSIGNED_NAME, UNSIGNED_SIGNATURES_NAME } from '../model/layout.js';
import type { Continued } from '../model/join.js';
import { changedBytes, lostHistory } from '../model/ledger.js';
import { updateOf } from '../model/update.js';
import { refuseStaleBuild } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import { contentOf } from '../pgp/content.js';
import { coverageIn } from '../places/coverage.js';
import { scanFiles } from '../places/objects.js';
import { globsOf } from '../places/scan.js';
import type { Published } from '../published/published.js';
import { readPublished } from '../published/read.js';
import { makeWhole } from '../published/whole.js';
import { continuedFrom, keeps } from './adopt.js';
import { newestOf } from './clock-evidence.js';
import { coSign } from './co-sign.js';
import { findDamage, withNewBytes } from './damage.js';
import type { Damage } from './damage.js';
import type { LeastPredecessor } from './current-predecessor.js';
import { openCache } from './facts-cache.js';
import { takeInventory } from './inventory.js';
import { continuedNow } from './from-future.js';
import { findAdopted, findPredecessorElsewhere } from './predecessor.js';
import type { ElsewhereOptions, Predecessor } from './predecessor.js';
import { preflight, requireSigners } from './preflight.js';
import { refuseSecrets } from './secrets.js';
import type { Searchable } from './secrets.js';
import { followPublication, opened, signAndPublish } from './sign-and-publish.js';
import type { SignAndPublishOptions, SignedRelease } from './sign-and-publish.js';

export interface SignOptions extends SignAndPublishOptions, LeastPredecessor {
  readonly settings: Settings;
  readonly rehash: boolean;
  /** Paths of files to publish although they are damaged. */
  readonly allowDamaged?: readonly string[];
  /** Signs the database without checking files, and leaves publishing to the host that has them. */
  readonly withoutFiles: boolean;
  /** Adds a signature to the published database, whatever waits. */
  readonly coSign: boolean;
  /** The file or address of a database published elsewhere, which this directory continues. */
  readonly previous: string | null;
  /** The file or address of a second database, with which the waiting one joins the published one; null for none. */
  readonly adopt?: string | null;
  /** What the user typed about listed files that are not here; null leaves it to the settings. */
  readonly absent: Absent | null;
}

export interface SignResult {
  readonly released: SignedRelease | null;
  /** Null if nothing waited, and the published database stays. */
  readonly difference: Difference | null;
  /** Null after a co-signature, or if the files are elsewhere. */
  readonly coverage: Coverage | null;
  /** Also those of the page, if nothing waited. */
  readonly warnings: readonly Warning[];
  /** Paths of published files that were lost and have been restored. */
  readonly mended: readonly string[];
}

/**
 * Signs the waiting database byte for byte and publishes it (cli contract, `sign`), after checking every file against
 * it. Throws NOTHING_TO_SIGN, STALE_BUILD, FILE_DIFFERS, PREVIOUS_INVALID, the codes of `signAndPublish`, and those
 * of reading the directory.
 */
export async function sign(directory: string, options: SignOptions): Promise<SignResult> {
  const { run, signers } = options;
  return await withLock(run, async () => {
    const whole = await makeWhole(readPublished(directory, run.stateFolder), run);
    const { published, ...result } = await signWhole(whole.published, options);
    const certificates = signers.map(({ certificate }) => certificate);
    const context = { certificates, databaseExpires: null, now: run.now };
    const lint = await orError(() => lintPublished(published, context));
    // What is published stays so, whatever can be said about its keys.
    if (!(lint instanceof PacksignError)) for (const warning of lint) run.warn(warning);
    else if (result.released === null) throw lint;
    return { ...result, mended: whole.mended };
  });
}

type Signed = Omit<SignResult, 'mended'> & { readonly published: Published };

async function signWhole(published: Published, options: SignOptions): Promise<Signed> {
  const { directory } = published;
  const { withoutFiles, signers, run } = options;
  if (options.coSign) {
    await refuseSecrets(published, searchWhole(directory, options), { ...options, remember: true });
    const signed = await coSign(published, options);
    if (signed === null) return await nothingWaits(published, options);
    const { published: next, release } = signed;
    const { warnings } = release;
    return { published: next, released: release, difference: null, coverage: null, warnings };
  }
  const bytes = published.bytes(UNSIGNED_NAME);
  if (bytes === null) return await nothingWaits(published, options);
  const reading = readDraft(bytes);
  const { database } = reading;
  const signing = signers.map(({ certificate }) => certificate);
  const context = { ...options, signing };
  const found = await findSignedPredecessor(published, database, context);
  const { previous, lastKeys } = found;
  // A host that signs for another may have no published database; the other host compares before it publishes.
  const isAlone = withoutFiles && published.sha256() === null && options.previous === null;
  const follows = isAlone ? (database.Packsign.Previous ?? null) : previous;
  refuseStaleBuild(database, { previous: follows, now: run.now });
  const before = new Date(database.Packsign.Issued.getTime() - 1000);
  const asked = { run, address: database.Packsign.Database ?? null, isSigning: signers.length > 0, before };
  const foundAdopted = await findAdopted(published, found.signed, context);
  const { signed, adopted } = await continuedNow({ ...found, adopted: foundAdopted }, asked);
  const continued = continuedFrom(signed, adopted, reasonsIn(database));
  const update = updateOf(continued?.database ?? null, database);
  if (signers.length > 0) await preflight(published, { signers, now: run.now });
  const absence = absenceRule(options.settings, options);
  const isKept = keeps(absence, adopted, continued ?? { withdrawn: new Set() });
  const { searchable, damaged, needless } = withoutFiles
    ? { searchable: searchWhole(directory, options), damaged: new Map<string, string>(), needless: [] }
    : await requireSameFiles(directory, database, { ...options, continued, isKept });
  const collected = published.bytes(UNSIGNED_SIGNATURES_NAME);
  const { published: next, release } = await signAndPublish(
    published,
    {
      ...{ database, reading, content: contentOf(bytes) },
      damaged,
      predecessor: signed,
      continued,
      update,
      lastKeys,
    },
    { ...options, searchable, absence, collected, elsewhere: withoutFiles },
  );
  const own = adopted === null ? update : updateOf(signed?.database ?? null, database);
  const difference = diffDatabases(own, update);
  const coverage = withoutFiles ? null : coverageIn(directory, database, placed(options));
  const warnings = [
    ...[...needless, ...release.warnings],
    ...(withoutFiles ? notLookedInto(database, continued?.database ?? null) : []),
  ];
  return { published: next, released: release, difference, coverage, warnings };
}

async function nothingWaits(published: Published, options: SignOptions): Promise<Signed> {
  if (published.sha256() !== null) {
    const { signers, run } = options;
    if (signers.length > 0) await requireSigners(published, { signers, now: run.now });
    const searchable = searchWhole(published.directory, options);
    await refuseSecrets(published, searchable, { ...options, remember: true });
    const { published: next, warnings } = await followPublication(published, opened(options));
    const signed = options.withoutFiles ? null : await published.verified();
    const coverage =
      signed === null ? null : coverageIn(published.directory, signed.database, placed(options));
    return { published: next, released: null, difference: null, coverage, warnings };
  }
  throw new PacksignError(
    'NOTHING_TO_SIGN',
    `there is no ${join(published.directory, UNSIGNED_NAME)} to sign`,
    { hint: 'make one first: packsign build DIRECTORY' },
  );
}

/** The database that the waiting one follows; it may fail to verify only if the user gave it up with `--first`. */
async function findSignedPredecessor(
  published: Published,
  database: Database,
  options: SignOptions & Pick<ElsewhereOptions, 'signing'>,
): Promise<Omit<Predecessor, 'keys'>> {
  const { previous } = options;
  if (previous !== null) return await findPredecessorElsewhere(published, { ...options, previous });
  const sha256 = published.sha256();
  const found = { previous: sha256, lastKeys: null };
  if (sha256 === null || !isFirst(database) || database.Packsign.Previous !== sha256) {
    return { ...found, signed: await published.verified() };
  }
  const signed = await orError(() => published.verified());
  // Files that change by design leave no record: then an ordinary database looks like a first one, and continues the last.
  const isContinued =
    signed !== null && !(signed instanceof PacksignError) && continues(signed.database, database);
  return { ...found, signed: isContinued ? signed : null };
}

function continues(published: Database, next: Database): boolean {
  const update = updateOf(published, next);
  return changedBytes(update).length + lostHistory(update).length === 0;
}

// Only a database that starts anew (build --first) dates every file to itself and has no history. A database that was
// built upon a good one must not escape the checks against it because that one was damaged since.
export function isFirst({ Files, Packsign: { Issued, History } }: Database): boolean {
  const issued = Issued.getTime();
  return History === undefined && Array.from(Files.values()).every(({ Since }) => Since.getTime() === issued);
}

/** Where a secret may be in a directory whose files are not hashed: the cache knows those that were looked through. */
function searchWhole(directory: string, { settings, run, rehash }: SignOptions): Searchable {
  const { files, others, misnamed } = scanFiles(directory, run, { globs: globsOf(settings) });
  const cache = openCache(run.stateFolder, { rehash, remember: false });
  const unknown = files.flatMap((file) => (cache.knows(file) ? [] : [file.path]));
  return { others: [...others, ...unknown], misnamed, secrets: new Map(), newest: newestOf(files) };
}

function placed({ settings, run: { objects } }: SignOptions) {
  return { globs: globsOf(settings), objects };
}

/** Nobody here looks for damage in the files of another host. */
function notLookedInto(database: Database, published: Database | null): Warning[] {
  const all = Array.from(database.Files, ([path, { SHA256 }]) => ({ path, sha256: SHA256 }));
  const files = withNewBytes(all, published);
  if (files.length === 0) return [];
  const what = files.length === 1 ? 'a new file' : `${files.length} new files`;
  const message = `${what} could not be checked for damage here; the host that publishes checks for it`;
  return [{ code: 'NOT_LOOKED_INTO', path: null, message }];
}

interface Comparison {
  readonly continued: Continued | null;
  /** Whether the file of a path may be absent. */
  readonly isKept: (path: string) => boolean;
}

/** Checks that every file is as the database says. Gives what hashing and looking at them found. Throws FILE_DIFFERS. */
async function requireSameFiles(
  directory: string,
  database: Database,
  options: SignOptions & Comparison,
): Promise<{ readonly searchable: Searchable } & Pick<Damage, 'damaged' | 'needless'>> {
  const cache = openCache(options.run.stateFolder, { rehash: options.rehash, remember: true });
  const published = options.continued?.database ?? null;
  const inventory = await takeInventory(directory, { ...options, cache, published });
  const found = new Map(inventory.files.map((file) => [file.path, file]));
  const isKept = keptUnaltered(options);
  const differing = Array.from(database.Files).flatMap(([path, entry]) => {
    const { Size, SHA256 } = entry;
    const now = found.get(path);
    if (now === undefined) return isKept(path, entry) ? [] : [`  ${path} is missing`];
    if (now.sha256 === SHA256 && now.size === Size) return [];
    return [`  ${path} has other bytes: sha256 is ${now.sha256}`];
  });
  for (const path of published?.Files.keys() ?? []) {
    if (found.has(path) && !database.Files.has(path))
      differing.push(`  ${path} is here, and is no longer listed`);
  }
  if (differing.length === 0) {
    const listed = inventory.files.filter(({ path }) => database.Files.has(path));
    return { searchable: inventory, ...findDamage(directory, listed, { ...options, published }) };
  }
  throw new PacksignError(
    'FILE_DIFFERS',
    [`files differ from ${join(directory, UNSIGNED_NAME)}:`, ...differing].join('\n'),
    {
      hint: 'build again and see what changed: packsign build DIRECTORY, packsign diff DIRECTORY; if files are missing only on this machine, sign with --absent keep',
    },
  );
}

/**
 * Tells whether a file may be absent: it is listed as its predecessor has it, but for a yank (docs/FORMAT.md §5,
 * `Absent`).
 */
function keptUnaltered({ continued, isKept }: Comparison): (path: string, entry: FileEntry) => boolean {
  return (path, { Yanked, ...entry }) => {
    const before = continued?.database.Files.get(path);
    if (before === undefined || !isKept(path)) return false;
    const { Yanked: yankedBefore = Yanked, ...listed } = before;
    return Yanked === yankedBefore && isDeepStrictEqual(listed, entry);
  };
}

/** The newest reason of each path: its maintainer gave them when it was built, and they are reviewed with it. */
function reasonsIn({ Packsign: { History } }: Database): ReadonlyMap<string, string> {
  return new Map(
    Array.from(History ?? []).flatMap(([path, records]) => {
      const reason = records.findLast(({ Reason }) => Reason !== undefined)?.Reason;
      return reason === undefined ? [] : [[path, reason] as const];
    }),
  );
}

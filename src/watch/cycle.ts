import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { CacheStore } from '../release/digest-cache.js';
import { readBounded } from '../disk/files.js';
import { takeLock } from '../disk/lock.js';
import { scanDirectory } from '../places/scan.js';
import { refuseSecrets } from '../release/secrets.js';
import { PacksignError, reasonOf, systemCode } from '../errors.js';
import { DATABASE_LIMIT_BYTES, KEYS_LIMIT_BYTES } from '../model/database.js';
import type { FileEntries } from '../model/file-entry.js';
import type { Database } from '../model/database.js';
import { diffDatabases } from '../model/diff.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { KEYS_NAME, UNSIGNED_NAME } from '../model/layout.js';
import type { Package } from '../model/package.js';
import { refreshDate, refuseMassRemoval } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import type { Certificate } from '../pgp/certificates.js';
import { sha256Of } from '../verify/verify-database.js';
import { makeCandidateUpon } from '../release/candidate.js';
import type { Predecessor } from '../release/predecessor.js';
import type { Candidate, Unattended } from '../release/candidate.js';
import { publishDatabase, repairPublication } from '../published/replace.js';
import type { Publication } from '../published/replace.js';
import { readPublished, readPublishedKeys, standingReader } from '../published/read.js';
import type { Published, Standing } from '../published/read.js';
import { finishPublication, signAndPublish } from '../release/sign-and-publish.js';
import type { SignAndPublishOptions } from '../release/sign-and-publish.js';
import type { DirectoryState } from './stability.js';

/** Something that came of a turn, for people and scripts. */
export interface Notice {
  readonly event: 'signed' | 'refreshed' | 'unchanged' | 'held' | 'refused' | 'error';
  readonly code: string | null;
  /** File paths that it is about, sorted. */
  readonly paths: readonly string[];
  /** Those of them that are listed no more. */
  readonly withdrawn: readonly string[];
  readonly message: string | null;
  /** What to type next. */
  readonly hint: string | null;
  /** Worth knowing, nothing that keeps a file out. */
  readonly warnings: readonly Warning[];
}

export interface Cycle {
  readonly news: readonly Notice[];
  /** `Issued` of the database that is published now. */
  readonly issued: Date | null;
  /** Whether the same may go well without anything here being changed: in a moment, or in a while. */
  readonly again: 'soon' | 'later' | 'no';
}

export interface CycleOptions extends Omit<SignAndPublishOptions, 'now'> {
  /** Reads the settings as they are now. Throws SETTINGS_INVALID, FILE_UNREADABLE. */
  readonly settings: () => Settings;
  readonly cache: CacheStore;
  readonly stateFolder: string;
  readonly clock: () => Date;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface Cycles {
  readonly take: (settled: DirectoryState) => Promise<Cycle>;
  /** The settings that turns go by. */
  readonly settings: () => Settings;
  /** What was published last; null while nothing is. */
  readonly files: () => FileEntries | null;
  /** When the published database wants to be signed anew; null when never. */
  readonly refreshDate: () => Date | null;
}

/** What one published directory looked like last, so that it can go on after it was removed. */
interface Last {
  readonly published: Published;
  readonly keys: Publication['keys'] & { readonly certificates: readonly Certificate[] };
}

interface Memory {
  last: Last | null;
  /** The settings that a person started with or signed. */
  accepted: Settings;
  /** Other settings that stand in packsign.json now, and whether a person has published since they do. */
  offered: { readonly settings: Settings; readonly signed: boolean } | null;
  /** What was signed and waits for the signatures of others. */
  waiting: { readonly sha256: string; readonly database: Database; readonly missing: number } | null;
  /** Warnings of files left out that were said already. */
  said: ReadonlySet<string>;
  /** What keeps the page as it is, as it was said last. */
  saidOfPage: string;
}

type Context = CycleOptions & {
  readonly directory: string;
  readonly memory: Memory;
  readonly readStanding: () => Standing | null;
};

/** For so long after it was written to, a page may be in an editor's hands. */
const EDITING_MS = 2000;
/** How long a database that waits for signatures is left as it is. */
const REBUILD_MS = 12 * 60 * 60 * 1000;

/** Turns over one directory: each builds, signs and publishes what may be published without a person. */
export function makeCycles(directory: string, options: CycleOptions): Cycles {
  const memory: Memory = {
    last: null,
    accepted: options.settings(),
    offered: null,
    waiting: null,
    said: new Set(),
    saidOfPage: '[]',
  };
  const context = { ...options, directory, memory, readStanding: standingReader(directory) };
  return {
    take: (settled) => runCycle(settled, context),
    settings: () => memory.accepted,
    files: () => memory.last?.published.database.Archives ?? null,
    refreshDate: () => (memory.last === null ? null : refreshDate(memory.last.published.database.Packsign)),
  };
}

async function runCycle(settled: DirectoryState, context: Context): Promise<Cycle> {
  const { memory } = context;
  const news: Notice[] = [];
  let again: Cycle['again'] = 'no';
  try {
    if (settled.kind === 'unreadable') throw settled.error;
    const unlock = takeLock(context.stateFolder);
    try {
      try {
        again = await cycle(settled, context, news);
      } finally {
        context.cache.save();
      }
    } finally {
      unlock();
    }
  } catch (thrown) {
    const error = knownError(thrown);
    news.push(noticeOf(error));
    if (settled.kind === 'seen' && error.code !== 'NO_ARCHIVES') {
      again = error.exitStatus === 1 ? 'later' : 'soon';
    }
  }
  return { news, issued: memory.last?.published.database.Packsign.Issued ?? null, again };
}

// Others work in the directory too, and may take it away under a turn at any moment: no reason to end.
function knownError(error: unknown): PacksignError {
  if (error instanceof PacksignError) return error;
  if (systemCode(error) === null || !(error instanceof Error && 'syscall' in error)) throw error;
  return new PacksignError('FILE_UNREADABLE', reasonOf(error), { cause: error });
}

async function cycle(
  settled: DirectoryState & { kind: 'seen' },
  context: Context,
  news: Notice[],
): Promise<Cycle['again']> {
  const { directory, memory } = context;
  const now = context.clock();
  const standing = context.readStanding();
  repairPublication(directory, { standing, now, others: settled.scan.others });
  const before = memory.last;
  const isLost = before !== null && lacksSome(directory, before, standing);
  if (!isLost) memory.last = await readLast(directory, memory, standing);
  const base = baseOf(memory.last);
  const byOthers = before !== null && memory.last?.published.sha256 !== before.published.sha256;
  news.push(...considerSettings(context, { byOthers }));
  const prepared = await prepareHeld(settled, { context, base, now, news });
  const { published } = base;
  // Nothing has settled yet, or nothing may go, that a first database could list.
  if (published === null && prepared.database.Archives.size === 0) {
    if (settled.unstable.size === 0 && prepared.held.length === 0) news.push(nothingToList(prepared));
    return 'no';
  }
  const warnings = [...unsaid(prepared, memory)];
  if (published !== null && prepared.unchanged && !prepared.refreshDue) {
    if (isLost && memory.last !== null) await putBack(directory, memory.last, { now });
    const stillSince = new Date(now.getTime() - EDITING_MS);
    const mended = await finishPublication(directory, published.sha256, { ...context, stillSince });
    warnings.push(...unsaidOfPage(mended, memory));
    refuseSecrets(directory, settled.scan.others);
    const isAnswered = !settled.changed || news.length > 0;
    const message = isLost
      ? 'put back what was published last'
      : mended.written
        ? 'wrote the trust page'
        : null;
    if (!isAnswered || message !== null || warnings.length > 0) {
      news.push({ ...SILENT, event: 'unchanged', message, warnings });
    }
    // What others do to the page while it is written would pass for the turn's own doing: it is looked at once more.
    return mended.again || mended.written ? 'soon' : 'no';
  }
  if (memory.waiting !== null && stillWaits(directory, prepared, memory.waiting)) {
    news.push(signedNotice(prepared, { missing: memory.waiting.missing, warnings }));
    return 'no';
  }
  const released = await signAndPublish(
    directory,
    {
      ...prepared,
      others: settled.scan.others,
      collected: null,
      elsewhere: false,
      lastKeys: memory.last?.keys.armored ?? null,
    },
    { ...context, now },
  );
  const { publication, sha256, missing } = released;
  if (publication !== null) memory.last = await remember(publication, prepared.database);
  memory.waiting = publication === null ? { sha256, database: prepared.database, missing } : null;
  const ofPage = released.warnings.filter(({ code }) => code.startsWith('PAGE_'));
  warnings.push(...unsaidOfPage({ warnings: ofPage }, memory));
  // Read back while nobody waits, so that the next turn need not.
  context.readStanding();
  news.push(signedNotice(prepared, { missing: released.published ? null : released.missing, warnings }));
  return 'no';
}

/** Whether the same was signed before and waits: others may be about to sign exactly those bytes. */
function stillWaits(
  directory: string,
  { database }: Candidate,
  waiting: NonNullable<Memory['waiting']>,
): boolean {
  const bytes = readBounded(join(directory, UNSIGNED_NAME), DATABASE_LIMIT_BYTES);
  const { Issued, Previous } = waiting.database.Packsign;
  return (
    bytes !== null &&
    sha256Of(bytes) === waiting.sha256 &&
    Previous === database.Packsign.Previous &&
    // One that is too old is no longer signed by anybody (STALE_BUILD).
    database.Packsign.Issued.getTime() - Issued.getTime() < REBUILD_MS &&
    Object.values(diffDatabases(waiting.database, database)).every(({ length }) => length === 0)
  );
}

/** Whether what was published last, or a part of it, is not there: then memory puts it back. */
function lacksSome(directory: string, { published }: Last, standing: Standing | null): boolean {
  if (standing === null) return true;
  const isWhole =
    standing.signature !== null && readBounded(join(directory, KEYS_NAME), KEYS_LIMIT_BYTES) !== null;
  return standing.sha256 === published.sha256 && !isWhole;
}

/** Reads what is published, or trusts memory where the very bytes are known. Throws PREVIOUS_INVALID. */
async function readLast(
  directory: string,
  { last }: Memory,
  standing: Standing | null,
): Promise<Last | null> {
  if (last !== null && isStill(directory, last, standing)) return last;
  const published = await readPublished(directory, standing);
  if (published === null) return null;
  if (last !== null && published.database.Packsign.Issued < last.published.database.Packsign.Issued) {
    throw new PacksignError(
      'PREVIOUS_INVALID',
      'the database here is older than the one that was published last',
      {
        hint: 'put the newer one back; to go on from the old one, start packsign watch DIRECTORY again',
      },
    );
  }
  return { published, keys: await readPublishedKeys(directory) };
}

/** Whether database, signature and keys are byte for byte what is remembered. */
function isStill(directory: string, { published, keys }: Last, standing: Standing | null): boolean {
  return (
    standing?.sha256 === published.sha256 &&
    standing.signature?.equals(published.signature) === true &&
    readBounded(join(directory, KEYS_NAME), KEYS_LIMIT_BYTES)?.equals(keys.armored) === true
  );
}

function baseOf(last: Last | null): Predecessor {
  return {
    published: last?.published ?? null,
    previous: last?.published.sha256 ?? null,
    keys: last?.keys.certificates ?? [],
    lastKeys: last?.keys.armored ?? null,
  };
}

async function remember(publication: Publication, database: Database): Promise<Last> {
  const { readCertificates } = await import('../pgp/certificates.js');
  const certificates = await readCertificates(publication.keys.armored);
  return { published: { ...publication, database }, keys: { ...publication.keys, certificates } };
}

/** The last publication again, byte for byte, in a directory that was made anew. */
async function putBack(directory: string, { published, keys }: Last, { now }: { now: Date }): Promise<void> {
  await publishDatabase(directory, { ...published, keys }, { now });
}

/** Changed settings wait until a person has signed with them; meanwhile the accepted ones hold. */
function considerSettings(
  { settings, memory }: Context,
  { byOthers }: { byOthers: boolean },
): readonly Notice[] {
  let current: Settings;
  try {
    current = settings();
  } catch (error) {
    if (error instanceof PacksignError) return [noticeOf(error)];
    throw error;
  }
  if (memory.last === null) memory.accepted = current;
  if (isDeepStrictEqual(current, memory.accepted)) {
    memory.offered = null;
    return [];
  }
  const isKnown = isDeepStrictEqual(current, memory.offered?.settings);
  memory.offered = { settings: current, signed: byOthers || (isKnown && memory.offered?.signed === true) };
  return memory.offered.signed ? [] : [settingsHeld()];
}

interface Preparing {
  readonly context: Context;
  readonly base: Predecessor;
  readonly now: Date;
  readonly news: Notice[];
}

/** Prepares with everything held that a person has to decide, and says so. */
async function prepareHeld(
  seen: DirectoryState & { kind: 'seen' },
  { context, base, now, news }: Preparing,
): Promise<Candidate> {
  const { directory, memory, allowRemoved } = context;
  const prepareWith = (settings: Settings, unattended: Unattended) =>
    makeCandidateUpon(base, directory, {
      ...context,
      settings,
      now,
      signing: context.signers.map(({ certificate }) => certificate),
      allowed: new Map<string, string>(),
      first: false,
      previous: null,
      standing: null,
      unattended,
    });
  const published = base.published?.database ?? null;
  let prepared: Candidate | null = null;
  if (memory.offered?.signed === true && published !== null) {
    const { settings } = memory.offered;
    prepared = await prepareWith(settings, scanAnew(directory, seen, settings));
    if (settingsDiffer(published, prepared)) {
      // What the person published was made with yet other settings.
      memory.offered = { ...memory.offered, signed: false };
      news.push(settingsHeld());
      prepared = null;
    } else {
      memory.accepted = settings;
      memory.offered = null;
    }
  }
  prepared ??= await prepareWith(memory.accepted, seen);
  if (published !== null && settingsDiffer(published, prepared)) {
    if (!news.some(({ code }) => code === 'SETTINGS_CHANGED')) news.push(settingsHeld());
    const settings = frozen(memory.accepted, published, prepared.database);
    prepared = await prepareWith(settings, { ...seen, frozen: true });
  }
  news.push(...heldNotices(prepared.held));
  if (!allowRemoved) refuseMassRemoval(published, prepared.database);
  return prepared;
}

/** The same under settings that may leave out others: of what was not looked at nothing is known to have settled. */
function scanAnew(
  directory: string,
  { scan, unstable }: DirectoryState & { kind: 'seen' },
  { Exclude = [] }: Settings,
): Unattended {
  const anew = scanDirectory(directory, { exclude: Exclude });
  const known = new Set(scan.files.map(({ path }) => path));
  const fresh = anew.files.flatMap(({ path }) => (known.has(path) ? [] : [path]));
  return { scan: anew, unstable: new Set([...unstable, ...fresh]) };
}

/** Whether what is published already would be described otherwise: somebody changed the settings. */
function settingsDiffer(published: Database, { database, difference }: Candidate): boolean {
  const { settings, metadata, executable }: Difference = difference;
  // A first database may have been built before anybody was known; that they are now is no change of mind.
  const changed = settings.filter(
    ({ key, before }) => before !== null || !['Maintainer', 'Signers'].includes(key),
  );
  return (
    changed.length > 0 ||
    metadata.length > 0 ||
    executable.some(({ before }) => before !== null) ||
    !isDeepStrictEqual(pseudoPackages(published, database), pseudoPackages(database, database))
  );
}

/** Packages without a file: nothing but settings lists them. Not those that found a file since. */
function pseudoPackages({ Packages }: Database, { Archives }: Database): readonly Package[] {
  const bare = Packages.filter((entry) => entry['Download-URL'] === undefined);
  if (bare.length === 0) return bare;
  const found = new Set(Array.from(Archives.values(), ({ Name }) => Name));
  return bare.filter(({ Name }) => !found.has(Name));
}

/** Settings under which what is published stays as it is; `next` is what these settings would make of it. */
function frozen(settings: Settings, published: Database, next: Database): Settings {
  const { Maintainer, Description, Include = [], Packsign } = published;
  const {
    Maintainer: _1,
    Database: _2,
    Notify: _3,
    Mirrors: _4,
    Trusts: _5,
    Signers: _6,
    Threshold: _7,
    ...rest
  } = settings;
  const pseudo = new Set(pseudoPackages(next, next).map(({ Name }) => Name));
  const Packages = new Map(
    Array.from(rest.Packages ?? []).filter(([key, { Name = key }]) => !pseudo.has(Name)),
  );
  for (const { Name, ...entry } of pseudoPackages(published, next)) Packages.set(Name, entry);
  return {
    ...rest,
    Packages,
    Description,
    ...(Maintainer === undefined ? {} : { Maintainer }),
    ...(Packsign.Database === undefined ? {} : { Database: Packsign.Database }),
    ...(Packsign.Notify === undefined ? {} : { Notify: Packsign.Notify }),
    ...(Packsign.Mirrors === undefined ? {} : { Mirrors: Packsign.Mirrors }),
    ...(Packsign.Trusts === undefined
      ? {}
      : { Trusts: Packsign.Trusts.map((trust) => ({ ...trust, Include: Include.includes(trust.URL) })) }),
  };
}

function noticeOf(error: PacksignError): Notice {
  const isWaiting = ['NO_ARCHIVES', 'CLOCK_BEHIND'].includes(error.code);
  const event = isWaiting ? 'held' : error.exitStatus === 1 ? 'refused' : 'error';
  return { ...SILENT, event, code: error.code, message: error.message, hint: error.hint };
}

/** News of which there is nothing more to say. */
export const SILENT = {
  code: null,
  paths: [],
  withdrawn: [],
  message: null,
  hint: null,
  warnings: [],
} as const;

function settingsHeld(): Notice {
  return {
    ...SILENT,
    event: 'held',
    code: 'SETTINGS_CHANGED',
    message: 'packsign.json was changed; what it changes waits until a person signs it',
    hint: 'packsign diff DIRECTORY shows what it changes; then packsign build DIRECTORY and packsign sign DIRECTORY',
  };
}

const HELD_HINTS: Readonly<Record<string, string>> = {
  BYTES_CHANGED:
    'give the new bytes a new version and name, or say why: packsign build DIRECTORY --allow-changed PATH --reason TEXT --key KEY',
  NAME_MISMATCH:
    'give it "Name" and "Version" in packsign.json, then packsign build DIRECTORY and packsign sign DIRECTORY',
};

/** One piece of news for each reason, whatever the number of files. */
function heldNotices(held: readonly Warning[]): Notice[] {
  return Array.from(new Set(held.map(({ code }) => code))).map((code) => {
    const same = held.filter((warning) => warning.code === code);
    return {
      ...SILENT,
      event: code === 'BYTES_CHANGED' ? 'refused' : 'held',
      code,
      paths: same.flatMap(({ path }) => (path === null ? [] : [path])).sort(),
      message: same[0]?.message ?? null,
      hint: HELD_HINTS[code] ?? null,
    };
  });
}

/** Warnings of files that are left out, which were not said before. */
function unsaid({ database, held, warnings }: Candidate, memory: Memory): readonly Warning[] {
  const waiting = new Set(held.map(({ path }) => path));
  const left = warnings.filter(
    ({ code, path }) =>
      path !== null &&
      !database.Archives.has(path) &&
      !waiting.has(path) &&
      // It is being written; the next turn sees more of it.
      code !== 'CHANGED_WHILE_READ',
  );
  const keys = left.map((warning) => JSON.stringify(warning));
  const fresh = left.filter((_, index) => !memory.said.has(keys[index] ?? ''));
  memory.said = new Set(keys);
  return fresh;
}

/** A page that is left alone is said to be once, not at every turn. */
function unsaidOfPage(
  { warnings }: { readonly warnings: readonly Warning[] },
  memory: Memory,
): readonly Warning[] {
  const said = memory.saidOfPage;
  memory.saidOfPage = JSON.stringify(warnings);
  return memory.saidOfPage === said ? [] : warnings;
}

function nothingToList({ warnings }: Candidate): Notice {
  return {
    ...SILENT,
    event: 'held',
    code: 'NO_ARCHIVES',
    message: 'there is no file yet that can be listed',
    warnings,
  };
}

function signedNotice(
  { difference, unchanged, warnings }: Candidate,
  { missing, warnings: left }: { missing: number | null; warnings: readonly Warning[] },
): Notice {
  const paths = [
    ...difference.added,
    ...difference.withdrawn,
    ...difference.changed.map(({ path }) => path),
  ].sort();
  if (missing !== null) {
    const message = `${missing} more signatures are needed before it is published`;
    return {
      ...SILENT,
      event: 'held',
      code: 'SIGNATURES_MISSING',
      paths,
      message,
      hint: 'packsign sign DIRECTORY --key KEY',
    };
  }
  const added = new Set(difference.added);
  return {
    ...SILENT,
    event: unchanged ? 'refreshed' : 'signed',
    paths,
    withdrawn: difference.withdrawn,
    warnings: [...left, ...warnings.filter(({ path }) => path !== null && added.has(path))],
  };
}

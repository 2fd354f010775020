import { isDeepStrictEqual } from 'node:util';
import { quietly } from '../disk/files.js';
import { takeLock } from '../disk/lock.js';
import { PacksignError, fromSystem } from '../errors.js';
import type { Database } from '../model/database.js';
import { diffDatabases } from '../model/diff.js';
import type { FileEntries } from '../model/file-entry.js';
import type { Warning } from '../model/finding.js';
import { KEYRING_NAME, SIGNATURE_COPY_NAME, UNSIGNED_NAME, signaturePath } from '../model/layout.js';
import { refreshDate, refuseMassRemoval } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import { scanDirectory } from '../places/scan.js';
import type { Published } from '../published/published.js';
import { readPublished } from '../published/read.js';
import { makeWhole } from '../published/whole.js';
import { makeCandidate } from '../release/candidate.js';
import type { BuiltCandidate, Unattended } from '../release/candidate.js';
import type { CacheStore } from '../release/digest-cache.js';
import { refuseSecrets } from '../release/secrets.js';
import { followPublication, signAndPublish } from '../release/sign-and-publish.js';
import type { SignAndPublishOptions } from '../release/sign-and-publish.js';
import { sha256Of } from '../verify/verify-database.js';
import { frozen, settingsDiffer } from './frozen-settings.js';
import { isSameDatabase, lacksSome, predecessorOf, putBack, readLast } from './last-published.js';
import type { Last } from './last-published.js';
import { SILENT, heldNotices, noticeOf, nothingToList, settingsHeld, signedNotice } from './notices.js';
import type { Notice } from './notices.js';
import type { DirectoryState } from './stability.js';

export interface Cycle {
  readonly news: readonly Notice[];
  /** `Issued` of the database that is published now. */
  readonly issued: Date | null;
  /** Whether the same may go well without anything here being changed: in a moment, or in a while. */
  readonly again: 'soon' | 'later' | 'no';
}

export interface CycleOptions extends SignAndPublishOptions {
  /** Reads the settings as they are now. Throws SETTINGS_INVALID, FILE_UNREADABLE. */
  readonly settings: () => Settings;
  readonly cache: CacheStore;
}

export interface Cycles {
  readonly take: (state: DirectoryState) => Promise<Cycle>;
  /** The settings that cycles go by. */
  readonly settings: () => Settings;
  /** What was published last; null while nothing is. */
  readonly files: () => FileEntries | null;
  /** Paths of what belongs to the publication besides database and keys: put back when it is lost. */
  readonly companions: () => readonly string[];
  /** When the published database has to be signed anew; null when never. */
  readonly refreshDate: () => Date | null;
}

interface Memory {
  last: Last | null;
  /** The directory as the last cycle left it: what has not changed since is not read again. */
  seen: Published | null;
  /** The settings that a person started with or signed. */
  accepted: Settings;
  /** Other settings that packsign.json holds now, and whether a person has published since it does. */
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
};

/** For so long after it was written to, a page may be in an editor's hands. */
const EDITING_MS = 2000;
/** How long a database that waits for signatures is left as it is. */
const REBUILD_MS = 12 * 60 * 60 * 1000;

/** Cycles over one directory: each builds, signs and publishes what may be published without a person. */
export function makeCycles(directory: string, options: CycleOptions): Cycles {
  const memory: Memory = {
    ...{ last: null, seen: null, offered: null, waiting: null },
    accepted: options.settings(),
    said: new Set(),
    saidOfPage: '[]',
  };
  const context = { ...options, directory, memory };
  const database = () => memory.last?.signed.database ?? null;
  return {
    take: (state) => runCycle(state, context),
    settings: () => memory.accepted,
    files: () => database()?.Archives ?? null,
    companions: () => {
      const sha256 = memory.last?.published.sha256() ?? null;
      return sha256 === null ? [] : [KEYRING_NAME, SIGNATURE_COPY_NAME, signaturePath(sha256)];
    },
    refreshDate: () => {
      const published = database();
      return published === null ? null : refreshDate(published.Packsign);
    },
  };
}

async function runCycle(state: DirectoryState, context: Context): Promise<Cycle> {
  const { memory } = context;
  const news: Notice[] = [];
  let again: Cycle['again'] = 'no';
  try {
    if (state.kind === 'unreadable') throw state.error;
    const unlock = takeLock(context.run.stateFolder);
    try {
      try {
        const run = { ...context.run, now: context.run.clock() };
        again = await cycle(state, { ...context, run }, news);
      } finally {
        // A hint for the next run: that it cannot be kept is no reason to forget why this one failed.
        quietly(() => context.cache.save());
      }
    } finally {
      unlock();
    }
  } catch (thrown) {
    const error = knownError(thrown);
    news.push(noticeOf(error));
    if (state.kind === 'seen' && error.code !== 'NO_ARCHIVES') {
      again = error.exitStatus === 1 ? 'later' : 'soon';
    }
  }
  return { news, issued: memory.last?.signed.database.Packsign.Issued ?? null, again };
}

// Others work in the directory too, and may take it away under a cycle at any moment: no reason to end.
function knownError(error: unknown): PacksignError {
  if (error instanceof PacksignError) return error;
  const known = fromSystem(error);
  if (known === null) throw error;
  return known;
}

type Seen = DirectoryState & { kind: 'seen' };

async function cycle(state: Seen, context: Context, news: Notice[]): Promise<Cycle['again']> {
  const { directory, memory, run } = context;
  const found = readPublished(directory, run.stateFolder, { before: memory.seen });
  const { published, mended } = await makeWhole(found, { now: run.now, others: state.scan.others });
  memory.seen = published;
  const before = memory.last;
  const isLost = before !== null && lacksSome(before, published);
  if (!isLost) memory.last = await readLast(before, published);
  const byOthers = before !== null && memory.last !== null && !isSameDatabase(memory.last, before);
  news.push(...considerSettings(context, { byOthers }));
  const candidate = await makeHolding(state, context, news);
  const { last } = memory;
  // Nothing is stable yet, or nothing may go, that a first database could list.
  if (last === null && candidate.database.Archives.size === 0) {
    if (state.unstable.size === 0 && candidate.needsApproval.length === 0)
      news.push(nothingToList(candidate));
    return 'no';
  }
  const warnings = [...unsaid(candidate, memory)];
  if (last !== null && candidate.unchanged && !candidate.refreshDue) {
    const kept = { published, last, isLost, mended };
    return await keepPublished(state, context, { ...kept, news, warnings });
  }
  const { waiting } = memory;
  if (waiting !== null && stillWaits(published, candidate, waiting)) {
    news.push(signedNotice(candidate, { missing: waiting.missing, warnings }));
    return 'no';
  }
  const outcome = await signAndPublish(published, candidate, { ...context, others: state.scan.others });
  news.push(signedNotice(candidate, await remember(outcome, { candidate, context, warnings })));
  return 'no';
}

interface Keeping {
  readonly published: Published;
  readonly last: Last;
  readonly isLost: boolean;
  readonly mended: readonly string[];
  readonly news: Notice[];
  readonly warnings: Warning[];
}

/** Nothing new is published: what was lost of the publication and of its page is put right. */
async function keepPublished(
  { scan, changed }: Seen,
  context: Context,
  { published, last, isLost, mended, news, warnings }: Keeping,
): Promise<Cycle['again']> {
  const { memory, run } = context;
  const there = isLost ? await putBack(published, last, run) : published;
  const stillSince = new Date(run.now.getTime() - EDITING_MS);
  const { published: next, page } = await followPublication(there, { ...context, stillSince });
  memory.seen = next;
  warnings.push(...unsaidOfPage(page, memory));
  refuseSecrets(next, scan.others);
  const isAnswered = !changed || news.length > 0;
  const message = isLost
    ? 'put back what was published last'
    : mended.length > 0
      ? `put back ${mended.join(', ')}`
      : page.written
        ? 'wrote the trust page'
        : null;
  if (!isAnswered || message !== null || warnings.length > 0) {
    news.push({ ...SILENT, event: 'unchanged', message, warnings });
  }
  // What others do to the page while it is written would pass for the cycle's own doing: look at it once more.
  return page.again || page.written ? 'soon' : 'no';
}

interface Remembering {
  readonly candidate: BuiltCandidate;
  readonly context: Context;
  readonly warnings: Warning[];
}

async function remember(
  { published, release }: Awaited<ReturnType<typeof signAndPublish>>,
  { candidate, context, warnings }: Remembering,
): Promise<{ readonly missing: number | null; readonly warnings: readonly Warning[] }> {
  const { memory, run } = context;
  const { database } = candidate;
  const { sha256, missing } = release;
  const signed = release.published ? await published.verified() : null;
  if (signed !== null) memory.last = { published, signed };
  memory.waiting = signed === null ? { sha256, database, missing } : null;
  const ofPage = release.warnings.filter(({ code }) => code.startsWith('PAGE_'));
  warnings.push(...unsaidOfPage({ warnings: ofPage }, memory));
  // Read back while nobody waits, so that the next cycle need not.
  memory.seen = readPublished(published.directory, run.stateFolder, { before: published });
  memory.seen.identity();
  return { missing: signed === null ? missing : null, warnings };
}

/** Whether the same was signed before and waits: others may be about to sign exactly those bytes. */
function stillWaits(
  published: Published,
  { database }: BuiltCandidate,
  waiting: NonNullable<Memory['waiting']>,
): boolean {
  const bytes = published.bytes(UNSIGNED_NAME);
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

/** Makes the next database with everything held that a person has to decide, and says so. */
async function makeHolding(state: Seen, context: Context, news: Notice[]): Promise<BuiltCandidate> {
  const { directory, memory, allowRemoved } = context;
  const predecessor = await predecessorOf(memory.last);
  const makeWith = (settings: Settings, unattended: Unattended) =>
    makeCandidate(directory, predecessor, {
      ...context,
      ...{ settings, unattended, allowed: new Map<string, string>() },
      signing: context.signers.map(({ certificate }) => certificate),
    });
  const published = predecessor.signed?.database ?? null;
  let candidate: BuiltCandidate | null = null;
  if (memory.offered?.signed === true && published !== null) {
    const { settings } = memory.offered;
    candidate = await makeWith(settings, scanAnew(directory, state, settings));
    if (settingsDiffer(published, candidate)) {
      // What the person published was made with yet other settings.
      memory.offered = { ...memory.offered, signed: false };
      news.push(settingsHeld());
      candidate = null;
    } else {
      memory.accepted = settings;
      memory.offered = null;
    }
  }
  candidate ??= await makeWith(memory.accepted, state);
  if (published !== null && settingsDiffer(published, candidate)) {
    if (!news.some(({ code }) => code === 'SETTINGS_CHANGED')) news.push(settingsHeld());
    const settings = frozen(memory.accepted, published, candidate.database);
    candidate = await makeWith(settings, { ...state, frozen: true });
  }
  news.push(...heldNotices(candidate.needsApproval));
  if (!allowRemoved) refuseMassRemoval(published, candidate.database);
  return candidate;
}

/** The same under settings that may leave out others: what was not looked at is not known to be stable. */
function scanAnew(directory: string, { scan, unstable }: Seen, { Exclude = [] }: Settings): Unattended {
  const anew = scanDirectory(directory, { exclude: Exclude });
  const known = new Set(scan.files.map(({ path }) => path));
  const fresh = anew.files.flatMap(({ path }) => (known.has(path) ? [] : [path]));
  return { scan: anew, unstable: new Set([...unstable, ...fresh]) };
}

/** Warnings of files that are left out, which were not said before. */
function unsaid({ database, needsApproval, warnings }: BuiltCandidate, memory: Memory): readonly Warning[] {
  const waiting = new Set(needsApproval.map(({ path }) => path));
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

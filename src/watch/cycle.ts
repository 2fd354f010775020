import { quietly } from '../disk/files.js';
import { withLock } from '../disk/lock.js';
import { PacksignError, exitStatusOf, fromSystem } from '../errors.js';
import { absenceRule } from '../model/absence.js';
import type { Absent, AbsenceRule } from '../model/absence.js';
import type { FileEntries } from '../model/file-entry.js';
import type { Warning } from '../model/finding.js';
import {
  CHECKSUMS_NAME,
  CHECKSUMS_NAMES,
  KEYRING_NAME,
  KEYS_NAME,
  SIGNATURE_COPY_NAME,
  signaturePath,
} from '../model/layout.js';
import { refreshDate } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import { unlistedHere } from '../places/objects.js';
import { ownChecksums } from '../places/own-checksums.js';
import type { Published } from '../published/published.js';
import { readPublished } from '../published/read.js';
import { makeWhole } from '../published/whole.js';
import { makeCandidate } from '../release/candidate.js';
import type { BuiltCandidate, Unattended } from '../release/candidate.js';
import type { FactsCache } from '../release/facts-cache.js';
import { continuedNow } from '../release/from-future.js';
import type { MadeEntries } from '../release/entry-cache.js';
import { refuseSecrets } from '../release/secrets.js';
import { followPublication, opened, signAndPublish } from '../release/sign-and-publish.js';
import type { SignAndPublishOptions } from '../release/sign-and-publish.js';
import { readWaiting } from '../release/waiting.js';
import type { Waiting } from '../release/waiting.js';
import { pause } from '../run.js';
import { trackClock } from './clock.js';
import type { WatchClock } from './clock.js';
import { frozen, scanAnew, settingsDiffer } from './frozen-settings.js';
import { makeInterruption } from './interruption.js';
import type { Interruption } from './interruption.js';
import { isSameDatabase, lacksSome, predecessorOf, putBack, readLast } from './last-published.js';
import type { Last } from './last-published.js';
import {
  SILENT,
  heldNotices,
  noticeOf,
  nothingToList,
  openNotices,
  settingsHeld,
  signedNotice,
} from './notices.js';
import { considerSettings } from './offered-settings.js';
import type { KnownSettings } from './offered-settings.js';
import { trackRecentRemovals } from './recent-removals.js';
import type { RecentRemovals } from './recent-removals.js';
import type { Notice } from './notices.js';
import type { DirectoryState } from './stability.js';
import { EDITING_MS, nothingSaid, onceEach, sayUncovered, unsaid, unsaidOfFollowers } from './unsaid.js';
import type { Said } from './unsaid.js';

export interface Cycle {
  readonly news: readonly Notice[];
  /** Files that somebody is writing. */
  readonly writing: ReadonlySet<string>;
  /** Whether it failed before it came to all files. */
  readonly isCut: boolean;
  /** `Issued` of the database that is published now. */
  readonly issued: Date | null;
  /** Whether to try the same again without a change here, and when. */
  readonly again: 'soon' | 'later' | 'no';
}

export interface CycleOptions extends SignAndPublishOptions {
  /** Reads the settings as they are now. Throws SETTINGS_INVALID, FILE_UNREADABLE. */
  readonly settings: () => Settings;
  readonly cache: FactsCache;
  /** What the user typed about listed files that are not here; null leaves it to the settings. */
  readonly absent: Absent | null;
}

export interface Cycles {
  /** Null if the signal of the run ended it. */
  readonly take: (state: DirectoryState) => Promise<Cycle | null>;
  /** The settings that cycles use. */
  readonly settings: () => Settings;
  /** What the last publication lists; null while nothing is published. */
  readonly files: () => FileEntries | null;
  /** Paths of the published files besides database and keys: cycles restore them too. */
  readonly companions: () => readonly string[];
  /** Whether a path is that of checksums that packsign wrote. */
  readonly isOwnChecksum: (path: string) => boolean;
  /** When the published database must be signed again; null for never. */
  readonly refreshDate: () => Date | null;
}

interface Memory extends Said, KnownSettings {
  last: Last | null;
  /** The directory as the last cycle left it, so that we need not read unchanged files again. */
  seen: Published | null;
  /** The entries of the last publication. */
  made: MadeEntries | null;
  /** Files that somebody was writing in the last cycle. */
  writing: ReadonlySet<string>;
  /** What was withdrawn within an hour. */
  readonly removals: RecentRemovals;
  /** Whether `SHA256SUMS` was packsign's own when the last cycle ended. */
  ownsChecksums: boolean;
}

type Context = CycleOptions &
  Pick<Interruption, 'whole'> & {
    readonly directory: string;
    readonly memory: Memory;
    readonly clock: WatchClock;
  };

/** Cycles over one directory: each builds, signs and publishes everything that needs no person's approval. */
export function makeCycles(directory: string, options: CycleOptions): Cycles {
  const memory: Memory = {
    ...{ last: null, seen: null, made: null, offered: null },
    accepted: options.settings(),
    ...nothingSaid(),
    writing: new Set(),
    removals: trackRecentRemovals(() => options.run.clock().getTime()),
    ownsChecksums: false,
  };
  const run = { ...options.run, warn: onceEach(options.run.warn) };
  const context = { ...options, run, directory, memory, clock: trackClock(run) };
  const database = () => memory.last?.signed.database ?? null;
  return {
    take: (state) => runCycle(state, context),
    settings: () => memory.accepted,
    files: () => database()?.Files ?? null,
    companions: () => {
      const sha256 = memory.last?.published.sha256() ?? null;
      if (sha256 === null) return [];
      const checksums = memory.accepted.Checksums === true ? CHECKSUMS_NAMES : [];
      return [KEYRING_NAME, SIGNATURE_COPY_NAME, signaturePath(sha256), ...checksums];
    },
    isOwnChecksum: (path) => memory.ownsChecksums && CHECKSUMS_NAMES.includes(path),
    refreshDate: () => {
      const published = database();
      return published === null ? null : refreshDate(published.Packsign);
    },
  };
}

async function runCycle(state: DirectoryState, given: Omit<Context, 'whole'>): Promise<Cycle | null> {
  const { memory } = given;
  const { signal } = given.run;
  const { end, whole } = makeInterruption(signal);
  const context = { ...given, whole };
  const news: Notice[] = [];
  let [again, isCut]: [Cycle['again'], boolean] = ['no', false];
  try {
    if (state.kind === 'unreadable') throw state.error;
    again = await withLock(context.run, async () => {
      try {
        const run = context.clock.read();
        const checksums = memory.accepted.Checksums === true;
        const next = await end(cycle(state, { ...context, run, checksums }, news));
        context.clock.went();
        return next;
      } finally {
        // The next run is only slower without the cache; that must not hide why this one failed.
        quietly(() => context.cache.save());
      }
    });
  } catch (thrown) {
    const isWaiting = thrown instanceof PacksignError && thrown.code === 'LOCKED';
    if (signal.aborted && (isWaiting || thrown === signal.reason)) return null;
    // Others work in the directory too, and may take it away at any moment: that does not end the watch.
    const error = thrown instanceof PacksignError ? thrown : fromSystem(thrown);
    if (error === null) throw thrown;
    news.push(noticeOf(error));
    isCut = true;
    if (state.kind === 'seen' && error.code !== 'NOTHING_TO_LIST') {
      again = exitStatusOf(error) === 1 && error.code !== 'CLOCK_DOUBTFUL' ? 'later' : 'soon';
    }
  }
  memory.ownsChecksums =
    memory.accepted.Checksums === true && ownChecksums(context.directory).includes(CHECKSUMS_NAME);
  return {
    news,
    writing: memory.writing,
    isCut,
    issued: memory.last?.signed.database.Packsign.Issued ?? null,
    again,
  };
}

type Seen = DirectoryState & { kind: 'seen' };

async function cycle(state: Seen, context: Context, news: Notice[]): Promise<Cycle['again']> {
  const { directory, memory, run, whole } = context;
  await pause(run);
  const found = memory.seen?.again() ?? readPublished(directory, run.stateFolder);
  const { published, mended } = await whole(() =>
    makeWhole(found, { ...run, ...unlistedHere(state.scan, run) }),
  );
  await pause(run);
  memory.seen = published;
  const before = memory.last;
  const isLost = before !== null && lacksSome(before, published);
  if (!isLost) memory.last = await readLast(before, published, { settings: memory.accepted, run });
  const byOthers = before !== null && memory.last !== null && !isSameDatabase(memory.last, before);
  if (before === null && memory.last !== null) memory.removals.start(memory.last.signed.database);
  if (byOthers) memory.removals.forget();
  news.push(...considerSettings(context.settings, memory, byOthers), ...openNotices(state.longOpen));
  const candidate = await makeHolding(
    state,
    { ...context, waiting: await readWaiting(published, run) },
    news,
  );
  const again = sayUncovered(candidate, context, news) ? 'no' : 'soon';
  const { last } = memory;
  // A first database needs a file that is stable and approved.
  if (last === null && candidate.database.Files.size === 0) {
    if (state.unstable.size === 0 && candidate.needsApproval.length === 0)
      news.push(nothingToList(candidate));
    return again;
  }
  const warnings = unsaid(candidate, memory);
  if (last !== null && candidate.unchanged && !candidate.refreshDue) {
    const kept = await keepPublished(state, context, {
      published,
      last,
      candidate,
      isLost,
      mended,
      news,
      warnings,
    });
    return kept === 'no' ? again : kept;
  }
  const { waiting } = candidate;
  if (waiting !== null && waitsForOthers(waiting, context)) {
    news.push(signedNotice(candidate, { waiting, warnings }));
    return again;
  }
  const outcome = await signAndPublish(published, candidate, {
    ...context,
    searchable: candidate.inventory,
    absence: absenceOf(context),
    collected: waiting?.signatures ?? null,
  });
  news.push(signedNotice(candidate, await remember(outcome, { candidate, context, warnings })));
  return again;
}

interface Keeping {
  readonly published: Published;
  readonly last: Last;
  readonly candidate: BuiltCandidate;
  readonly isLost: boolean;
  readonly mended: readonly string[];
  readonly news: Notice[];
  readonly warnings: Warning[];
}

/** Publishes nothing new, and restores what somebody removed or damaged of the publication and its page. */
async function keepPublished(
  { changed }: Seen,
  context: Context,
  { published, last, candidate, isLost, mended, news, warnings }: Keeping,
): Promise<Cycle['again']> {
  const { memory, run, whole } = context;
  memory.made = candidate.made();
  const there = isLost ? await whole(() => putBack(published, last, run)) : published;
  const stillSince = new Date(run.now.getTime() - EDITING_MS);
  // The last publication is verified, so do not read it again for its checksums.
  const followed = await whole(() =>
    followPublication(there.with({}, last.signed), { ...opened(context), stillSince }),
  );
  const { published: next, page, checksums } = followed;
  memory.seen = next;
  warnings.push(...unsaidOfFollowers(followed.warnings, memory));
  await refuseSecrets(next, candidate.inventory, { ...context, remember: true });
  const isAnswered = !changed || news.length + candidate.needsApproval.length > 0;
  const message = isLost
    ? 'put back what was published last'
    : mended.length > 0
      ? `put back ${mended.join(', ')}`
      : page.written
        ? 'wrote the trust page'
        : checksums.written
          ? `wrote ${CHECKSUMS_NAME}`
          : null;
  if (!isAnswered || message !== null || warnings.length > 0) {
    news.push({ ...SILENT, event: 'unchanged', message, warnings });
  }
  // Others may have changed them while we wrote, which looks like our own change: look once more.
  return page.again || page.written || checksums.written ? 'soon' : 'no';
}

interface Remembering {
  readonly candidate: BuiltCandidate;
  readonly context: Context;
  readonly warnings: Warning[];
}

async function remember(
  { published, release }: Awaited<ReturnType<typeof signAndPublish>>,
  { candidate, context, warnings }: Remembering,
): Promise<Parameters<typeof signedNotice>[1]> {
  const { memory } = context;
  const { database } = candidate;
  const signed = release.published ? await published.verified() : null;
  if (signed !== null) {
    if (memory.last !== null) memory.removals.published(candidate.update);
    memory.last = { published, signed };
    memory.made = candidate.made();
  }
  const ofFollowers = release.warnings.filter(({ code }) => /^(?:PAGE|CHECKSUMS)_/.test(code));
  warnings.push(...unsaidOfFollowers(ofFollowers, memory));
  // Read it now, while nobody waits, and not in the next cycle.
  memory.seen = published.again();
  memory.seen.identity();
  memory.seen.bytes(KEYS_NAME);
  return { waiting: signed === null ? { ...release, database } : null, warnings };
}

/** Whether nothing is left to do here for a waiting database: others may be about to sign exactly those bytes. */
function waitsForOthers({ signers, missing }: Waiting, { signers: signing }: Context): boolean {
  return missing > 0 && signing.every(({ fingerprint }) => signers.includes(fingerprint));
}

/** The settings may change while it runs, and what the user typed does not. */
function absenceOf({ memory, absent }: Context): AbsenceRule {
  return absenceRule(memory.accepted, { absent, previous: null });
}

/** Makes the next database without the changes that a person has to approve, and adds notices about those. */
async function makeHolding(
  state: Seen,
  context: Context & { readonly waiting: Waiting | null },
  news: Notice[],
): Promise<BuiltCandidate> {
  const { directory, memory } = context;
  const found = await predecessorOf(memory.last);
  const address = memory.accepted.Database ?? found.signed?.database.Packsign.Database ?? null;
  const predecessor = await continuedNow(found, { run: context.run, address, isSigning: true });
  const makeWith = (settings: Settings, unattended: Unattended) =>
    makeCandidate(directory, predecessor, {
      ...context,
      ...{ settings, unattended, allowed: new Map<string, string>(), made: memory.made },
      renew: predecessor.signed !== found.signed,
      absence: absenceOf(context),
      signing: context.signers.map(({ certificate }) => certificate),
    });
  const published = predecessor.signed?.database ?? null;
  let candidate: BuiltCandidate | null = null;
  if (memory.offered?.signed === true && published !== null) {
    const { settings } = memory.offered;
    candidate = await makeWith(settings, scanAnew(directory, state, { settings, run: context.run }));
    if (settingsDiffer(published, candidate)) {
      // The person published with yet other settings.
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
  news.push(...heldNotices(candidate.needsApproval, published));
  memory.writing = new Set([...state.unstable, ...candidate.inventory.moving]);
  memory.removals.refuse(candidate.update, absenceOf(context));
  return candidate;
}

import { randomBytes } from 'node:crypto';
import { PacksignError } from '../errors.js';
import { databaseAddress } from '../model/address.js';
import { judgeClock, judgeServed, nextReading } from '../model/clock.js';
import type { ClockDoubt, ClockEvidence, ClockJudgement, ClockReading, ServedTime } from '../model/clock.js';
import { formatInstant } from '../model/time.js';
import { withNetwork } from '../net/transport.js';
import { steadyTime } from '../disk/steady-time.js';
import type { ScannedFile } from '../places/scan.js';
import type { Run } from '../run.js';
import { isRecord, readState, writeState } from './state-file.js';
import type { StateFile } from './state-file.js';

const FILE: StateFile<ClockReading> = { name: 'clock', kind: 'packsign-clock 1', isValid: isReading };
/** How long a server may take to say what time it is. */
const PATIENCE_MS = 3000;
/** How often a watch that publishes nothing notes its clock. */
const NOTE_MS = 60 * 60 * 1000;
const OF_A_CACHE = /^via$|^x-served-by$|cache(?!-control$)/;

export type ClockRun = Pick<Run, 'now' | 'nowFrom' | 'steady' | 'since' | 'stateFolder' | 'network'>;

export interface ClockContext {
  readonly run: ClockRun;
  /** The database's own place; null if it has none. */
  readonly address: string | null;
  readonly newest?: ClockEvidence['newest'];
  /** Whether a key is about to sign: only then a server is asked. */
  readonly isSigning: boolean;
  /** Whether it only tells what signing would do, and writes nothing. */
  readonly isCheck?: boolean;
}

/**
 * Refuses to go on while evidence speaks against the clock. Asks the server of the database if this machine cannot tell by
 * itself. Returns what notes the reading, to be called when all that is dated by it is done, because it takes a moment.
 * Throws CLOCK_DOUBTFUL.
 */
export async function requireClock(context: ClockContext): Promise<() => void> {
  const { noteIt } = await settleClock(context, judgeHere(context));
  return noteIt;
}

/**
 * The same, and tells whether the clock is certainly right, so that it may outweigh a published date: a person says so,
 * or the server does, over https. Plain http does not count: an attacker who can set this clock over the network can also
 * answer for the server. The note only shows that the clock has not moved.
 */
export async function isClockConfirmed(context: ClockContext): Promise<boolean> {
  const { run, address } = context;
  if (run.nowFrom === 'given date' || (run.nowFrom === 'clock' && !context.isSigning)) return false;
  const here = judgeHere(context);
  const { isServed, noteIt } = await settleClock(context, here.kind === 'right' ? { kind: 'unknown' } : here);
  noteIt();
  return run.nowFrom === 'trusted clock' || (isServed && /^https:/i.test(address ?? ''));
}

/** Of a watch: the reading to compare the next ones with, and now and then the note. Asks nobody. */
export function keepReading(run: ClockRun): ClockReading | null {
  const here = judgeHere({ run });
  const now = readingOf(run);
  if (here.kind === 'doubtful') return run.since;
  const noted = readState(run.stateFolder, FILE);
  const isOld = here.kind === 'right' && noted !== null && now.wallMs - noted.wallMs > NOTE_MS;
  if (isOld || run.nowFrom === 'trusted clock') note(run, noted);
  return run.nowFrom === 'trusted clock' ? now : nextReading(run.since, now);
}

/** The file that was changed last, by the kernel's clock. */
export function newestOf(files: readonly ScannedFile[]): ClockEvidence['newest'] {
  const [first, ...rest] = files;
  if (first === undefined) return null;
  const newest = rest.reduce((a, b) => (b.identity.changed > a.identity.changed ? b : a), first);
  return { path: newest.path, atMs: Number(newest.identity.changed / 1_000_000n) };
}

/** The judgement of this machine alone. A date that a person gave is none of a clock, and a trusted clock is right. */
function judgeHere({ run, newest = null }: Pick<ClockContext, 'run' | 'newest'>): ClockJudgement {
  if (run.nowFrom !== 'clock') return { kind: 'right' };
  const noted = readState(run.stateFolder, FILE);
  return judgeClock(readingOf(run), { noted, since: run.since, newest });
}

interface Settled {
  /** Whether a server says that the clock is right. */
  readonly isServed: boolean;
  readonly noteIt: () => void;
}

async function settleClock(context: ClockContext, here: ClockJudgement): Promise<Settled> {
  const { run, address, isSigning, isCheck = false } = context;
  const isAsked = here.kind !== 'right' && isSigning && run.nowFrom === 'clock' && address !== null;
  const served = isAsked ? await askServer(address, run) : null;
  const answer = served?.kind === 'unknown' ? null : served;
  const judgement = answer ?? here;
  if (judgement.kind === 'doubtful') throw doubtful(judgement, context);
  const isSure = answer !== null || run.nowFrom === 'trusted clock';
  const isNoted = !isCheck && (isSigning || run.nowFrom === 'trusted clock');
  const noteIt = () => {
    if (isNoted && run.nowFrom !== 'given date') note(run, isSure ? null : readState(run.stateFolder, FILE));
  };
  return { isServed: answer !== null, noteIt };
}

/** Null if it says nothing. Whatever goes wrong here must not keep anybody from signing. */
async function askServer(address: string, run: ClockRun): Promise<ClockJudgement | null> {
  if (!/^https?:/i.test(address)) return null;
  const url = new URL(databaseAddress(address));
  // An address that no cache has seen.
  if (url.search === '') url.search = `?again=${randomBytes(6).toString('hex')}`;
  const served = await withNetwork({ ...run.network, patienceMs: PATIENCE_MS }, async (network) => {
    const reply = await network.get(url.href, { fresh: true });
    if (reply.kind === 'found') reply.cancel();
    return reply.kind === 'unchanged' ? null : servedTime(reply.headers ?? {});
  }).catch(() => null);
  if (served === null) return null;
  // The answer is about this moment, and not about the one that `now` was read in.
  const sinceMs = steadyTime().upMs - run.steady.upMs;
  return judgeServed(readingOf(run), { ...served, dateMs: served.dateMs - sinceMs });
}

function servedTime(headers: Readonly<Record<string, string>>): ServedTime | null {
  const dateMs = Date.parse(headers['date'] ?? '');
  if (Number.isNaN(dateMs)) return null;
  const age = headers['age'] ?? '';
  const ageMs = /^\d{1,9}$/.test(age) ? Number(age) * 1000 : 0;
  return { dateMs, ageMs, isCached: ageMs > 0 || Object.keys(headers).some((name) => OF_A_CACHE.test(name)) };
}

function readingOf({ now, steady }: ClockRun): ClockReading {
  return { ...steady, wallMs: now.getTime() };
}

function note(run: ClockRun, last: ClockReading | null): void {
  writeState(run.stateFolder, FILE, nextReading(last, readingOf(run)));
}

const SET_THE_CLOCK =
  'set the clock: timedatectl set-ntp true, or date with the right time; if it is right, for instance after a virtual machine was paused, add --trust-clock';

function doubtful(
  { by, otherMs }: ClockDoubt,
  { run, newest, address }: Omit<ClockContext, 'isSigning'>,
): PacksignError {
  const other = formatInstant(new Date(otherMs));
  const why = {
    uptime: `by its uptime since packsign last read the clock, it is ${other}`,
    note: `something was published from here at ${other}`,
    file: `${newest?.path ?? 'a file'} was changed at ${other}`,
    server: `${new URL(address ?? 'http://unknown').host} says that it is ${other}`,
  };
  return new PacksignError(
    'CLOCK_DOUBTFUL',
    `this machine's clock says ${formatInstant(run.now)}, but ${why[by]}`,
    { hint: SET_THE_CLOCK },
  );
}

function isReading(value: unknown): value is ClockReading {
  return (
    isRecord(value) &&
    typeof value['boot'] === 'string' &&
    Number.isFinite(value['upMs']) &&
    Number.isFinite(value['wallMs'])
  );
}

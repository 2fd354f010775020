import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PacksignError, systemCode } from '../errors.js';
import {
  listFolder,
  makeFolder,
  quietly,
  removeQuietly,
  removeTemporaries,
  underLock,
  unwritable,
} from './files.js';
import { noFolder, obstacleTo } from './obstacle.js';
import {
  beat,
  claimPath,
  disown,
  giveUp,
  isClaimed,
  isHeld,
  isMine,
  makeLockFile,
  readLockFile,
  timeOfDisk,
  unusable,
} from './lock-file.js';
import type { LockFile, Made } from './lock-file.js';
import { lifeOf } from './owner.js';

/** Where the lock is, and how long to wait for it. */
export interface LockPlace {
  readonly stateFolder: string;
  readonly waitMs: number;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
}

/** A lock that this process holds. */
export interface Held {
  /** To be called before each change. Throws LOCK_LOST if another process took over, FILE_UNWRITABLE. */
  readonly check: () => void;
  /** Never throws, so that it hides no error; a later run takes over a lock that cannot be removed. */
  readonly release: () => void;
  /** What `check` threw, if the work went on without that file. */
  readonly lost: () => PacksignError | null;
}

/** The lock in a folder of working state. */
export interface LockStatus {
  readonly path: string;
  /** Null if its owner has not written who it is. */
  readonly pid: number | null;
  readonly host: string | null;
  readonly since: Date;
  readonly state: 'held' | 'dead';
}

const BEAT_MS = 5000;
/** Longer than a process needs to take over; others only fail to get a lock that changes hands all the time. */
const TURMOIL_MS = 5000;

/**
 * Works under the one lock that all writing commands share. Takes over the lock of a dead owner. Throws LOCKED if its
 * owner lives after the wait, LOCK_LOST, FILE_UNREADABLE, FILE_UNWRITABLE.
 */
export async function withLock<T>(place: LockPlace, work: () => Promise<T>): Promise<T> {
  const held = await takeLock(place);
  try {
    const result = await underLock(held.check, work);
    const lost = held.lost();
    if (lost !== null) throw lost;
    return result;
  } finally {
    held.release();
  }
}

/** For `withLock`, and for tests, which let time pass at each `step`. */
export async function takeLock(
  { stateFolder, waitMs, signal }: LockPlace,
  step: () => void = () => undefined,
): Promise<Held> {
  makeFolder(stateFolder);
  const lock = join(stateFolder, 'lock');
  const beginMs = performance.now();
  for (;;) {
    const attempt = tryToTake(lock, { step, nowMs: () => timeOfDisk(stateFolder) });
    if (attempt.kind === 'taken') return hold(stateFolder, attempt.made, step);
    const patienceMs = attempt.kind === 'held' ? waitMs : Math.max(waitMs, TURMOIL_MS);
    if (signal.aborted || performance.now() - beginMs >= patienceMs) {
      throw locked(lock, attempt.kind === 'held' ? attempt.by : null);
    }
    // Processes that wait for the same lock should not all look at the same time.
    await sleep(20 + Math.random() * 60, undefined, { signal }).catch(() => undefined);
  }
}

/** The lock of a folder, for a command that writes nothing; null if there is none. Throws FILE_UNREADABLE. */
export function lockStatus(stateFolder: string, clock: () => Date): LockStatus | null {
  const obstacle = obstacleTo(stateFolder);
  if (obstacle !== null) throw noFolder(obstacle, 'FILE_UNREADABLE');
  const file = readLockFile(join(stateFolder, 'lock'));
  if (file === null) return null;
  const { path, since, owner } = file;
  const state = isHeld(file, () => clock().getTime()) ? 'held' : 'dead';
  return { path, pid: owner?.pid ?? null, host: owner?.host ?? null, since, state };
}

type Attempt =
  | { readonly kind: 'taken'; readonly made: Made }
  | { readonly kind: 'held'; readonly by: LockFile }
  /** The files changed meanwhile: look again. */
  | { readonly kind: 'moved' };

interface Circumstances {
  readonly step: () => void;
  readonly nowMs: () => number;
}

/**
 * Makes the lock, or takes over that of a dead owner. Needs no hard links, only files that one process alone can make,
 * and renames. Why only one process gets it: each lock and claim has a token of its own, and nobody replaces or removes
 * the lock T but the one who made the claim `lock.T`. If the owner C of a claim is dead as well, `lock.C` is the claim
 * on the claim, and so on. Who has made the last claim of such a chain looks at the rest of it again: a claim may have
 * been free because the takeover is over. The claim becomes the new lock, so both have the same owner and token.
 */
function tryToTake(lock: string, { step, nowMs }: Circumstances): Attempt {
  const dead: LockFile[] = [];
  for (let path = lock; ;) {
    if (dead.some((file) => file.path === path)) throw unusable(path, `${path} is a claim on itself`);
    step();
    const made = makeLockFile(path);
    step();
    if (made !== null) return confirm(lock, made, { dead, step, nowMs });
    const found = readLockFile(path);
    step();
    if (found === null) return { kind: 'moved' };
    if (isHeld(found, nowMs)) return { kind: 'held', by: found };
    dead.push(found);
    path = claimPath(lock, found.token);
  }
}

function confirm(
  lock: string,
  made: Made,
  { dead, step, nowMs }: Circumstances & { readonly dead: readonly LockFile[] },
): Attempt {
  const isStillDead = (file: LockFile) => {
    const now = readLockFile(file.path);
    return now?.text === file.text && now.token === file.token && !isHeld(now, nowMs);
  };
  try {
    if (dead.every(isStillDead) && isMine(lock, made)) {
      step();
      if (dead.length === 0) return { kind: 'taken', made };
      renameSync(made.path, lock);
      step();
      for (const { path } of dead.slice(1)) removeQuietly(path);
      return { kind: 'taken', made: { ...made, path: lock } };
    }
  } catch (error) {
    release(lock, made);
    if (systemCode(error) !== 'ENOENT') throw unwritable(lock, error);
  }
  release(lock, made);
  return { kind: 'moved' };
}

function hold(stateFolder: string, made: Made, step: () => void): Held {
  const lock = made.path;
  let lost: PacksignError | null = null;
  const timer = setInterval(() => {
    quietly(() => beat(made));
  }, BEAT_MS);
  // A process with nothing else to do ends.
  timer.unref();
  quietly(() => sweep(stateFolder, made));
  return {
    check: () => {
      if (lost === null && isMine(lock, made)) return;
      lost ??= lockLost(made);
      throw lost;
    },
    release: () => {
      clearInterval(timer);
      step();
      release(lock, made);
    },
    lost: () => lost,
  };
}

/** Removes a lock or claim of this process, unless another one may be about to replace it. Never throws. */
function release(lock: string, made: Made): void {
  let [claim, isFree]: [Made | null, boolean] = [null, true];
  try {
    claim = makeLockFile(claimPath(lock, made.token));
    // Another process may believe that this one is dead.
    isFree = claim !== null && !isClaimed(lock, made.emptyToken);
  } catch {
    // On a full disk, files can still be removed.
  }
  if (isFree) giveUp(made);
  else disown(lock, made);
  if (claim !== null) giveUp(claim);
}

/** Takes away what killed runs left in the folder of working state. */
function sweep(stateFolder: string, { path, token }: Made): void {
  removeTemporaries(stateFolder, { isLocked: true });
  for (const name of listFolder(stateFolder)) {
    const file = join(stateFolder, name);
    if (/^lock\.[0-9a-f]{32}$/.test(name) && file !== claimPath(path, token)) removeQuietly(file);
  }
}

function locked(lock: string, by: LockFile | null): PacksignError {
  const since = by === null ? '' : ` since ${by.since.toISOString().slice(0, 19)}Z`;
  const isHidden = by !== null && (by.owner === null || lifeOf(by.owner) === 'unknown');
  const otherwise = isHidden
    ? 'if it is gone, packsign takes over after a minute'
    : `if you are sure that it is gone, remove ${lock}`;
  return new PacksignError('LOCKED', `${nameOf(by)} has been at work here${since}`, {
    hint: `wait until it is done; ${otherwise}`,
  });
}

function lockLost({ path, token }: Made): PacksignError {
  const by = readLockFile(path);
  // With our token, it is still ours, but claimed.
  const other = nameOf(by?.token === token ? null : by);
  const message =
    by === null
      ? `somebody removed ${path} while packsign was at work`
      : `${other} took over the work here, because this one was stopped for too long`;
  return new PacksignError('LOCK_LOST', message, {
    hint: 'run the same command again: it finishes what is missing',
  });
}

function nameOf(file: LockFile | null): string {
  const { owner = null } = file ?? {};
  return owner === null ? 'another packsign' : `packsign with process number ${owner.pid} on ${owner.host}`;
}

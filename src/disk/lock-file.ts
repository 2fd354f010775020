import { createHash, randomBytes } from 'node:crypto';
import { constants, fstatSync, lstatSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { PacksignError, reasonOf, systemCode } from '../errors.js';
import { READ_FLAGS, closing, quietly, readAt, removeQuietly, unwritable } from './files.js';
import { temporaryPath } from './temporaries.js';
import { isText, lifeOf, readOwner, thisProcess } from './owner.js';
import type { Owner } from './owner.js';

/** A lock, or the claim of somebody who takes one over, as a process found it. */
export interface LockFile {
  readonly path: string;
  readonly text: string;
  /** Null if it does not say, or not as this version of packsign does. */
  readonly owner: Owner | null;
  /** Whether its maker wrote all of it. */
  readonly isWhole: boolean;
  /** Whether its maker is done, and left it because somebody had claimed it. */
  readonly isGivenUp: boolean;
  /** Names this one file, and the claim on it; if it holds none, made from its name, content and date. */
  readonly token: string;
  readonly since: Date;
  /** By the clock of the file system, as every date here: those of the machines that share a disk may differ. */
  readonly writtenMs: number;
}

/** A lock or claim that this process made. */
export interface Made {
  readonly path: string;
  readonly text: string;
  readonly token: string;
  /** The token that it had for others before it was written. */
  readonly emptyToken: string;
}

const LIMIT_BYTES = 4096;
const TOKEN = /^[0-9a-f]{32}$/;
/** How long a maker may take to write what it made, which is one call: less than others wait, and a slower one notices and begins anew. */
const UNWRITTEN_MS = 3000;
/** How long an owner may be busy without a sign of life. */
const SILENT_MS = 60_000;
/** Tokens of files that this process gave up and could not remove. */
const leftBehind = new Set<string>();

/** The claim on the file with a token. */
export function claimPath(lock: string, token: string): string {
  return `${lock}.${token}`;
}

/** Makes a lock or claim of this process; null if there is a file. Throws FILE_UNWRITABLE. */
export function makeLockFile(path: string): Made | null {
  try {
    const fd = openSync(path, 'wx', 0o644);
    try {
      return closing(fd, () => {
        const { mtimeMs } = fstatSync(fd);
        const token = randomBytes(16).toString('hex');
        const text = JSON.stringify({ ...thisProcess(), since: new Date(mtimeMs), token });
        write(fd, text);
        return { path, text, token, emptyToken: tokenFrom(path, '', mtimeMs) };
      });
    } catch (error) {
      removeQuietly(path);
      throw error;
    }
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return null;
    throw unwritable(path, error);
  }
}

/** Null if there is none. Throws FILE_UNREADABLE for what cannot be a lock. */
export function readLockFile(path: string): LockFile | null {
  const found = open(path, READ_FLAGS);
  if (found === null) return null;
  // Opened anew each time, because only that makes a network file system ask for the present date.
  const { text, writtenMs } = closing(found, () => read(found, path));
  const told = parse(text);
  const token = isText(told.token) && TOKEN.test(told.token) ? told.token : null;
  const since = new Date(isText(told.since) ? told.since : Number.NaN);
  const owner = token === null || Number.isNaN(since.getTime()) ? null : readOwner(told);
  return {
    ...{ path, text, writtenMs, owner },
    isWhole: told !== UNTOLD,
    isGivenUp: told.isGivenUp === true,
    token: token ?? tokenFrom(path, text, writtenMs),
    since: owner === null ? new Date(writtenMs) : since,
  };
}

/** Whether its owner is at work. `nowMs`: the time of the file system. */
export function isHeld(file: LockFile, nowMs: () => number): boolean {
  // A date far ahead is no sign of life either: the clock was wrong.
  const isRecent = (limitMs: number) => Math.abs(nowMs() - file.writtenMs) <= limitMs;
  if (file.isGivenUp || leftBehind.has(file.token)) return false;
  // What this version cannot read may be the lock of a newer one.
  if (file.owner === null) return isRecent(file.isWhole ? SILENT_MS : UNWRITTEN_MS);
  const life = lifeOf(file.owner);
  return life === 'unknown' ? isRecent(SILENT_MS) : life === 'alive';
}

/** The date of a file that is made now. Throws FILE_UNWRITABLE. */
export function timeOfDisk(folder: string): number {
  const path = temporaryPath(folder);
  try {
    const fd = openSync(path, 'wx');
    return closing(fd, () => fstatSync(fd).mtimeMs);
  } catch (error) {
    throw unwritable(path, error);
  } finally {
    removeQuietly(path);
  }
}

/** A sign of life: the same content again, so that the file system dates it now. False if the file is another's by now. */
export function beat(made: Made): boolean {
  return overwrite(made, made.text);
}

/**
 * Whether a file is this process's, and will be for as long as others may believe in it. The order matters: who claimed
 * it before we look has won, and who claims it later sees the sign of life, and takes the claim back.
 */
export function isMine(lock: string, made: Made): boolean {
  if (!beat(made)) return false;
  // Others may have seen it before it was written.
  if (isClaimed(lock, made.token) || isClaimed(lock, made.emptyToken)) return false;
  return readLockFile(made.path)?.text === made.text;
}

/** Whether a process has claimed the file with a token. Throws FILE_UNWRITABLE. */
export function isClaimed(lock: string, token: string): boolean {
  try {
    return lstatSync(claimPath(lock, token), { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw unwritable(lock, error);
  }
}

/** Removes a file that this process made, unless another one is in its place. Never throws. */
export function giveUp({ path, text, token }: Made): void {
  leftBehind.add(token);
  quietly(() => {
    if (readLockFile(path)?.text === text) unlinkSync(path);
    leftBehind.delete(token);
  });
}

/**
 * Makes a file one that nobody owns, without removing it: another process may be about to replace it. The token stays the
 * one that was claimed, so that nobody can make a second claim. Never throws.
 */
export function disown(lock: string, made: Made): void {
  leftBehind.add(made.token);
  quietly(() => {
    const token = isClaimed(lock, made.emptyToken) ? made.emptyToken : made.token;
    overwrite(made, JSON.stringify({ isGivenUp: true, token }).padEnd(made.text.length));
  });
}

/** Others replace a file and never write into it, so this never overwrites theirs. */
function overwrite({ path, text }: Made, by: string): boolean {
  const fd = open(path, READ_FLAGS | constants.O_RDWR);
  if (fd === null) return false;
  return closing(fd, () => {
    if (read(fd, path).text !== text) return false;
    try {
      write(fd, by);
    } catch (error) {
      throw unwritable(path, error);
    }
    return true;
  });
}

/** In one call, so that nobody reads half of it. */
function write(fd: number, text: string): void {
  if (writeSync(fd, text, 0) < text.length) throw new Error('the disk took only a part');
}

function open(path: string, flags: number): number | null {
  try {
    return openSync(path, flags);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return null;
    if (code === 'ELOOP') throw unusable(path, `${path} is a link`);
    if (code === 'EISDIR' || code === 'ENXIO') throw unusable(path, `${path} is not a regular file`);
    if ((flags & constants.O_RDWR) !== 0) throw unwritable(path, error);
    throw unreadable(path, error);
  }
}

function read(fd: number, path: string): { readonly text: string; readonly writtenMs: number } {
  const stats = fstatSync(fd);
  if (!stats.isFile()) throw unusable(path, `${path} is not a regular file`);
  if (stats.size > LIMIT_BYTES) throw unusable(path, `${path} is larger than ${LIMIT_BYTES} bytes`);
  try {
    return { text: readAt(fd, 0, Buffer.alloc(LIMIT_BYTES)).toString(), writtenMs: stats.mtimeMs };
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** It may be the lock of another user, whose files are for nobody else to read. */
function unreadable(path: string, error: unknown): PacksignError {
  return new PacksignError('FILE_UNREADABLE', `cannot read ${path}: ${reasonOf(error)}`, {
    hint: `if no packsign is at work here, remove ${path}`,
  });
}

/** What cannot be a lock is not taken over: a file found is not a file made (threat T35). */
export function unusable(path: string, message: string): PacksignError {
  return new PacksignError('FILE_UNREADABLE', message, {
    hint: `if no packsign is at work here, remove ${path}; packsign did not make it`,
  });
}

function tokenFrom(path: string, text: string, writtenMs: number): string {
  return createHash('sha256')
    .update(`${basename(path)} ${writtenMs} ${text}`)
    .digest('hex')
    .slice(0, 32);
}

type Told = Readonly<Partial<Record<keyof Owner | 'since' | 'token' | 'isGivenUp', unknown>>>;

const UNTOLD: Told = {};

function parse(text: string): Told {
  try {
    return (JSON.parse(text) as Told | null) ?? UNTOLD;
  } catch {
    return UNTOLD;
  }
}

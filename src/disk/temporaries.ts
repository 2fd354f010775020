import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, readFileSync, readlinkSync, readdirSync, unlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { systemCode } from '../errors.js';

/** The process that made the file, where it runs, and something random. */
const NAME = /^\.packsign-([0-9a-f]{6})([0-9a-f]{4})[0-9a-f]{6}\.tmp$/;
/** No write takes as long. */
const OLD_MS = 10 * 60 * 1000;
/** When a folder was changed last, as this process left it: nobody else has been there since. */
const swept = new Map<string, number>();

/** A new path in a folder. Its name says who makes the file, so that a later run can tell whether that process is dead. */
export function temporaryPath(folder: string): string {
  const pid = process.pid.toString(16).padStart(6, '0').slice(-6);
  return join(folder, `.packsign-${pid}${here()}${randomBytes(3).toString('hex')}.tmp`);
}

export interface SweepOptions {
  /** Whether the caller has the lock of the folder, so that files made on other machines are leftovers too. */
  readonly isLocked?: boolean;
  /** Names in the folder, if known. */
  readonly names?: readonly string[];
  /** Whether folders are meant in place of files. */
  readonly areFolders?: boolean;
}

/** Removes the temporary files that killed runs left in a folder. Never throws: no work depends on it. */
export function removeTemporaries(folder: string, options: SweepOptions = {}): void {
  for (const path of leftTemporaries(folder, options)) removeQuietly(path);
  rememberSwept(folder);
}

/** The same, if anybody else has changed the folder meanwhile: to list a large one takes time. */
export function removeNewTemporaries(folder: string): void {
  if (swept.get(folder) !== changedMs(folder)) removeTemporaries(folder);
}

/** To be called after a change by this process. */
export function rememberSwept(folder: string): void {
  swept.set(folder, changedMs(folder));
}

function changedMs(folder: string): number {
  return statsOf(folder)?.mtimeMs ?? 0;
}

/** Paths of the temporary files, or folders, that killed runs left in a folder. */
export function leftTemporaries(folder: string, options: SweepOptions = {}): readonly string[] {
  const { names = namesIn(folder) } = options;
  return names.filter((name) => isLeft(folder, name, options)).map((name) => join(folder, name));
}

function isLeft(
  folder: string,
  name: string,
  { isLocked = false, areFolders = false }: SweepOptions,
): boolean {
  const [, pid = '', where = ''] = NAME.exec(name) ?? [];
  if (pid === '') return false;
  const stats = statsOf(join(folder, name));
  if (stats === null || !(areFolders ? isOurFolder(stats) : isOurs(stats))) return false;
  // A folder is in use for longer than a write, also by this process.
  const isUsed = areFolders ? isRunning : isAtWork;
  if (where === here()) return !isUsed(Number.parseInt(pid, 16));
  // The time of the folder is that of its last change, by the clock of its own machine.
  return isLocked || changedMs(folder) - stats.mtimeMs > OLD_MS;
}

/** A file found is not a file made (threat T35): a regular file of this user, of which a key file may be a second name. */
function isOurs(stats: Stats): boolean {
  const own = process.geteuid?.() ?? 0;
  return stats.isFile() && stats.nlink <= 2 && (stats.uid === own || own === 0);
}

/** One that nobody else can write in, not even for root. */
function isOurFolder(stats: Stats): boolean {
  return stats.isDirectory() && stats.uid === (process.geteuid?.() ?? 0) && (stats.mode & 0o77) === 0;
}

// Files are written without pause: while this process sweeps, it is writing none.
function isAtWork(pid: number): boolean {
  return pid !== process.pid && isRunning(pid);
}

/** Whether a process of this machine runs. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** Of the file itself, not of what a link leads to; null if there is none that can be looked at. */
export function statsOf(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch {
    return null;
  }
}

let place: string | null = null;

/** Where process numbers mean the same: this machine since it started, or this container. */
function here(): string {
  place ??= createHash('sha256')
    .update([hostname(), bootId(), processNamespace()].join(' '))
    .digest('hex')
    .slice(0, 4);
  return place;
}

function bootId(): string {
  return orNothing(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
}

function processNamespace(): string {
  return orNothing(() => readlinkSync('/proc/self/ns/pid'));
}

function orNothing(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Removes a file of our own, which may have been renamed or never made. */
export function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // The next run sweeps leftovers.
  }
}

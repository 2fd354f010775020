import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, unlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { orElse } from '../model/or-null.js';
import { MARK, lifeOfMaker, makerMark } from './maker.js';

/** The process that made the file, and something random. */
const NAME = new RegExp(`^\\.packsign-(${MARK})[0-9a-f]{6}\\.tmp$`);
/** No write takes as long. */
const OLD_MS = 10 * 60 * 1000;
/** When a folder was changed last, as this process left it: nobody else has been there since. */
const swept = new Map<string, number>();

/** A new path in a folder. Its name says who makes the file, so that a later run can tell whether that process is dead. */
export function temporaryPath(folder: string): string {
  return join(folder, `.packsign-${makerMark()}${randomBytes(3).toString('hex')}.tmp`);
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
  const { names = orElse(() => readdirSync(folder), []) } = options;
  return names.filter((name) => isLeft(folder, name, options)).map((name) => join(folder, name));
}

function isLeft(
  folder: string,
  name: string,
  { isLocked = false, areFolders = false }: SweepOptions,
): boolean {
  const mark = NAME.exec(name)?.[1];
  const stats = mark === undefined ? null : statsOf(join(folder, name));
  if (mark === undefined || stats === null || !(areFolders ? isOurFolder(stats) : isOurs(stats)))
    return false;
  // Files are written without pause: while this process sweeps, it is writing none. A folder is in use for longer.
  if (mark === makerMark()) return !areFolders;
  const life = lifeOfMaker(mark);
  if (life !== 'unknown') return life === 'dead';
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

/** Of the file itself, not of what a link leads to; null if there is none that can be looked at. */
export function statsOf(path: string): Stats | null {
  return orElse(() => lstatSync(path), null);
}

/** Removes a file of our own, which may have been renamed or never made. */
export function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // The next run sweeps leftovers.
  }
}

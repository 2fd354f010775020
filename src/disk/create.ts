import { closeSync, linkSync, openSync, renameSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { dirname } from 'node:path';
import { PacksignError, systemCode } from '../errors.js';
import { SECRET } from './access.js';
import { requireHeld, syncFolder, unwritable, writeNew } from './files.js';
import type { WriteOptions } from './files.js';
import { leftTemporaries, removeQuietly, removeTemporaries, statsOf, temporaryPath } from './temporaries.js';

export interface NewFile extends WriteOptions {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Writes a file that must not exist yet, durably. Throws FILE_EXISTS, FILE_UNWRITABLE. */
export function createFile(path: string, bytes: Uint8Array, options: WriteOptions = {}): void {
  takeBackHalf([path]);
  createFiles([{ ...options, path, bytes }]);
}

/**
 * Writes files of one folder that must not exist yet: all of them, or none. Each has its temporary name until all have
 * their own, by which `takeBackHalf` knows them after a kill. Throws FILE_EXISTS, FILE_UNWRITABLE.
 */
export function createFiles(files: readonly NewFile[]): void {
  const parts = files.map((file) => ({ ...file, temporary: temporaryPath(dirname(file.path)) }));
  const named: string[] = [];
  try {
    for (const part of parts) orUnwritable(part.path, () => writeNew(part.temporary, part.bytes, part));
    requireHeld();
    for (const { path, temporary } of parts) {
      orUnwritable(path, () => giveName(temporary, path));
      named.push(path);
    }
    for (const { path } of parts.slice(-1)) orUnwritable(path, () => syncFolder(dirname(path)));
  } catch (error) {
    for (const path of named) removeQuietly(path);
    throw error;
  } finally {
    for (const { temporary } of parts) removeQuietly(temporary);
    for (const { path } of parts.slice(-1)) removeTemporaries(dirname(path));
  }
}

function orUnwritable(path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw unwritable(path, error);
    throw new PacksignError('FILE_EXISTS', `${path} exists`, { hint: 'move it away or choose another name' });
  }
}

/** What file systems without hard links answer. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'];

/** Gives a file a second name, or its only one where files have only one; never replaces another file. */
function giveName(path: string, name: string): void {
  try {
    // Unlike a rename, a link does not replace an existing file.
    linkSync(path, name);
  } catch (error) {
    if (!NO_LINKS.includes(systemCode(error) ?? '')) throw error;
    // Not even a link that leads nowhere may have the name.
    closeSync(openSync(name, 'wx', SECRET));
    replace(path, name);
  }
}

function replace(path: string, empty: string): void {
  try {
    renameSync(path, empty);
  } catch (error) {
    removeQuietly(empty);
    throw error;
  }
}

/**
 * Removes those of the files that a killed `createFiles` had named when it had not named all, and its temporary files.
 * False if that cannot be told: then files may be halves, and everything stays.
 */
export function takeBackHalf(paths: readonly string[]): boolean {
  const [folder = '.'] = paths.map((path) => dirname(path));
  const left = leftTemporaries(folder).flatMap((path) => statsOf(path) ?? []);
  const isHalf = left.some(({ nlink }) => nlink === 1);
  if (isHalf) for (const path of paths) if (isOneOf(path, left)) removeQuietly(path);
  if (isHalf && paths.some((path) => statsOf(path) !== null)) return false;
  removeTemporaries(folder);
  return true;
}

function isOneOf(path: string, files: readonly Stats[]): boolean {
  const stats = statsOf(path);
  return files.some(({ dev, ino }) => stats?.dev === dev && stats.ino === ino);
}

import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readBounded, removeTemporaries, requireHeld } from '../disk/files.js';
import { readOwn } from '../disk/own-file.js';
import { PacksignError, reasonOf } from '../errors.js';
import { makePublishedFolder, writePublished } from '../published/write.js';

const FILE_LIMIT_BYTES = 16 * 1024 * 1024;

/** Path below a folder, with forward slashes → bytes. */
export type Tree = ReadonlyMap<string, Uint8Array>;

/** All regular files below a folder, sorted, except hidden ones. Throws DIRECTORY_UNREADABLE, FILE_UNREADABLE. */
export function readTree(folder: string): Tree {
  const paths = namesIn(folder)
    .map((name) => name.replaceAll('\\', '/'))
    .filter((path) => !/(?:^|\/)\./.test(path) && lstatSync(join(folder, path)).isFile())
    .sort();
  return new Map(
    paths.map((path) => [path, readBounded(join(folder, path), FILE_LIMIT_BYTES) ?? new Uint8Array()]),
  );
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch (cause) {
    throw new PacksignError('DIRECTORY_UNREADABLE', `cannot read ${folder}: ${reasonOf(cause)}`, { cause });
  }
}

/** Whether a folder has all these files, with exactly these bytes. Throws FILE_UNREADABLE. */
export function hasTree(folder: string, tree: Tree): boolean {
  return Array.from(tree).every(([path, bytes]) => isThere(join(folder, path), bytes));
}

function isThere(file: string, bytes: Uint8Array): boolean {
  return readOwn(file, FILE_LIMIT_BYTES)?.equals(bytes) === true;
}

/** Writes files below a folder of a published directory, except those that already have these bytes. Throws FILE_UNWRITABLE. */
export function writeTree(directory: string, folder: string, tree: Tree): void {
  for (const name of new Set(Array.from(tree.keys(), (path) => dirname(path))))
    removeTemporaries(join(directory, folder, name), { isLocked: true });
  for (const [path, bytes] of tree) {
    const name = join(folder, path);
    if (isThere(join(directory, name), bytes)) continue;
    makePublishedFolder(directory, dirname(name));
    writePublished(directory, name, bytes);
  }
}

/** Removes a folder with everything in it; of a link, only the link. Throws FILE_UNWRITABLE. */
export function removeTree(folder: string): void {
  requireHeld();
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (cause) {
    throw new PacksignError('FILE_UNWRITABLE', `cannot remove ${folder}: ${reasonOf(cause)}`, { cause });
  }
}

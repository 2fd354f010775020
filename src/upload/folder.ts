import { lstatSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, posix, relative, resolve, sep } from 'node:path';
import { inParallel } from '../consume/parallel.js';
import { copyDurably } from '../disk/copy.js';
import { kindOf, listFolder, removeDurably, removeTemporaries } from '../disk/files.js';
import { withLock } from '../disk/lock.js';
import { PacksignError, systemCode } from '../errors.js';
import { DATABASE_NAME, STATE_FOLDER } from '../model/layout.js';
import { foldersOf } from '../model/file-entry.js';
import { shellWord } from '../model/shell.js';
import { directoryPlace } from '../places/directory.js';
import { makePublishedFolder, writePublished } from '../published/write.js';
import type { Run } from '../run.js';
import { readJournal } from './journal.js';
import { behindLink, changed, inTheWay } from './remote.js';
import type { Listing, Stored } from '../model/listing.js';
import type { Outgoing, Remote, Writing } from './remote.js';
import { differingIn } from './unaltered.js';

const STREAMS = 4;

/**
 * A folder as a destination: another disk, a mounted host. Writers take turns as in any published directory. Throws USAGE,
 * DESTINATION_FAILED.
 */
export function folderRemote(folder: string, directory: string, { run }: { readonly run: Run }): Remote {
  requireApart(folder, directory);
  requireFolder(folder, run);
  return {
    destination: folder,
    name: realOf(folder),
    place: directoryPlace(join(folder, DATABASE_NAME)),
    list: () => Promise.resolve(listingOf(folder)),
    write: async (files, writing) => {
      await inParallel(files, STREAMS, async (file) => {
        await writeFile(folder, file, writing);
        writing.onWritten(file);
      });
    },
    remove: (paths) => {
      for (const path of paths) removeDurably(join(folder, path));
      return Promise.resolve();
    },
    differing: async (files) => await differingIn(folder, files, run),
    alone: async (work) => await alone(folder, run, work),
    close: () => undefined,
  };
}

/**
 * An unmounted disk is missing, or leaves an empty folder, in which `.packsign` is missing too. Throws DESTINATION_FAILED.
 */
function requireFolder(folder: string, { stateFolder }: Run): void {
  const kind = kindOf(folder);
  const fail = (message: string, hint: string) => new PacksignError('DESTINATION_FAILED', message, { hint });
  const name = shellWord(folder);
  if (kind === null)
    throw fail(`there is no folder ${folder}`, `mount its disk, or make it: mkdir -p ${name}`);
  if (kind !== 'folder') {
    throw fail(`${folder} is not a folder`, 'name the folder for the database');
  }
  const database = join(folder, DATABASE_NAME);
  if (kindOf(database) === 'folder') throw inTheWay(database, 'folder');
  const wasHere = readJournal(stateFolder, realOf(folder)).last !== null;
  if (!wasHere || listFolder(folder).length > 0) return;
  const emptied = `mkdir ${shellWord(join(folder, STATE_FOLDER))}`;
  throw fail(
    `${folder} is empty, though packsign published there before`,
    `mount its disk; if somebody emptied it on purpose: ${emptied}`,
  );
}

async function alone<T>(folder: string, run: Run, work: () => Promise<T>): Promise<T> {
  return await withLock({ ...run, stateFolder: join(folder, STATE_FOLDER) }, async () => {
    for (const below of ['', ...foldersIn(folder)]) {
      removeTemporaries(join(folder, below), { isLocked: true });
    }
    return await work();
  });
}

async function writeFile(folder: string, file: Outgoing, { directory, onBytes }: Writing): Promise<void> {
  const { path, sha256, bytes } = file;
  requireRoom(folder, path);
  makePublishedFolder(folder, dirname(path));
  if (bytes !== null) {
    writePublished(folder, path, bytes);
    onBytes(bytes.length);
    return;
  }
  const like = join(folder, DATABASE_NAME);
  const isSame = await copyDurably({
    from: join(directory, path),
    to: join(folder, path),
    sha256,
    like,
    onBytes,
  }).catch((error: unknown) => {
    // Somebody took it away.
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) return false;
    throw error;
  });
  if (!isSame) throw changed(directory, path);
}

/** What lies behind a link is not part of the destination, and a file is no folder. Throws DESTINATION_FAILED. */
function requireRoom(folder: string, path: string): void {
  const at = (below: string) => lstatSync(join(folder, below), { throwIfNoEntry: false });
  for (const above of [...foldersOf(path)].reverse()) {
    const stats = at(above);
    if (stats === undefined) return;
    if (stats.isSymbolicLink()) throw behindLink(join(folder, above));
    if (!stats.isDirectory()) throw inTheWay(join(folder, above), 'file');
  }
  if (at(path)?.isDirectory() === true) throw inTheWay(join(folder, path), 'folder');
}

/** Every regular file, except hidden ones. */
function listingOf(folder: string): Listing {
  const listing = new Map<string, Stored>();
  for (const below of ['', ...foldersIn(folder)]) {
    for (const name of visibleIn(join(folder, below))) {
      const stats = lstatSync(join(folder, below, name), { throwIfNoEntry: false });
      if (stats?.isFile() !== true) continue;
      const { size, mtimeMs: modifiedMs } = stats;
      listing.set(posix.join(below, name), { size, modifiedMs, etag: null });
    }
  }
  return listing;
}

/** All folders below a folder, except hidden ones; links are not followed. */
function foldersIn(folder: string, below = ''): readonly string[] {
  return visibleIn(join(folder, below)).flatMap((name) => {
    const path = posix.join(below, name);
    const isFolder = lstatSync(join(folder, path), { throwIfNoEntry: false })?.isDirectory() === true;
    return isFolder ? [path, ...foldersIn(folder, path)] : [];
  });
}

function visibleIn(folder: string): readonly string[] {
  return listFolder(folder).filter((name) => !name.startsWith('.'));
}

/** A folder around the directory holds more than readers may see, such as keys. Throws USAGE. */
function requireApart(folder: string, directory: string): void {
  const where = isBelow(folder, directory)
    ? 'that is the same folder, or inside it'
    : isBelow(directory, folder)
      ? `${directory} is inside it, so readers would find everything beside what is signed`
      : null;
  if (where === null) return;
  const hint = `name a folder outside ${isBelow(folder, directory) ? 'it' : 'both, which holds nothing else'}`;
  throw new PacksignError('USAGE', `cannot publish ${directory} to ${folder}: ${where}`, { hint });
}

/** Whether a path is that of a folder, or somewhere below it. */
function isBelow(inner: string, folder: string): boolean {
  const path = relative(realOf(folder), realOf(inner));
  return path === '' || (path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path));
}

/** Without links, if it is there. */
export function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

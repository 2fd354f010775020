import { lstatSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { systemCode } from '../errors.js';
import type { FileEntries, FileEntry } from '../model/file-entry.js';
import { hashFiles } from './hash.js';
import type { Started } from './hash.js';
import { startHashingObjects } from './hash-objects.js';
import { identityOf } from '../disk/identities.js';
import type { Objects } from '../places/objects.js';
import type { ScannedFile } from '../places/scan.js';
import type { Shown } from '../model/work.js';

/** What is at the path of a listed file. */
export type FoundFile =
  | { readonly kind: 'digested'; readonly size: number; readonly sha256: string }
  | { readonly kind: 'missing' }
  /** Not the file; `found` says what it is. */
  | { readonly kind: 'other'; readonly found: string };

export interface DigestOptions extends Shown {
  /** Which files need not be read, because they are known to be as listed. */
  readonly isKnown?: (file: ScannedFile, entry: FileEntry) => boolean;
  /** Files that a scan has just found in the directory: these need not be looked at again. */
  readonly seen?: ReadonlyMap<string, ScannedFile>;
}

/**
 * Hashes the files that a database lists: regular files, reached without a link out of the directory
 * (docs/FORMAT.md §8 step 11). Does not read files of a different size.
 */
export async function digestListed(
  directory: string,
  listed: FileEntries,
  { progress, isKnown, seen }: DigestOptions,
): Promise<ReadonlyMap<string, FoundFile>> {
  const isInside = insideOf(directory);
  const find = (path: string) => seen?.get(path) ?? look(directory, path, isInside);
  return await digestFound(listed, find, { directory, progress, ...(isKnown && { isKnown }) });
}

/** The same for files that lie in a bucket. */
export async function digestListedObjects(
  { identityOf, read, concurrency }: Objects,
  listed: FileEntries,
  { progress }: Shown,
): Promise<ReadonlyMap<string, FoundFile>> {
  const find = (path: string): FoundFile | ScannedFile => {
    const identity = identityOf(path);
    return identity === null ? { kind: 'missing' } : { path, identity };
  };
  const needs = () => ({ md5: false, metadata: false });
  return await digestFound(listed, find, {
    ...{ directory: '', progress },
    start: (files, options, onDigested) =>
      startHashingObjects(files, { ...options, needs, read, concurrency }, onDigested),
  });
}

type Digesting = DigestOptions & Pick<Started, 'start'> & { readonly directory: string };

async function digestFound(
  listed: FileEntries,
  find: (path: string) => FoundFile | ScannedFile,
  { directory, isKnown = () => false, ...how }: Digesting,
): Promise<ReadonlyMap<string, FoundFile>> {
  const results = new Map<string, FoundFile>();
  const files: ScannedFile[] = [];
  for (const [path, entry] of listed) {
    const { Size, SHA256 } = entry;
    const found = find(path);
    if ('kind' in found) results.set(path, found);
    else if (Number(found.identity.size) !== Size) {
      results.set(path, { kind: 'other', found: `${found.identity.size.toString()} bytes` });
    } else if (isKnown(found, entry)) results.set(path, { kind: 'digested', size: Size, sha256: SHA256 });
    else files.push(found);
  }
  const onlySha256 = { md5: false, metadata: false, inspect: 'none' } as const;
  const digested = await hashFiles(files, { directory, ...onlySha256 }, how);
  for (const [index, { path }] of files.entries()) {
    const result = digested[index];
    if (result === undefined || (result.kind === 'failed' && result.code === 'GONE')) continue;
    results.set(
      path,
      result.kind === 'digested' ? result : { kind: 'other', found: `a file that ${result.message}` },
    );
  }
  return results;
}

function look(
  directory: string,
  path: string,
  isInside: (folder: string) => boolean,
): FoundFile | ScannedFile {
  try {
    const stats = lstatSync(join(directory, path), { bigint: true });
    if (stats.isSymbolicLink()) return { kind: 'other', found: 'a symbolic link' };
    if (!stats.isFile()) return { kind: 'other', found: 'not a regular file' };
    if (!isInside(dirname(path)))
      return { kind: 'other', found: 'a file outside the directory, behind a link' };
    return { path, identity: identityOf(stats) };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'missing' };
    return { kind: 'other', found: `a file that cannot be read (${code ?? 'unknown error'})` };
  }
}

/** Tells whether a folder of the directory is really in it; looks once at each. */
function insideOf(directory: string): (folder: string) => boolean {
  const root = realpathSync(directory);
  const known = new Map<string, boolean>();
  return (folder) => {
    const before = known.get(folder);
    if (before !== undefined) return before;
    const real = realpathSync(join(directory, folder));
    const isInside = real === root || real.startsWith(root.endsWith(sep) ? root : root + sep);
    known.set(folder, isInside);
    return isInside;
  };
}

import { lstatSync, realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { PacksignError, reasonOf } from '../errors.js';
import { identityOf } from '../disk/identities.js';
import type { DigestedFile } from '../model/lookup.js';
import type { ScannedFile } from '../places/scan.js';
import type { Run } from '../run.js';
import type { Digested } from '../workers/digest.js';
import { hashFiles, totalBytes } from '../workers/hash.js';

/** A file that a user named, as it was when we first looked at it. */
export interface Download {
  /** As the user wrote it. */
  readonly path: string;
  /** The folder in which it is, behind a link that leads to it. */
  readonly folder: string;
  readonly file: ScannedFile;
}

/** Finds files that users name; they may be links. Throws FILE_UNREADABLE for all but regular files. */
export function findDownload(path: string): Download {
  const own = reading(path, () => lstatSync(path, { bigint: true }));
  const real = own.isSymbolicLink() ? reading(path, () => realpathSync(path)) : path;
  const stats = real === path ? own : reading(path, () => lstatSync(real, { bigint: true }));
  if (!stats.isFile()) throw new PacksignError('FILE_UNREADABLE', `${path} is not a regular file`);
  return { path, folder: dirname(real), file: { path: basename(real), identity: identityOf(stats) } };
}

function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new PacksignError('FILE_UNREADABLE', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Hashes each file once, whole, in the order given. Throws FILE_UNREADABLE, also for a file that is not the same any more
 * as when it was found.
 */
export async function digestDownloads(
  downloads: readonly Download[],
  { progress }: Run,
): Promise<readonly DigestedFile[]> {
  const digested: DigestedFile[] = [];
  const bytes = totalBytes(downloads.map(({ file }) => file));
  let before = 0;
  // One work over all of them.
  const show: Run['progress'] = (work) => {
    const already = before;
    const files = { count: downloads.length, done: () => digested.length };
    if (work !== null) progress({ ...work, bytes, done: () => already + work.done(), files });
  };
  for (const { path, folder, file } of downloads) {
    const onlySha256 = { md5: false, metadata: false, inspect: 'none' } as const;
    const [found] = await hashFiles([file], { directory: folder, ...onlySha256 }, { progress: show });
    if (found?.kind !== 'digested') throw undigested(path, found);
    digested.push({ name: basename(path), size: found.size, sha256: found.sha256 });
    before += found.size;
  }
  progress(null);
  return digested;
}

function undigested(path: string, found: Extract<Digested, { kind: 'failed' }> | undefined): PacksignError {
  const hint = 'wait until nobody writes to it any more, and try again';
  const details = found?.code === 'CHANGED_WHILE_READ' ? { hint } : {};
  return new PacksignError('FILE_UNREADABLE', `${path} ${found?.message ?? 'cannot be read'}`, details);
}

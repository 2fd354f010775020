import { join } from 'node:path';
import { readBounded } from '../disk/files.js';
import { withFiles } from '../disk/scratch.js';
import { PacksignError } from '../errors.js';
import { DATABASE_NAME, KEYS_NAME } from '../model/layout.js';
import { KEYS_LIMIT_BYTES } from '../model/database.js';
import type { Place, Read, ReadLimits } from '../places/place.js';
import { localFolder } from './rsync-call.js';
import type { Rsync } from './rsync-call.js';
import { lacksFolder } from './rsync-failure.js';
import { parseListing } from './rsync-output.js';

type Files = ReadonlyMap<string, Buffer | null>;

/** What is published at a destination of rsync. Each connection takes its time, so the keys come with the database. */
export function rsyncPlace(rsync: Rsync): Place {
  let keys: Buffer | null = null;
  const nameOf = (path: string) => `${rsync.folder}${path}`;
  return {
    database: nameOf(DATABASE_NAME),
    mayLag: false,
    nameOf,
    readDatabase: async (limits) => {
      const limitBytes = Math.max(limits.limitBytes, KEYS_LIMIT_BYTES);
      const files = await fetchFiles(rsync, [DATABASE_NAME, KEYS_NAME], { ...limits, limitBytes });
      keys = files.get(KEYS_NAME) ?? null;
      return readOf(files.get(DATABASE_NAME) ?? null);
    },
    readBeside: async (path, limits) =>
      readOf(path === KEYS_NAME ? keys : ((await fetchFiles(rsync, [path], limits)).get(path) ?? null)),
  };
}

function readOf(bytes: Buffer | null): Read {
  return bytes === null ? { kind: 'absent', isForbidden: false } : { kind: 'found', bytes, etag: null };
}

async function fetchFiles(rsync: Rsync, paths: readonly string[], limits: ReadLimits): Promise<Files> {
  return await withFiles({}, async (folder) => {
    await rsync.call({
      verb: 'read',
      options: [...selecting(paths), '--copy-links', `--max-size=${limits.limitBytes}`],
      ...{ from: rsync.folder, to: localFolder(folder), paths: null },
      isFine: lacksFolder,
    });
    const files = new Map(
      paths.map((path) => [path, readBounded(join(folder, path), limits.limitBytes)] as const),
    );
    const missing = paths.filter((path) => files.get(path) === null);
    // What is too large, or no file, does not come, as if it were not there.
    if (missing.length > 0) await requireAbsent(rsync, missing, limits);
    return files;
  });
}

async function requireAbsent(
  rsync: Rsync,
  paths: readonly string[],
  { limitBytes, tooLarge }: ReadLimits,
): Promise<void> {
  const { stdout } = await rsync.call({
    ...{ verb: 'read', options: [...selecting(paths), '--list-only'], from: rsync.folder, to: null },
    ...{ paths: null, isFine: lacksFolder },
  });
  const { files } = parseListing(stdout.toString('latin1'), rsync.target.target);
  for (const path of paths) {
    const stored = files.get(path);
    if (stored === undefined) continue;
    const name = `${rsync.folder}${path}`;
    if (stored.size > limitBytes)
      throw new PacksignError(tooLarge, `${name} is larger than ${limitBytes} bytes`);
    throw new PacksignError('DESTINATION_FAILED', `${name} changes while it is read`, {
      hint: 'publish again',
    });
  }
}

/** Options that name files, of which none need be there. Daemons of rsync 3.5 find nothing by a list of names. */
export function selecting(paths: readonly string[]): readonly string[] {
  const folders = paths.flatMap((path) => {
    const parts = path.split('/');
    return parts.slice(1).map((_, index) => `${parts.slice(0, index + 1).join('/')}/`);
  });
  return [
    '--recursive',
    ...[...folders, ...paths].map((path) => `--include=/${asPattern(path)}`),
    '--exclude=*',
  ];
}

function asPattern(path: string): string {
  return /[*?[]/.test(path) ? path.replace(/[*?[\\]/g, '\\$&') : path;
}

import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { isSettledBefore } from '../disk/cache.js';
import type { CacheStore } from '../disk/cache.js';
import type { Digested } from '../disk/digest.js';
import { hashFiles } from '../disk/hash.js';
import { isExcluded, scanDirectory } from '../disk/scan.js';
import type { Scan, ScannedFile } from '../disk/scan.js';
import { PacksignError, systemCode } from '../errors.js';
import type { Database } from '../model/database.js';
import type { Observed } from '../model/entry.js';
import type { Warning } from '../model/finding.js';
import type { Settings } from '../model/settings.js';

export interface ObserveOptions {
  readonly settings: Settings;
  /** What is published: its archives may be missing, but not unreadable. */
  readonly published: Database | null;
  readonly cache: CacheStore;
  readonly clock: () => Date;
  /** What the directory holds, where that was looked up already. */
  readonly scan?: Scan | undefined;
  /** Archives that are not to be read yet. */
  readonly unsettled?: ReadonlySet<string> | undefined;
  /** Called now and then, and when all is done. */
  readonly onProgress?: (done: number, of: number) => void;
}

const PROGRESS_FILES = 100;

/** The archives of a directory as their bytes are now. */
export interface Observation {
  readonly archives: readonly Observed[];
  /** Paths of the other files. */
  readonly others: readonly string[];
  readonly warnings: readonly Warning[];
  /** Published archives that came or changed while they were looked at; none but where `unsettled` is set. */
  readonly moving: ReadonlySet<string>;
  readonly hashed: number;
  readonly cached: number;
  /** Size of all archives together. */
  readonly bytes: number;
}

/**
 * Scans a directory and hashes what the cache does not know. Throws DIRECTORY_UNREADABLE, NO_ARCHIVES,
 * and ARCHIVE_UNREADABLE for a published archive that is there and cannot be read.
 */
export async function observeArchives(directory: string, options: ObserveOptions): Promise<Observation> {
  const startedMs = options.clock().getTime();
  const md5 = options.settings.PackMan !== false;
  const scan = options.scan ?? scanDirectory(directory, { exclude: options.settings.Exclude ?? [] });
  const files = scan.archives.filter(({ path }) => options.unsettled?.has(path) !== true);
  const known = new Map<string, Observed>();
  const unknown: ScannedFile[] = [];
  const racy = new Set<string>();
  const failed = new Map<string, Digested & { kind: 'failed' }>();
  for (const file of files) {
    const before = options.cache.find(file);
    if (before === null || (md5 && before.md5 === null)) unknown.push(file);
    else known.set(file.path, before);
  }
  const cached = known.size;
  let done = 0;
  await hashFiles(unknown, { directory, md5, metadata: true }, (result, index) => {
    const file = unknown[index];
    if (file === undefined) return;
    if (result.kind === 'failed') failed.set(file.path, result);
    else if (result.reading !== null) {
      const { size, sha256, reading } = result;
      known.set(file.path, { path: file.path, size, sha256, md5: result.md5, reading });
    }
    if (!isSettledBefore(file, startedMs)) racy.add(file.path);
    done += 1;
    if (done % PROGRESS_FILES === 0 || done === unknown.length) options.onProgress?.(done, unknown.length);
  });
  options.cache.keep(
    files.flatMap((file) => {
      const observed = known.get(file.path);
      return observed === undefined || racy.has(file.path) ? [] : [{ file, observed }];
    }),
  );
  // A watch does so once it has published.
  if (options.unsettled === undefined) options.cache.save();

  const warnings: Warning[] = [...scan.warnings];
  const archives: Observed[] = [];
  for (const { path } of files) {
    const trouble = failed.get(path);
    const one = known.get(path);
    if (one !== undefined) archives.push(one);
    else if (trouble !== undefined && trouble.code !== 'GONE') {
      warnings.push({ code: trouble.code, path, message: `${trouble.message}: left out` });
    }
  }
  const moving = refuseUnreadable(directory, { ...options, archives, warnings });
  if (archives.length === 0 && (options.unsettled?.size ?? 0) === 0) throw noArchives(directory, warnings);
  const bytes = archives.reduce((sum, { size }) => sum + size, 0);
  return { archives, others: scan.others, warnings, moving, hashed: unknown.length, cached, bytes };
}

/**
 * A published archive is withdrawn only when it is gone or excluded: a disk error must not withdraw it. Gives
 * those that merely were in motion: whoever watches will look at them again.
 */
function refuseUnreadable(
  directory: string,
  {
    settings,
    published,
    archives,
    warnings,
    unsettled,
  }: ObserveOptions & Pick<Observation, 'archives' | 'warnings'>,
): ReadonlySet<string> {
  const moving = new Set<string>();
  if (published === null) return moving;
  const seen = new Set(archives.map(({ path }) => path));
  for (const path of published.Archives.keys()) {
    if (seen.has(path) || unsettled?.has(path) === true || isExcluded(path, settings.Exclude ?? [])) continue;
    const trouble = warnings.find((warning) => warning.path === path || isBelow(path, warning.path));
    const isMoving = trouble === undefined || trouble.code === 'CHANGED_WHILE_READ';
    const presence = presenceOf(join(directory, path));
    if (presence === 'gone') continue;
    if (unsettled !== undefined && isMoving && presence === 'file') {
      moving.add(path);
      continue;
    }
    const message = trouble?.message ?? 'it cannot be reached';
    throw new PacksignError('ARCHIVE_UNREADABLE', `${path} is published and cannot be listed: ${message}`, {
      hint: 'make it readable, or remove or exclude it to withdraw it',
    });
  }
  return moving;
}

function isBelow(path: string, folder: string | null): boolean {
  return folder !== null && path.startsWith(`${folder}/`);
}

function presenceOf(path: string): 'file' | 'gone' | 'unknown' {
  try {
    return lstatSync(path).isFile() ? 'file' : 'unknown';
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '') ? 'gone' : 'unknown';
  }
}

function noArchives(directory: string, warnings: readonly Warning[]): PacksignError {
  const left = warnings.length === 0 ? '' : ` that can be listed (${warnings.length} left out)`;
  return new PacksignError('NO_ARCHIVES', `there are no archives${left} in ${directory}`, {
    hint: 'packsign lists .tar.gz .tgz .tar.bz2 .tar.xz .tar.zst .tar .zip .whl .egg files, also in sub-folders',
  });
}

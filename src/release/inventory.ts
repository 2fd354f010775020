import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { isRacy } from './digest-cache.js';
import type { CacheStore } from './digest-cache.js';
import type { Digested } from '../workers/digest.js';
import { startHashing } from '../workers/hash.js';
import { isExcluded, scanDirectory } from '../places/scan.js';
import type { Scan, ScannedFile } from '../places/scan.js';
import { statWith } from '../workers/stat-together.js';
import { openThreads } from '../workers/threads.js';
import type { Threads } from '../workers/threads.js';
import { PacksignError, systemCode } from '../errors.js';
import type { Database } from '../model/database.js';
import type { FileFacts } from '../model/entry.js';
import type { Warning } from '../model/finding.js';
import { compareText } from '../model/package.js';
import type { Settings } from '../model/settings.js';
import type { Run } from '../run.js';

export interface InventoryOptions {
  readonly settings: Settings;
  readonly cache: CacheStore;
  readonly run: Run;
  /** What the directory holds, where that was looked up already. */
  readonly scan?: Scan | undefined;
  /** Files that are not to be read yet. */
  readonly unstable?: ReadonlySet<string> | undefined;
}

const PROGRESS_FILES = 100;

/** The files of a directory as their bytes are now. */
export interface Inventory {
  readonly files: readonly FileFacts[];
  /** Paths of the other files. */
  readonly others: readonly string[];
  readonly warnings: readonly Warning[];
  /** Published files that came or changed while they were looked at; none but where `unsettled` is set. */
  readonly moving: ReadonlySet<string>;
  /** Paths that were read now. */
  readonly fresh: ReadonlySet<string>;
  readonly hashed: number;
  readonly cached: number;
  /** Size of all files together. */
  readonly bytes: number;
}

/** Files that are being read, on other threads where there are many. */
export interface StartedInventory {
  /**
   * `published`: what is published; its files may be missing, but not unreadable. Throws NO_ARCHIVES, and
   * ARCHIVE_UNREADABLE for a published file that is there and cannot be read.
   */
  readonly finish: (published: Database | null) => Promise<Inventory>;
}

/** Scans a directory, hashes what the cache does not know, and waits for it. Throws DIRECTORY_UNREADABLE, and as `finish`. */
export async function takeInventory(
  directory: string,
  options: InventoryOptions & { readonly published: Database | null },
): Promise<Inventory> {
  const threads = openThreads();
  try {
    return await startInventory(directory, { ...options, threads }).finish(options.published);
  } finally {
    threads.stop();
  }
}

/**
 * The same, begun: whoever has something else to do meanwhile does it before `finish`, which ends the threads. Where it
 * does not come to that, ending them is the caller's business. Throws DIRECTORY_UNREADABLE.
 */
export function startInventory(
  directory: string,
  options: InventoryOptions & { readonly threads: Threads },
): StartedInventory {
  const { settings, cache, unstable, threads, run } = options;
  const startedMs = run.clock().getTime();
  const md5 = settings.PackMan !== false;
  const scan =
    options.scan ?? scanDirectory(directory, { exclude: settings.Exclude ?? [], stat: statWith(threads) });
  const scanned = unstable === undefined ? scan.files : scan.files.filter(({ path }) => !unstable.has(path));
  const facts = scanned.map((file) => {
    const known = cache.find(file);
    return md5 && known?.md5 === null ? null : known;
  });
  const unknown: number[] = [];
  facts.forEach((known, index) => {
    if (known === null) unknown.push(index);
  });
  const failed = new Map<string, Digested & { kind: 'failed' }>();
  let done = 0;
  let isAwaited = false;
  const tell = () => {
    // Until then somebody may be asked for a passphrase on the same terminal.
    if (isAwaited) run.progress(done, unknown.length);
  };
  const take = (result: Digested, at: number) => {
    const index = unknown[at] ?? 0;
    const path = scanned[index]?.path ?? '';
    if (result.kind === 'failed') failed.set(path, result);
    else if (result.reading !== null) {
      const { size, sha256, reading } = result;
      facts[index] = { path, size, sha256, md5: result.md5, reading };
    }
    done += 1;
    if (done % PROGRESS_FILES === 0 || done === unknown.length) tell();
  };
  const wanted = unknown.flatMap((index) => scanned[index] ?? []);
  const hashing =
    wanted.length === 0 ? null : startHashing(wanted, { directory, md5, metadata: true, threads }, take);
  return {
    finish: async (published) => {
      isAwaited = true;
      if (done > 0) tell();
      await hashing?.finish();
      // The database is made without them, and needs the memory.
      threads.stop();
      const files = facts.filter((one) => one !== null);
      cache.keep(scanned, withoutRacy(facts, { scanned, unknown, startedMs }));
      // A watch does so once it has published.
      if (unstable === undefined) cache.save({ lazily: true });
      const warnings = [...scan.warnings, ...leftOut(failed)];
      const moving = refuseUnreadable(directory, { settings, published, unstable, files, warnings });
      if (files.length === 0 && (unstable?.size ?? 0) === 0) throw nothingToList(directory, warnings);
      const bytes = files.reduce((sum, { size }) => sum + size, 0);
      const cached = scanned.length - unknown.length;
      return {
        files,
        others: scan.others,
        warnings,
        moving,
        fresh: new Set(wanted.map(({ path }) => path)),
        hashed: unknown.length - failed.size,
        cached,
        bytes,
      };
    },
  };
}

/** What may be remembered: not what was read of files that had been touched moments before. */
function withoutRacy(
  facts: readonly (FileFacts | null)[],
  {
    scanned,
    unknown,
    startedMs,
  }: { scanned: readonly ScannedFile[]; unknown: readonly number[]; startedMs: number },
): readonly (FileFacts | null)[] {
  const kept = [...facts];
  for (const index of unknown) {
    const file = scanned[index];
    if (file !== undefined && isRacy(file, startedMs)) kept[index] = null;
  }
  return kept;
}

/** One that went away while it was looked at is no news. */
function leftOut(failed: ReadonlyMap<string, Digested & { kind: 'failed' }>): Warning[] {
  return Array.from(failed)
    .sort(([a], [b]) => compareText(a, b))
    .flatMap(([path, { code, message }]) =>
      code === 'GONE' ? [] : [{ code, path, message: `${message}: left out` }],
    );
}

/**
 * A published file is withdrawn only when it is gone or excluded: a disk error must not withdraw it. Gives
 * those that merely were in motion: whoever watches will look at them again.
 */
function refuseUnreadable(
  directory: string,
  {
    settings,
    published,
    files,
    warnings,
    unstable,
  }: Pick<InventoryOptions, 'settings' | 'unstable'> &
    Pick<Inventory, 'files' | 'warnings'> & { readonly published: Database | null },
): ReadonlySet<string> {
  const moving = new Set<string>();
  if (published === null) return moving;
  for (const path of missingIn(files, published.Archives.keys())) {
    if (unstable?.has(path) === true || isExcluded(path, settings.Exclude ?? [])) continue;
    const trouble = warnings.find((warning) => warning.path === path || isBelow(path, warning.path));
    const isMoving = trouble === undefined || trouble.code === 'CHANGED_WHILE_READ';
    const presence = presenceOf(join(directory, path));
    if (presence === 'gone') continue;
    if (unstable !== undefined && isMoving && presence === 'file') {
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

/** Those of some paths that are not among the files; both in byte order. */
function* missingIn(files: readonly FileFacts[], paths: Iterable<string>): Generator<string> {
  let next = 0;
  for (const path of paths) {
    while ((files[next]?.path ?? path) < path) next += 1;
    if (files[next]?.path !== path) yield path;
  }
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

function nothingToList(directory: string, warnings: readonly Warning[]): PacksignError {
  const left = warnings.length === 0 ? '' : ` (${warnings.length} left out)`;
  return new PacksignError('NO_ARCHIVES', `there is nothing to list in ${directory}${left}`, {
    hint: 'packsign lists .tar.gz .tgz .tar.bz2 .tar.xz .tar.zst .tar .zip .whl .egg files, also in sub-folders',
  });
}

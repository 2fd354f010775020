import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { PacksignError, systemCode } from '../errors.js';
import type { Database } from '../model/database.js';
import type { Uncovered } from '../model/coverage.js';
import { fileNameOf, foldPath, foldersOf } from '../model/file-entry.js';
import { isArchiveName } from '../model/file-name.js';
import { mayHoldPackage } from '../model/entry.js';
import type { FileFacts } from '../model/entry.js';
import type { Warning } from '../model/finding.js';
import { CHECKSUMS_NAMES } from '../model/layout.js';
import { compareText } from '../model/package.js';
import type { Settings } from '../model/settings.js';
import { identityAtPath } from '../disk/identities.js';
import { ownChecksums } from '../places/own-checksums.js';
import { scanFiles } from '../places/objects.js';
import { globsOf, matches } from '../places/scan.js';
import type { Scan, ScannedFile } from '../places/scan.js';
import type { Secret } from '../pgp/secret-packets.js';
import { NO_LOOK, isHashAlone } from '../model/inspection.js';
import { pause } from '../run.js';
import type { Run } from '../run.js';
import type { Digested, Hashed } from '../workers/digest.js';
import { newByteCount } from '../workers/byte-count.js';
import { workOn } from '../workers/hash.js';
import { startHashingFiles } from '../workers/hash-files.js';
import { openThreads } from '../workers/threads.js';
import type { Threads } from '../workers/threads.js';
import { compareWithList } from '../model/compare-list.js';
import { newestOf } from './clock-evidence.js';
import { withNewBytes } from './damage.js';
import { isRacy } from './facts-cache.js';
import type { FactsCache } from './facts-cache.js';
import { startHashingByWorkers } from './hash-by-workers.js';
import type { Searchable } from './secrets.js';
import { startWithStoredHashes } from './stored-hashes.js';
import type { StartHashing } from './stored-hashes.js';

export interface InventoryOptions {
  readonly settings: Settings;
  readonly cache: FactsCache;
  readonly run: Run;
  /** The files of the directory, if it was scanned already. */
  readonly scan?: Scan | undefined;
  /** Whether every file is read, whatever a store says of it. */
  readonly rehash?: boolean;
  /** Files that must not be read yet. */
  readonly unstable?: ReadonlySet<string> | undefined;
}

/** The files of a directory with their present bytes. */
export interface Inventory extends Searchable {
  readonly files: readonly FileFacts[];
  /** Everything else in the directory, and listed files that cannot be read. */
  readonly rest: readonly Uncovered[];
  readonly warnings: readonly Warning[];
  /** Published files that changed while they were read; empty unless `unstable` is set. */
  readonly moving: ReadonlySet<string>;
  /** Published paths that are not among the files, in byte order. */
  readonly absent: readonly string[];
  readonly hashed: number;
  readonly cached: number;
  /** Size of all files together. */
  readonly bytes: number;
}

/** Files that are being read, by several threads if there are many. */
export interface StartedInventory {
  /**
   * `published`: the published database; its files may be missing, but not unreadable. Throws LISTED_FILE_UNREADABLE for
   * a published file that is there and cannot be read.
   */
  readonly finish: (published: Database | null) => Promise<Inventory>;
}

/** Scans a directory and hashes the files that the cache does not know. Throws DIRECTORY_UNREADABLE, and as `finish`. */
export async function takeInventory(
  directory: string,
  options: InventoryOptions & { readonly published: Database | null },
): Promise<Inventory> {
  const threads = openThreads();
  const { signal } = options.run;
  signal.addEventListener('abort', threads.stop);
  try {
    return await startInventory(directory, { ...options, threads }).finish(options.published);
  } finally {
    signal.removeEventListener('abort', threads.stop);
    threads.stop();
  }
}

type StartOptions = InventoryOptions & { readonly threads: Threads };

/**
 * Starts the same, so that the caller can do something else before `finish`, which stops the threads. If `finish` is
 * never called, the caller must stop them. Throws DIRECTORY_UNREADABLE.
 */
export function startInventory(directory: string, options: StartOptions): StartedInventory {
  const { settings, cache, unstable, threads, run } = options;
  const startedMs = run.clock().getTime();
  const scan = options.scan ?? scanFiles(directory, run, { globs: globsOf(settings) });
  const scanned = unstable === undefined ? scan.files : scan.files.filter(({ path }) => !unstable.has(path));
  const started = startReading(directory, scanned, options);
  return {
    finish: async (published) => {
      await started.finish();
      const stayed = stayedFiles(directory, scan.rest, { run, published });
      const half = halfSeenFiles(started, settings, published);
      const again = [...stayed, ...half];
      const all = again.length === 0 ? started : await joined(started, { directory, again, options });
      const { facts, fresh, failed } = all;
      // Stop the threads: building the database needs their memory.
      threads.stop();
      run.objects?.told?.judge(all);
      cache.keep(all.files, factsToKeep(all, published, { ...run, startedMs }));
      // A watch saves after it has published.
      if (unstable === undefined) cache.save();
      const yielding = yieldingTo(stayed, all.files);
      const files = present(facts).filter(({ path }) => !yielding.has(path));
      const isStayed = new Set(stayed.map(({ path }) => path));
      const warnings = [
        ...scan.warnings.filter(({ path }) => path === null || !isStayed.has(path)),
        ...Array.from(yielding, twinWarning),
        ...leftOut(failed),
      ];
      const { absent } = compareWithList(files, published?.Files);
      const moving = refuseUnreadable(directory, absent, { settings, unstable, warnings, run });
      return {
        ...{ files, misnamed: scan.misnamed, secrets: all.secrets, warnings, moving, absent },
        newest: newestOf(scan.files),
        others: scan.others.filter((path) => !isStayed.has(path)),
        rest: [
          ...scan.rest,
          ...Array.from(yielding, ([path]) => ({ path, reason: 'case' as const })),
          ...unreadable(failed),
        ],
        hashed: fresh.size - failed.size,
        cached: all.files.length - fresh.size,
        bytes: files.reduce((sum, { size }) => sum + size, 0),
      };
    },
  };
}

/**
 * What may be believed the next time: nothing of files that were touched moments before they were read, nor of those that
 * hold a secret, because what the cache knows was looked through, nor of damaged ones that are published for the first
 * time, if at all.
 */
function factsToKeep(
  { files, facts, fresh, secrets }: Omit<Reading, 'finish'>,
  published: Database | null,
  { startedMs, objects }: Pick<Run, 'objects'> & { readonly startedMs: number },
): readonly (FileFacts | null)[] {
  // The store names the bytes of an object, whenever they were written.
  const mayBeRacy = objects === null;
  return files.map((file, index) => {
    const one = facts[index] ?? null;
    if (one === null || !fresh.has(file.path)) return one;
    const isListed = published?.Files.get(file.path)?.SHA256 === one.sha256;
    const isDamaged = one.inspection.kind === 'damaged' && !isListed;
    return secrets.has(file.path) || isDamaged || (mayBeRacy && isRacy(file, startedMs)) ? null : one;
  });
}

/** Whether a file was looked through only in part, under other settings. */
function isHalfSeen({ inspection }: FileFacts, { Inspect = 'whole' }: Settings): boolean {
  return Inspect === 'whole' && inspection.kind === 'sound' && inspection.inspect === 'ends';
}

/** Files with new bytes that are known by their ends only. */
function halfSeenFiles(
  { files, facts, fresh }: Reading,
  settings: Settings,
  published: Database | null,
): readonly ScannedFile[] {
  if (settings.Inspect === 'ends') return [];
  const half = withNewBytes(present(facts), published).filter(
    (known) => !fresh.has(known.path) && isHalfSeen(known, settings),
  );
  const paths = new Set(half.map(({ path }) => path));
  return paths.size === 0 ? [] : files.filter(({ path }) => paths.has(path));
}

/** Published files that a scan took for others: they stay listed while they lie here. */
function stayedFiles(
  directory: string,
  rest: readonly Uncovered[],
  { run: { objects }, published }: { readonly run: Run; readonly published: Database | null },
): readonly ScannedFile[] {
  const look = objects?.identityOf ?? ((path: string) => identityAtPath(join(directory, path)));
  return rest.flatMap(({ path, reason }) => {
    const isStayed = (reason === 'kind' || reason === 'case') && published?.Files.has(path) === true;
    const identity = isStayed ? look(path) : null;
    return identity === null ? [] : [{ path, identity }];
  });
}

/** Files that would push out a published one, because only case tells its path from theirs or from their folder's. */
function yieldingTo(
  stayed: readonly ScannedFile[],
  files: readonly ScannedFile[],
): ReadonlyMap<string, string> {
  const yielding = new Map<string, string>();
  if (stayed.length === 0) return yielding;
  const listed = new Map(stayed.map(({ path }) => [foldPath(path), path]));
  for (const { path } of files) {
    const folded = foldPath(path);
    const other = [folded, ...foldersOf(folded)].flatMap((one) => listed.get(one) ?? [])[0];
    if (other !== undefined && other !== path) yielding.set(path, other);
  }
  return yielding;
}

function twinWarning([path, other]: readonly [string, string]): Warning {
  const message = `left out: its name differs only in case from ${other}, which is published`;
  return { code: 'UNSAFE_NAME', path, message };
}

/** Reads these files too, or again, and puts them among the others. */
async function joined(
  started: Reading,
  { directory, again, options }: { directory: string; again: readonly ScannedFile[]; options: StartOptions },
): Promise<Omit<Reading, 'finish'>> {
  const { cache, settings } = options;
  const find: FactsCache['find'] = (file) => {
    const known = cache.find(file);
    return known === null || isHalfSeen(known, settings) ? null : known;
  };
  const more = startReading(directory, again, { ...options, cache: { ...cache, find } });
  await more.finish();
  const table = new Map(
    [started, more].flatMap(({ files, facts }) =>
      files.map((file, index) => [file.path, { file, fact: facts[index] ?? null }] as const),
    ),
  );
  const both = Array.from(table.values()).sort((a, b) => compareText(a.file.path, b.file.path));
  return {
    files: both.map(({ file }) => file),
    facts: both.map(({ fact }) => fact),
    fresh: new Set([...started.fresh, ...more.fresh]),
    failed: new Map([...started.failed, ...more.failed]),
    secrets: new Map([...started.secrets, ...more.secrets]),
  };
}

type Failed = Extract<Digested, { kind: 'failed' }>;

/** Files that are being read. */
interface Reading {
  readonly files: readonly ScannedFile[];
  /** The facts of each; null until it is read, and if that failed. */
  readonly facts: readonly (FileFacts | null)[];
  /** Paths that the cache did not know. */
  readonly fresh: ReadonlySet<string>;
  readonly failed: ReadonlyMap<string, Failed>;
  readonly secrets: ReadonlyMap<string, Secret>;
  readonly finish: () => Promise<void>;
}

/** Starts to read the files that the cache does not know. */
function startReading(directory: string, scanned: readonly ScannedFile[], options: StartOptions): Reading {
  const { settings, cache, threads, run, rehash } = options;
  const { objects } = run;
  const wantsMd5 = settings.PackMan !== false;
  const { Inspect: inspect = 'whole' } = settings;
  const needs = (path: string) => ({
    md5: wantsMd5 && mayHoldPackage(path, settings),
    metadata: isArchiveName(fileNameOf(path)),
  });
  const mayBeStored = settings['Store-Hashes'] === true && rehash !== true;
  const facts = scanned.map((file) => {
    const cached = cache.find(file);
    const told = objects?.told ?? null;
    const known = told === null ? cached : told.find(file.path, cached);
    if (objects !== null && known !== null && isHashAlone(known)) return mayBeStored ? known : null;
    return wantsMd5 && known?.md5 === null && mayHoldPackage(file.path, settings) ? null : known;
  });
  const unknown = scanned.flatMap((file, index) => (facts[index] === null ? [{ file, index }] : []));
  const failed = new Map<string, Failed>();
  const secrets = new Map<string, Secret>();
  const counted = newByteCount();
  let done = 0;
  const take = (result: Digested, at: number) => {
    done += 1;
    const { file: { path } = { path: '' }, index = 0 } = unknown[at] ?? {};
    if (result.kind === 'failed') failed.set(path, result);
    else {
      if (result.secret !== null) secrets.set(path, result.secret);
      facts[index] = factsOf(path, result);
    }
  };
  const files = unknown.map(({ file }) => file);
  const how = {
    ...{ directory, counted, md5: wantsMd5, metadata: true, inspect, secrets: true, needs, threads },
    pause: () => pause(run),
  };
  const read: StartHashing = (due, onDigested) => {
    if (objects?.workers == null) return startHashingFiles(due, { ...how, objects }, onDigested);
    const { workers } = objects;
    return startHashingByWorkers(due, { ...how, objects, workers, warn: run.warn }, onDigested);
  };
  const start = () =>
    objects !== null && mayBeStored
      ? startWithStoredHashes(files, { objects, counted, read }, take)
      : read(files, take);
  let hashing = files.length === 0 ? null : start();
  const finish = async () => {
    if (hashing === null) return;
    // Before that, the user may be at a passphrase prompt on the same terminal.
    run.progress(workOn('hashing', files, { counted, done: () => done }));
    try {
      await hashing.finish();
    } finally {
      run.progress(null);
      // Its results, which are the facts now, take much memory.
      hashing = null;
    }
  };
  return { files: scanned, facts, fresh: new Set(files.map(({ path }) => path)), failed, secrets, finish };
}

function factsOf(path: string, { size, sha256, md5, look }: Hashed): FileFacts {
  // An object that is made with a spread takes more memory.
  const { reading, inspection } = look ?? NO_LOOK;
  return { path, size, sha256, md5, reading, inspection };
}

/** Warns of files that could not be read, but not of those that disappeared meanwhile. */
function leftOut(failed: ReadonlyMap<string, Failed>): Warning[] {
  return Array.from(failed)
    .sort(([a], [b]) => compareText(a, b))
    .flatMap(([path, { code, message }]) =>
      code === 'GONE' ? [] : [{ code, path, message: `${message}: left out` }],
    );
}

function unreadable(failed: ReadonlyMap<string, Failed>): readonly Uncovered[] {
  return Array.from(failed).flatMap(([path, { code }]) =>
    code === 'UNREADABLE' ? [{ path, reason: 'unreadable' as const }] : [],
  );
}

type Found = Pick<InventoryOptions, 'settings' | 'unstable' | 'run'> & Pick<Inventory, 'warnings'>;

/**
 * Withdraws a published file only if it is gone or excluded: a disk error must not withdraw it. Gives those that only
 * changed while they were read: a watch reads them again later.
 */
function refuseUnreadable(
  directory: string,
  absent: readonly string[],
  { settings, warnings, unstable, run }: Found,
): ReadonlySet<string> {
  const moving = new Set<string>();
  for (const path of absent) {
    if (unstable?.has(path) === true || matches(path, settings.Exclude ?? [])) continue;
    // Packsign's own checksums are withdrawn if an older setting let them be listed.
    if (CHECKSUMS_NAMES.includes(path) && ownChecksums(directory).includes(path)) continue;
    const trouble = warnings.find((warning) => warning.path === path || isBelow(path, warning.path));
    const isMoving = trouble === undefined || trouble.code === 'CHANGED_WHILE_READ';
    const presence = presenceOf(directory, path, run);
    if (presence === 'gone') continue;
    if (unstable !== undefined && isMoving && presence === 'file') {
      moving.add(path);
      continue;
    }
    const message = trouble?.message ?? 'it cannot be reached';
    throw new PacksignError(
      'LISTED_FILE_UNREADABLE',
      `${path} is published and cannot be listed: ${message}`,
      {
        hint: 'make it readable, or remove or exclude it to withdraw it',
      },
    );
  }
  return moving;
}

function present(facts: readonly (FileFacts | null)[]): readonly FileFacts[] {
  return facts.filter((one) => one !== null);
}

function isBelow(path: string, folder: string | null): boolean {
  return folder !== null && path.startsWith(`${folder}/`);
}

function presenceOf(directory: string, path: string, { objects }: Run): 'file' | 'gone' | 'unknown' {
  if (objects !== null) return objects.identityOf(path) === null ? 'gone' : 'file';
  try {
    return lstatSync(join(directory, path)).isFile() ? 'file' : 'unknown';
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '') ? 'gone' : 'unknown';
  }
}

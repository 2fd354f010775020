import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CacheStore } from '../release/digest-cache.js';
import { readBounded, writeDurably } from '../disk/files.js';
import { lookAt, rereadFile } from './reread.js';
import type { FileEntries } from '../model/file-entry.js';
import { compareText } from '../model/package.js';
import { parseDuration } from '../model/settings.js';
import type { Settings } from '../model/settings.js';
import type { Run } from '../run.js';
import { SILENT } from './notices.js';
import type { Notice } from './notices.js';

/** Reads published files again, one after the other, for as long as a watch runs. */
export interface Scrubber {
  /** When there is something to say that was not said; Infinity where there is not. */
  readonly dueMs: () => number;
  /** What is wrong now. */
  readonly news: () => readonly Notice[];
  readonly stop: () => Promise<void>;
}

export interface ScrubOptions {
  readonly settings: () => Settings;
  /** What is published; null while nothing is. */
  readonly files: () => FileEntries | null;
  /** Knows the files that were not touched since they were hashed. */
  readonly cache: Pick<CacheStore, 'find'>;
  readonly run: Pick<Run, 'clock' | 'stateFolder'>;
}

/** Which file was read last, and when. */
interface Position {
  readonly path: string;
  readonly atMs: number;
}

const NAME = 'scrub';
const NAME_LIMIT_BYTES = 4096;
/** Settings and clocks are looked at this often. */
const GLANCE_MS = 5000;
const SAVE_MS = 60_000;
/** Others want to read the disk as well. */
const BYTES_PER_MS = 32 * 1024;

/**
 * Finds what the cache never would: bytes that went bad on the disk while nobody wrote the file (cli contract, `Scrub`).
 * One round over all files takes as long as the setting says, spread evenly; a new watch goes on where the last one ended.
 */
export function startScrub(directory: string, options: ScrubOptions): Scrubber {
  const stop = new AbortController();
  const found = new Map<string, Notice>();
  const said = new Set<string>();
  const isStopped = () => stop.signal.aborted;
  const rest = (ms: number) => sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined);
  let position = readPosition(options.run.stateFolder);
  let savedMs = 0;

  async function run(): Promise<void> {
    while (!isStopped()) {
      const nowMs = options.run.clock().getTime();
      const next = nextStep(position, nowMs, options);
      if (next === null || next.inMs > GLANCE_MS) {
        await rest(GLANCE_MS);
        continue;
      }
      await rest(next.inMs);
      if (!isStopped()) await check(next.path);
    }
  }

  async function check(path: string): Promise<void> {
    const news = await compare(directory, path, { cache: options.cache, rest });
    if (isStopped()) return;
    if (news === null) {
      found.delete(path);
      said.delete(path);
    } else found.set(path, news);
    const atMs = options.run.clock().getTime();
    position = { path, atMs };
    if (Math.abs(atMs - savedMs) < SAVE_MS) return;
    savedMs = atMs;
    writePosition(options.run.stateFolder, position);
  }

  const running = run();
  return {
    dueMs: () => (Array.from(found.keys()).some((path) => !said.has(path)) ? 0 : Infinity),
    news: () => {
      for (const path of found.keys()) said.add(path);
      return Array.from(found.values());
    },
    stop: async () => {
      stop.abort();
      await running;
      if (position !== null) writePosition(options.run.stateFolder, position);
    },
  };
}

/** Which file comes next, and in how many milliseconds. Null where none is to be read. */
function nextStep(
  position: Position | null,
  nowMs: number,
  { settings, files }: ScrubOptions,
): { readonly path: string; readonly inMs: number } | null {
  const period = parseDuration(settings().Scrub ?? '');
  const paths = Array.from(files()?.keys() ?? []);
  const path = paths.find((name) => position === null || compareText(name, position.path) > 0) ?? paths[0];
  if (period === null || path === undefined) return null;
  const stepMs = (period * 1000) / paths.length;
  // A clock that was set back must not end it.
  const sinceMs = position === null || position.atMs > nowMs ? 0 : nowMs - position.atMs;
  return { path, inMs: Math.max(1, stepMs - sinceMs) };
}

async function compare(
  directory: string,
  path: string,
  { cache, rest }: { cache: Pick<CacheStore, 'find'>; rest: (ms: number) => Promise<unknown> },
): Promise<Notice | null> {
  const file = await lookAt(directory, path);
  const known = file === null ? null : cache.find(file);
  // Of a file that was touched since a turn finds out.
  if (file === null || known === null) return null;
  const reread = await rereadFile(directory, file, async (bytes) => {
    await rest(bytes / BYTES_PER_MS);
  });
  if (reread.kind === 'unreadable') {
    return trouble(path, 'ARCHIVE_UNREADABLE', `can no longer be read: ${reread.reason}`);
  }
  if (reread.kind === 'other' || reread.sha256 === known.sha256) return null;
  const message = `its bytes went bad on the disk: sha256 was ${known.sha256}, is ${reread.sha256}, and nobody wrote it since`;
  return trouble(path, 'ARCHIVE_DIFFERS', message);
}

function trouble(path: string, code: 'ARCHIVE_DIFFERS' | 'ARCHIVE_UNREADABLE', message: string): Notice {
  const hint = 'restore it from a copy; until then whoever downloads it is warned';
  return { ...SILENT, event: 'error', code, paths: [path], message, hint };
}

function readPosition(stateFolder: string): Position | null {
  try {
    const bytes = readBounded(join(stateFolder, NAME), NAME_LIMIT_BYTES);
    const value = JSON.parse(bytes?.toString() ?? 'null') as Partial<Position> | null;
    return typeof value?.path === 'string' && typeof value.atMs === 'number'
      ? { path: value.path, atMs: value.atMs }
      : null;
  } catch {
    // Only where to begin.
    return null;
  }
}

function writePosition(stateFolder: string, position: Position): void {
  try {
    writeDurably(join(stateFolder, NAME), Buffer.from(JSON.stringify(position)));
  } catch {
    // The next watch begins somewhere else.
  }
}

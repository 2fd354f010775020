import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { quietly, readBounded, writeDurably } from '../disk/files.js';
import type { FileEntries } from '../model/file-entry.js';
import { orElse } from '../model/or-null.js';
import { compareText } from '../model/package.js';
import { parseDuration } from '../model/settings.js';
import type { Settings } from '../model/settings.js';
import type { FactsCache } from '../release/facts-cache.js';
import type { Run } from '../run.js';
import { SILENT } from './notices.js';
import type { Notice } from './notices.js';
import { lookAt, rereadFile } from './reread.js';

/** Reads the published files again, one after the other, while a watch runs. */
export interface Scrubber {
  /** When it has something new to say; Infinity while it has nothing. */
  readonly dueMs: () => number;
  /** Everything that is wrong now. */
  readonly news: () => readonly Notice[];
  readonly stop: () => Promise<void>;
}

export interface ScrubOptions {
  readonly settings: () => Settings;
  /** What is published; null while nothing is. */
  readonly files: () => FileEntries | null;
  /** Knows the hashes of files that nobody has changed since. */
  readonly cache: Pick<FactsCache, 'find'>;
  readonly run: Pick<Run, 'clock' | 'stateFolder'>;
}

/** The file that was read last, and when. */
interface Position {
  readonly path: string;
  readonly atMs: number;
}

const NAME = 'scrub';
const NAME_LIMIT_BYTES = 4096;
/** How often we check settings and clock. */
const GLANCE_MS = 5000;
const SAVE_MS = 60_000;
/** Leaves most of the disk's time to others. */
const BYTES_PER_MS = 32 * 1024;

/**
 * Finds what the cache never would: bytes that went bad on the disk although nobody wrote the file (cli contract,
 * `Scrub`). One round over all files takes as long as the setting says, spread evenly; a new watch continues where the
 * last one ended.
 */
export function startScrub(directory: string, options: ScrubOptions): Scrubber {
  const { clock, stateFolder } = options.run;
  const stop = new AbortController();
  const found = new Map<string, Notice>();
  const said = new Set<string>();
  const isStopped = () => stop.signal.aborted;
  const rest = (ms: number) => sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined);
  let position = readPosition(stateFolder);
  let savedMs = 0;

  async function run(): Promise<void> {
    while (!isStopped()) {
      const next = nextStep(position, clock().getTime(), options);
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
    const atMs = clock().getTime();
    position = { path, atMs };
    if (Math.abs(atMs - savedMs) < SAVE_MS) return;
    savedMs = atMs;
    writePosition(stateFolder, position);
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
      if (position !== null) writePosition(stateFolder, position);
    },
  };
}

/** The next file, and in how many milliseconds to read it. Null if there is none. */
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
  // Counts from now if the clock was set back.
  const sinceMs = position === null || position.atMs > nowMs ? 0 : nowMs - position.atMs;
  return { path, inMs: Math.max(1, stepMs - sinceMs) };
}

async function compare(
  directory: string,
  path: string,
  { cache, rest }: { cache: ScrubOptions['cache']; rest: (ms: number) => Promise<unknown> },
): Promise<Notice | null> {
  const file = await lookAt(directory, path);
  const known = file === null ? null : cache.find(file);
  // A cycle handles a file that somebody changed.
  if (file === null || known === null) return null;
  const reread = await rereadFile(directory, file, (bytes) => rest(bytes / BYTES_PER_MS));
  if (reread.kind === 'unreadable') {
    return trouble(path, 'LISTED_FILE_UNREADABLE', `can no longer be read: ${reread.reason}`);
  }
  if (reread.kind === 'other' || reread.sha256 === known.sha256) return null;
  const message = `its bytes went bad on the disk: sha256 was ${known.sha256}, is ${reread.sha256}, and nobody has written to it since`;
  return trouble(path, 'FILE_DIFFERS', message);
}

function trouble(path: string, code: 'FILE_DIFFERS' | 'LISTED_FILE_UNREADABLE', message: string): Notice {
  const hint = 'restore it from a copy; until then everybody who downloads it gets a warning';
  return { ...SILENT, event: 'error', code, paths: [path], message, hint };
}

function readPosition(stateFolder: string): Position | null {
  // Without one that can be read it begins with the first file.
  return orElse(() => {
    const bytes = readBounded(join(stateFolder, NAME), NAME_LIMIT_BYTES);
    const { path, atMs } = JSON.parse(bytes?.toString() ?? '{}') as Partial<Position>;
    return typeof path === 'string' && typeof atMs === 'number' ? { path, atMs } : null;
  }, null);
}

function writePosition(stateFolder: string, position: Position): void {
  // Without it the next watch begins with the first file.
  quietly(() => writeDurably(join(stateFolder, NAME), Buffer.from(JSON.stringify(position))));
}

import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, utimesSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect } from 'vitest';
import type { Database } from '../../src/model/database.js';
import { decodeDatabase } from '../../src/format/database.js';
import { newKey, newPlace } from '../packsign.js';
import type { NewKeyOptions, Place, TestKey } from '../packsign.js';
import { hasTool } from '../tools.js';

/** One line of `watch --json`. */
export interface Line {
  readonly event: string;
  readonly at: string;
  readonly issued: string | null;
  readonly code: string | null;
  readonly paths: readonly string[];
  readonly message: string | null;
  readonly hint: string | null;
  readonly warnings: readonly { readonly code: string; readonly path: string | null }[];
  readonly uncovered: readonly { readonly path: string; readonly reason: string }[] | null;
}

/** The expected parts of an event. */
export type Wanted = Partial<Pick<Line, 'event' | 'code' | 'paths'>>;

/** A `packsign watch` that runs. */
export interface Watching {
  readonly pid: number;
  /** Every line so far. */
  readonly lines: readonly Line[];
  /** Waits for the next line like this. Skips those before it, and lists them if it does not come. */
  readonly until: (wanted: Wanted) => Promise<Line>;
  /** The lines of a while. */
  readonly during: (ms: number) => Promise<readonly Line[]>;
  /** Asks it to stop, waits for its end and returns its exit status. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>;
  /** Waits for it to end by itself. */
  readonly ended: () => Promise<number | null>;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

export interface WatchOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Runs as this user, since the one who runs the tests may be root. */
  readonly uid?: number;
  /** Without --json. */
  readonly human?: boolean;
  /** Runs another program with packsign's command line. */
  readonly through?: readonly [string, ...string[]];
}

const PROGRAM = resolve('dist/bin/packsign.js');
/** Far more than anything here takes, even on two slow cores that run other tests too. */
export const PATIENCE_MS = 45_000;

const running = new Set<ChildProcessWithoutNullStreams>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Ends every process that a failed test left. */
export function endAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

export function startWatch(place: Place, args: readonly string[] = [], options: WatchOptions = {}): Watching {
  const line = [
    ...(options.through ?? []),
    process.execPath,
    PROGRAM,
    'watch',
    ...(args.length > 0 && args[0]?.startsWith('-') === false ? [] : ['dist']),
    ...(options.human === true ? [] : ['--json']),
    ...args,
  ] as const;
  const [program = '', ...rest] = line;
  const child = spawn(program, rest, {
    cwd: place.root,
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    env: {
      PATH: process.env['PATH'],
      HOME: place.path('home'),
      XDG_STATE_HOME: place.path('state'),
      ...options.env,
    },
  });
  running.add(child);
  let stdout = '';
  let stderr = '';
  const lines: Line[] = [];
  let heard: () => void = () => undefined;
  let isOver = false;
  const over = new Promise<number | null>((done) => {
    child.on('close', (status) => {
      isOver = true;
      running.delete(child);
      heard();
      done(status);
    });
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (options.human === true) return;
    for (const one of stdout.split('\n').slice(lines.length, -1)) lines.push(JSON.parse(one) as Line);
    heard();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));

  let passed = 0;
  const describe = () => `${lines.map((one) => JSON.stringify(one)).join('\n')}\n${stderr}`;
  const until = async (wanted: Wanted): Promise<Line> => {
    const endMs = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = lines.findIndex((one, index) => index >= passed && isLike(one, wanted));
      if (found >= 0) {
        passed = found + 1;
        return lines[found]!;
      }
      if (isOver || Date.now() > endMs) {
        throw new Error(
          `no event like ${JSON.stringify(wanted)} (${isOver ? 'ended' : 'late'}):\n${describe()}`,
        );
      }
      await new Promise<void>((done) => {
        const timer = setTimeout(done, 1000);
        heard = () => {
          clearTimeout(timer);
          done();
        };
      });
    }
  };
  const ended = async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    const status = await over;
    clearTimeout(timer);
    return status;
  };
  return {
    pid: child.pid ?? 0,
    lines,
    until,
    during: async (ms) => {
      const before = lines.length;
      await sleep(ms);
      return lines.slice(before);
    },
    ended,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      return await ended();
    },
    stdout: () => stdout,
    stderr: () => stderr,
  };
}

function isLike(line: Line, wanted: Wanted): boolean {
  return (
    (wanted.event === undefined || line.event === wanted.event) &&
    (wanted.code === undefined || line.code === wanted.code) &&
    (wanted.paths === undefined || wanted.paths.join('\n') === line.paths.join('\n'))
  );
}

export function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

/** Waits for something to become true. */
export async function eventually(what: string, isTrue: () => boolean): Promise<void> {
  const endMs = Date.now() + PATIENCE_MS;
  while (!isTrue()) {
    if (Date.now() > endMs) throw new Error(`never came true: ${what}`);
    await sleep(20);
  }
}

/** A place with a key in it, `key.asc` outside of the directory. */
export async function watchedPlace(options: NewKeyOptions = {}): Promise<{ place: Place; key: TestKey }> {
  const place = newPlace();
  const key = await newKey('Ada', options);
  place.write('key.asc', key.secret);
  place.write('pub.asc', key.certificate);
  return { place, key };
}

/** Puts a file under its name by rename, complete at once; its last write was a while ago. */
export function drop(place: Place, name: string, bytes: string | Uint8Array): void {
  const made = place.write('incoming/file', bytes);
  utimesSync(made, 1_700_000_000, 1_700_000_000);
  mkdirSync(dirname(place.path(name)), { recursive: true });
  renameSync(made, place.path(name));
}

/** The published database, without verifying it. */
export function published(place: Place, name = 'dist'): Database {
  return decodeDatabase(place.read(`${name}/packages.plist`));
}

/** Paths that the published database lists. */
export function listed(place: Place, name = 'dist'): readonly string[] {
  return Array.from(published(place, name).Files.keys());
}

/** Checks `packages.plist` and the signature beside it against `keys.gpg`, with gpgv. */
export function gpgvState(folder: string): 'good' | 'none' | 'bad' | 'unsigned' {
  const database = join(folder, 'packages.plist');
  if (!existsSync(database)) return 'none';
  const sha256 = createHash('sha256').update(readFileSync(database)).digest('hex');
  const signature = join(folder, 'signatures', `${sha256}.asc`);
  if (!existsSync(signature)) return 'unsigned';
  if (!hasTool('gpgv')) return 'good';
  const { status } = spawnSync('gpgv', ['--keyring', join(folder, 'keys.gpg'), signature, database]);
  return status === 0 ? 'good' : 'bad';
}

/** The invariant of docs/FORMAT.md §1, as users see it: every listed file is there as it was signed. */
export async function expectSound(place: Place, name = 'dist'): Promise<void> {
  expect(gpgvState(place.path(name))).toBe('good');
  const { status, run } = await place.json(['verify', name, '--keys', 'pub.asc']);
  expect(status, run.stdout).toBe(0);
}

/** Temporary files anywhere in a folder: none may stay. */
export function leftovers(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => /\.tmp$|\.dead$/.test(name));
}

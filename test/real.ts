import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { runHere } from './run.js';
import type { Run as Ran } from './run.js';

/** A folder with a home, a key and directories: everything that a run may see of its machine. */
export interface Workshop {
  readonly folder: string;
  /** An unlocked secret key. */
  readonly key: string;
  readonly environment: Readonly<Record<string, string>>;
}

export interface Run {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Seconds since 1970 at which `makeWorkshop` makes its key: a little ago, so that builds come after it. */
export const KEY_MADE = Math.floor(Date.now() / 1000) - 300;

export async function makeWorkshop(): Promise<Workshop> {
  const folder = mkdtempSync(join(tmpdir(), 'packsign-real-'));
  const environment = { PATH: process.env['PATH'] ?? '', HOME: join(folder, 'home'), LC_ALL: 'C.UTF-8' };
  mkdirSync(environment.HOME);
  const workshop = { folder, key: join(folder, 'key.asc'), environment };
  await succeed(
    workshop,
    [
      'key',
      'generate',
      '--user-id',
      'Real Maintainer <real@example.org>',
      '--no-passphrase',
      '--output',
      workshop.key,
    ],
    KEY_MADE,
  );
  return workshop;
}

/** Runs packsign inside this process. `at` is what it takes for now, in seconds. */
export function packsign(workshop: Workshop, args: readonly string[], at?: number): Promise<Ran> {
  return runHere(args, { cwd: workshop.folder, env: environmentAt(workshop, at) });
}

/** Runs packsign, which must end with 0, and gives what it printed. */
export async function succeed(workshop: Workshop, args: readonly string[], at?: number): Promise<string> {
  const { status, stdout, stderr } = await packsign(workshop, args, at);
  if (status === 0) return stdout;
  throw new Error(`packsign ${args.join(' ')} ended with ${String(status)}:\n${stderr}${stdout}`);
}

function environmentAt({ environment }: Workshop, at?: number): Readonly<Record<string, string>> {
  return at === undefined ? environment : { ...environment, SOURCE_DATE_EPOCH: String(at) };
}

/** Runs any program as packsign is run. */
export function run(workshop: Workshop, command: readonly string[], at?: number): Run {
  const [program = '', ...args] = command;
  const options = {
    cwd: workshop.folder,
    env: environmentAt(workshop, at),
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  } as const;
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, options);
  if (error !== undefined) throw error;
  return { status, signal, stdout, stderr };
}

/** The same without waiting. */
export function start(workshop: Workshop, command: readonly string[], at?: number): Promise<Run> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    cwd: workshop.folder,
    env: environmentAt(workshop, at),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (piece: Buffer) => (output.stdout += piece.toString()));
  child.stderr.on('data', (piece: Buffer) => (output.stderr += piece.toString()));
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (status, signal) => {
      done({ status, signal, ...output });
    });
  });
}

/** Writes an sdist with PKG-INFO, setup.py and whatever else is named, always the same bytes. */
export function writeSdist(
  path: string,
  { name, version, more = {} }: { name: string; version: string; more?: Readonly<Record<string, string>> },
): void {
  const files = {
    'PKG-INFO': `Metadata-Version: 1.0\nName: ${name}\nVersion: ${version}\nSummary: The package ${name}\n`,
    'setup.py': `from distutils.core import setup\nsetup(name=${JSON.stringify(name)})\n`,
    ...more,
  };
  const members = Object.entries(files).map(([file, text]) => tarMember(`${name}-${version}/${file}`, text));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, gzipSync(Buffer.concat([...members, Buffer.alloc(1024)])));
}

/** One file of a ustar archive: its header, and its bytes filled up to whole blocks. */
function tarMember(path: string, text: string): Buffer {
  const bytes = Buffer.from(text);
  const header = Buffer.alloc(512);
  const octal = (number: number, digits: number) => number.toString(8).padStart(digits, '0');
  header.write(path, 0, 'latin1');
  header.write(`${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100, 'latin1');
  header.write(`${octal(bytes.length, 11)}\0${octal(1_700_000_000, 11)}\0        0`, 124, 'latin1');
  header.write('ustar\u000000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** Every file below a folder, but those for which `leaveOut` holds: path → SHA-256. */
export function contentsOf(
  folder: string,
  leaveOut: (path: string) => boolean = () => false,
): Readonly<Record<string, string>> {
  const paths = existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    : [];
  return Object.fromEntries(
    paths
      .filter((path) => !leaveOut(path))
      .sort()
      .map((path) => [path, sha256(readFileSync(join(folder, path)))]),
  );
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A copy of a directory that may be spoilt. */
export function copyOf(directory: string, name: string): string {
  const copy = join(dirname(directory), name);
  cpSync(directory, copy, { recursive: true, preserveTimestamps: true });
  return copy;
}

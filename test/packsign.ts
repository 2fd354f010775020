import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect } from 'vitest';
import { generateKey } from '../src/keys/generate.js';
import { runHere, runProcess } from './run.js';
import type { ProcessOptions, Run, Surroundings } from './run.js';

export type { Run } from './run.js';

export type RunOptions = Partial<Omit<Surroundings, 'cwd'>>;

/** A temporary folder in which packsign runs, with a HOME of its own beside the directory `dist`. */
export interface Place {
  readonly root: string;
  /** Runs the program inside this process. */
  readonly packsign: (args: readonly string[], options?: RunOptions) => Promise<Run>;
  /** The same with --json: its one object. The test ends where there is anything else on stdout. */
  readonly json: (args: readonly string[], options?: RunOptions) => Promise<Answer>;
  /** Runs it in a process of its own, where signals, descriptors or memory matter. */
  readonly process: (args: readonly string[], options?: Partial<Omit<ProcessOptions, 'cwd'>>) => Promise<Run>;
  readonly write: (name: string, bytes: string | Uint8Array) => string;
  readonly read: (name: string) => Buffer;
  readonly text: (name: string) => string;
  readonly has: (name: string) => boolean;
  readonly remove: (name: string) => void;
  readonly path: (name: string) => string;
  /** Every file below a folder with its bytes in hex, but for the working state. */
  readonly snapshot: (name?: string) => Readonly<Record<string, string>>;
}

/** One JSON object as it was printed, and how the program ended. */
export interface Answer {
  readonly status: number | null;
  readonly value: Record<string, unknown>;
  readonly run: Run;
}

const roots: string[] = [];

afterAll(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

export function newPlace(): Place {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'packsign-test-')));
  roots.push(root);
  mkdirSync(join(root, 'home'));
  mkdirSync(join(root, 'dist'));
  const path = (name: string) => join(root, name);
  const environment = { PATH: process.env['PATH'], HOME: path('home'), XDG_STATE_HOME: path('state') };
  const packsign: Place['packsign'] = async (args, { env = {}, ...more } = {}) =>
    await described(runHere(args, { ...more, cwd: root, env: { ...environment, ...env } }));
  return {
    root,
    path,
    packsign,
    json: async (args, options) => answerOf(await packsign([...args, '--json'], options)),
    process: async (args, { env = {}, ...more } = {}) =>
      await described(runProcess(args, { ...more, cwd: root, env: { ...environment, ...env } })),
    write: (name, bytes) => {
      mkdirSync(dirname(path(name)), { recursive: true });
      writeFileSync(path(name), bytes);
      // As packsign itself writes a key: it warns of one that others can read.
      if (isSecretKey(Buffer.from(bytes))) chmodSync(path(name), 0o600);
      return path(name);
    },
    read: (name) => readFileSync(path(name)),
    text: (name) => readFileSync(path(name), 'utf8'),
    has: (name) => existsSync(path(name)),
    remove: (name) => rmSync(path(name), { recursive: true }),
    snapshot: (name = 'dist') => snapshotOf(path(name)),
  };
}

/** Holds what --json printed against its schema, whatever the test is about. */
async function described(running: Promise<Run>): Promise<Run> {
  const run = await running;
  if (!run.args.includes('--json') || run.args.includes('-h')) return run;
  const { expectDescribed } = await import('./cli/output.js');
  expectDescribed(run.args, run.stdout.split('\n').slice(0, -1));
  return run;
}

/** Armored, or binary: a packet of the type 5. */
function isSecretKey(bytes: Buffer): boolean {
  return bytes.includes('-----BEGIN PGP PRIVATE KEY BLOCK') || [0x94, 0x95, 0xc5].includes(bytes[0] ?? 0);
}

function answerOf(run: Run): Answer {
  expect(run.stdout.endsWith('\n'), run.stderr).toBe(true);
  expect(run.stdout.split('\n')).toHaveLength(2);
  return { run, status: run.status, value: JSON.parse(run.stdout) as Record<string, unknown> };
}

function snapshotOf(folder: string): Readonly<Record<string, string>> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
    .filter(({ entry, path }) => entry.isFile() && !path.includes('/.packsign/'));
  return Object.fromEntries(
    files
      .map(({ path }) => [path.slice(folder.length + 1), readFileSync(path).toString('hex')] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** The code of the one error object that a failing command prints with --json. */
export function codeOf({ value }: Answer): unknown {
  return (value['error'] as Record<string, unknown> | undefined)?.['code'];
}

/** A session as a person sees it, with a name for everything that differs from run to run. */
export function transcript({ args, stdout, stderr, status }: Run): string {
  const marked = stderr.split('\n').slice(0, -1);
  return plain(
    [
      `$ packsign ${args.join(' ')}`,
      ...stdout.split('\n').slice(0, -1),
      ...marked.map((line) => `! ${line}`),
      `[${status}]`,
    ].join('\n'),
  );
}

/** Text with dates, hashes, fingerprints and temporary paths replaced, and what depends on the age of files. */
export function plain(text: string): string {
  return text
    .replace(/\(\d+ hashed, \d+ known\)/g, '(<n> hashed, <n> known)')
    .replace(/\/[\w./-]*packsign-test-\w+/g, '<root>')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<date>')
    .replace(/\b[0-9a-f]{64}\b/g, '<sha256>')
    .replace(/\b[0-9A-F]{40}\b/g, '<fingerprint>')
    .replace(/\b(?:[0-9A-F]{4} ){5}(?: [0-9A-F]{4}){5}/g, '<fingerprint in groups>');
}

export interface Member {
  readonly path: string;
  readonly bytes: string | Uint8Array;
}

/** A gzip-compressed tar, the same for the same members on every machine: nothing is really compressed. */
export function tarball(members: readonly Member[]): Buffer {
  const blocks = members.flatMap(({ path, bytes }) => {
    const content = Buffer.from(bytes);
    return [headerOf(path, content.length), content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]), { level: 0 });
}

function headerOf(path: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(path, 0, 100);
  block.write('0000644\0', 100);
  block.write(size.toString(8).padStart(11, '0'), 124);
  block.write('0', 156);
  block.write('ustar\x0000', 257, 'latin1');
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** A source distribution of one small module; `body` makes other bytes of the same name and version. */
export function sdist(name: string, version: string, body = 'x = 1\n'): Buffer {
  const info = `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\nSummary: does ${name}\n\n`;
  const top = `${name}-${version}`;
  return tarball([
    { path: `${top}/PKG-INFO`, bytes: info },
    { path: `${top}/${name}.py`, bytes: body },
  ]);
}

/** What `npm pack` makes. */
export function npmTarball(name: string, version: string, more: object = {}): Buffer {
  return tarball([{ path: 'package/package.json', bytes: JSON.stringify({ name, version, ...more }) }]);
}

/** A zip without members. Its comment tells it from others. */
export function emptyZip(comment: string): Buffer {
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([end, Buffer.from(comment)]);
}

export interface TestKey {
  readonly fingerprint: string;
  /** The four files of `key generate`. */
  readonly secret: string;
  readonly signing: string;
  readonly certificate: string;
  readonly revocation: string;
}

/** Old enough for every date that tests build with. */
export const KEY_BORN = new Date('2025-01-01T00:00:00Z');

export interface NewKeyOptions {
  readonly passphrase?: string;
  readonly born?: Date;
  readonly lifeSeconds?: number;
}

/** A key as `packsign key generate` makes it, without the wait for a process. */
export async function newKey(name: string, options: NewKeyOptions = {}): Promise<TestKey> {
  const key = await generateKey({
    userId: `${name} <${name.toLowerCase()}@example.org>`,
    passphrase: options.passphrase ?? null,
    expiresInSeconds: options.lifeSeconds ?? null,
    rsa: false,
    date: options.born ?? KEY_BORN,
  });
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  return {
    fingerprint: key.fingerprint,
    secret: text(key.secret),
    signing: text(key.signing),
    certificate: text(key.certificate),
    revocation: text(key.revocation),
  };
}

/** Seconds for SOURCE_DATE_EPOCH. */
export function epoch(date: string | Date): Readonly<Record<string, string>> {
  return { SOURCE_DATE_EPOCH: String(Math.floor(new Date(date).getTime() / 1000)) };
}

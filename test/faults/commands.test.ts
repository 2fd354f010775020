import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reasonOf } from '../../src/errors.js';
import { KEY_MADE, contentsOf, makeWorkshop, packsign, succeed, writeSdist } from '../real.js';
import type { Run, Workshop } from '../real.js';
import { canInject, injected, momentsOf } from './inject.js';
import type { Call, Fault } from './inject.js';
import { makeLaneOf } from './lane.js';
import type { Lane } from './lane.js';
import { expectSound } from './sound.js';

const FIRST = KEY_MADE + 100;
const LATER = KEY_MADE + 200;
/** npm run soak */
const IS_SOAK = process.env['PACKSIGN_SOAK_SECONDS'] !== undefined;
/** Of the failures of each command, npm test tries about so many. */
const SAMPLE = 1;

type Errors = readonly Extract<Fault, { kind: 'fail' }>['error'][];

/** The errors of each call when a disk is full, broken or not writable, or lacks what others can. */
const ERRORS: Readonly<Record<string, Errors>> = {
  write: ['ENOSPC', 'EIO', 'EDQUOT'],
  fsync: ['EIO', 'ENOSPC'],
  rename: ['EACCES', 'EROFS'],
  open: ['EACCES', 'EMFILE', 'EROFS'],
  mkdir: ['EACCES', 'ENOSPC', 'EDQUOT'],
  link: ['ENOSPC', 'EPERM'],
  unlink: ['EACCES', 'EROFS'],
  fchmod: ['EPERM', 'EIO'],
};

interface Writing {
  readonly name: string;
  readonly args: (lane: Lane) => readonly string[];
  readonly prepare?: (lane: Lane) => unknown;
  /** The error of the same command when a run had done everything already. */
  readonly done?: string;
  /** Whether a waiting database is what it makes. */
  readonly waits?: boolean;
}

const wwwOf = (lane: Lane) => join(lane.folder, 'www');
const keyOf = (lane: Lane, name = 'key.asc') => join(lane.folder, 'keys', name);
const addressOf = (lane: Lane) => `file://${lane.directory}/`;
const trustAdd = (lane: Lane) => [
  ...['trust', 'add', addressOf(lane), '--name', 'shop'],
  ...['--keys', join(lane.directory, 'keys.asc')],
];
const generate = (path: string) => [
  ...['key', 'generate', '--user-id', 'New <new@example.org>', '--no-passphrase', '--output', path],
];

const build = (lane: Lane) => ['build', lane.directory, '--key', keyOf(lane)];

async function trust(lane: Lane): Promise<void> {
  await succeed(lane, trustAdd(lane));
}

/** Another machine published past this one. */
async function publishElsewhere(lane: Lane): Promise<void> {
  const other = join(lane.folder, 'other');
  cpSync(lane.directory, other, { recursive: true, preserveTimestamps: true });
  add(other, 'python');
  await succeed(lane, ['build', other, '--key', keyOf(lane)], LATER - 50);
  await succeed(lane, build(lane), LATER - 40);
  add(lane.directory, 'python');
}

/** A database for PackMan, made by hand. */
function writeForeign(lane: Lane): void {
  const entry = '<key>Name</key><string>adder</string><key>Version</key><string>1.0</string>';
  const packages = `<key>Packages</key><array><dict>${entry}<key>Download-URL</key><string>adder-1.0.tar.gz</string><key>Description</key><string>bites</string></dict></array>`;
  writeFileSync(
    join(lane.folder, 'old.plist'),
    `<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict><key>Maintainer</key><string>Jack</string>${packages}</dict></plist>\n`,
  );
}

/** The directory begins anew without a file that readers know. */
async function beginAnew(lane: Lane): Promise<void> {
  for (const name of readdirSync(lane.directory))
    if (/^(?:packages|keys|boa|signatures|SHA256SUMS)/.test(name))
      rmSync(join(lane.directory, name), { recursive: true });
  await succeed(lane, [...build(lane), '--first'], LATER - 40);
}

const COMMANDS: readonly Writing[] = [
  { name: 'build', args: (lane) => ['build', lane.directory], waits: true },
  { name: 'build --key', args: build },
  {
    name: 'build --key of a yank',
    args: build,
    prepare: (lane) => {
      const yank = '{ "Page": true, "Packages": { "boa-1.0.tar.gz": { "Yanked": "bites" } } }';
      writeFileSync(join(lane.directory, 'packsign.json'), yank);
    },
  },
  {
    name: 'build --import',
    args: (lane) => [...build(lane), '--import', join(lane.folder, 'old.plist')],
    prepare: (lane) => {
      for (const name of readdirSync(lane.directory))
        if (!name.endsWith('.gz')) rmSync(join(lane.directory, name), { recursive: true });
      writeForeign(lane);
    },
  },
  {
    name: 'build --adopt',
    args: (lane) => [...build(lane), '--adopt', join(lane.folder, 'other', 'packages.plist')],
    prepare: publishElsewhere,
  },
  {
    name: 'sign',
    args: (lane) => ['sign', lane.directory, '--key', keyOf(lane)],
    prepare: (lane) => succeed(lane, ['build', lane.directory], LATER),
    done: 'NOTHING_TO_SIGN',
  },
  {
    name: 'sign --co-sign',
    args: (lane) => ['sign', lane.directory, '--co-sign', '--key', keyOf(lane, 'new.asc')],
    prepare: async (lane) => {
      await succeed(lane, generate(keyOf(lane, 'new.asc')), KEY_MADE);
      const certificate = keyOf(lane, 'new.pub.asc');
      await succeed(lane, ['key', 'publish', lane.directory, '--certificate', certificate], LATER - 10);
    },
    done: 'NOTHING_TO_SIGN',
  },
  { name: 'watch', args: (lane) => ['watch', lane.directory, '--once', '--key', keyOf(lane)] },
  {
    name: 'page',
    args: (lane) => ['page', lane.directory],
    prepare: async (lane) => {
      await succeed(lane, build(lane), LATER);
      for (const name of ['index.html', 'assets']) rmSync(join(lane.directory, name), { recursive: true });
    },
  },
  {
    name: 'init',
    args: (lane) => ['init', lane.directory, '--maintainer', 'Ann <ann@example.org>'],
    prepare: (lane) => {
      rmSync(join(lane.directory, 'packsign.json'));
    },
    done: 'FILE_EXISTS',
  },
  { name: 'key generate', args: (lane) => generate(keyOf(lane, 'new.asc')), done: 'FILE_EXISTS' },
  { name: 'key rotate', args: (lane) => ['key', 'rotate', keyOf(lane), lane.directory] },
  {
    name: 'key rotate --output',
    args: (lane) => ['key', 'rotate', keyOf(lane), lane.directory, '--output', keyOf(lane, 'new.asc')],
    done: 'FILE_EXISTS',
  },
  { name: 'key extend', args: (lane) => ['key', 'extend', keyOf(lane), lane.directory] },
  {
    name: 'key revoke',
    args: (lane) => ['key', 'revoke', keyOf(lane), lane.directory, '--reason', 'retired'],
  },
  {
    name: 'key publish',
    args: (lane) => ['key', 'publish', lane.directory, '--certificate', keyOf(lane, 'new.pub.asc')],
    prepare: (lane) => succeed(lane, generate(keyOf(lane, 'new.asc')), KEY_MADE),
  },
  {
    name: 'publish',
    args: (lane) => ['publish', lane.directory, wwwOf(lane)],
    prepare: async (lane) => {
      mkdirSync(wwwOf(lane));
      await succeed(lane, ['publish', lane.directory, wwwOf(lane)], LATER);
      await succeed(lane, build(lane), LATER);
    },
  },
  { name: 'trust add', args: trustAdd, done: 'TRUST_EXISTS' },
  {
    name: 'trust refresh',
    args: () => ['trust', 'refresh', 'shop'],
    prepare: async (lane) => {
      await trust(lane);
      await succeed(lane, build(lane), LATER);
    },
  },
  {
    name: 'trust accept',
    args: () => ['trust', 'accept', 'shop', '--yes'],
    prepare: async (lane) => {
      await trust(lane);
      await beginAnew(lane);
    },
  },
  {
    name: 'trust remove',
    args: () => ['trust', 'remove', 'shop'],
    prepare: trust,
    done: 'NOT_TRUSTED',
  },
  {
    name: 'list',
    args: () => ['list', 'shop'],
    prepare: async (lane) => {
      await trust(lane);
      await succeed(lane, build(lane), LATER);
    },
  },
  {
    name: 'get',
    args: (lane) => ['get', 'adder', 'boa', '--from', 'shop', '--output', join(lane.folder, 'out')],
    prepare: trust,
  },
];

let workshop: Workshop;
let machine: string;
const counts = { kills: 0, states: 0, failures: 0 };

describe.runIf(canInject())(
  'wherever it is killed, or a call fails, the same command goes on, and leaves nothing behind',
  () => {
    beforeAll(async () => {
      workshop = await makeWorkshop();
      machine = join(workshop.folder, 'machine');
      const directory = join(machine, 'dist');
      for (const name of ['home', 'keys']) mkdirSync(join(machine, name), { recursive: true });
      for (const name of ['adder', 'boa']) add(directory, name);
      writeFileSync(
        join(directory, 'packsign.json'),
        '{ "Page": true, "Checksums": true, "Settle": "1 second" }',
      );
      const key = join(machine, 'keys', 'key.asc');
      await succeed(workshop, generate(key), KEY_MADE);
      await succeed(workshop, ['build', directory, '--key', key], FIRST);
      add(directory, 'cobra');
    });

    afterAll(() => {
      const { kills, states, failures } = counts;
      console.log(`${kills + failures} faults: ${kills} kills (${states} states), ${failures} failed calls`);
      rmSync(workshop.folder, { recursive: true, force: true });
    });

    it.each(COMMANDS)('$name', async (writing) => {
      const lane = makeLaneOf(workshop, machine);
      await writing.prepare?.(lane);
      const start = `${lane.folder}.start`;
      cpSync(lane.folder, start, { recursive: true, preserveTimestamps: true });
      const running = { args: writing.args(lane), at: LATER };
      const moments = await momentsOf(lane, running);
      const seen = new Set<string>();
      for (const { call, fault, copy } of sampled(moments)) {
        counts.kills += 1;
        await naming(call, fault, async () => {
          lane.restore(copy);
          await expectToGoOn(lane, writing, seen);
        });
      }
      const calls = moments.filter(({ fault }) => fault.kind === 'kill').map(({ call }) => call);
      for (const { call, fault } of sampled(failuresOf(calls))) {
        counts.failures += 1;
        await naming(call, fault, async () => {
          lane.restore(start);
          expectToSayWhy(await injected(lane, { ...running, call, fault }));
          await expectToGoOn(lane, writing, seen);
        });
      }
      counts.states += seen.size;
    });
  },
);

function add(directory: string, name: string): void {
  writeSdist(join(directory, `${name}-1.0.tar.gz`), { name, version: '1.0' });
}

async function naming(call: Call, fault: Fault, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const what = fault.kind === 'fail' ? fault.error : fault.kind;
    throw new Error(`${what} at ${call.number}, ${call.name} ${call.path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function failuresOf(calls: readonly Call[]): readonly { readonly call: Call; readonly fault: Fault }[] {
  return calls.flatMap((call) =>
    (ERRORS[call.name] ?? []).map((error) => ({ call, fault: { kind: 'fail', error } as const })),
  );
}

function sampled<T>(all: readonly T[]): readonly T[] {
  const step = IS_SOAK ? 1 : Math.max(1, Math.floor(all.length / SAMPLE));
  return all.filter((_, index) => index % step === step >> 1);
}

function expectToSayWhy({ status, stdout, stderr }: Run): void {
  expect([0, 1, 2], stderr).toContain(status);
  expect(stderr).not.toMatch(/internal error|a bug/);
  if (status === 2) expect(stderr + stdout).toMatch(/\(E[A-Z]+\)/);
}

/** What is there is sound; the same command succeeds or had done everything; nothing is left over. Once for each state. */
async function expectToGoOn(
  lane: Lane,
  { args, done, waits = false }: Writing,
  seen: Set<string>,
): Promise<void> {
  const state = stateOf(lane.folder);
  if (seen.has(state)) return;
  seen.add(state);
  await expectSound(lane, lane.directory);
  await expectReadable(lane);
  expectWholeKeys(lane);
  const [command, verb, file = '', directory] = args(lane);
  const published =
    command === 'key' && verb === 'rotate' ? await subkeysIn(lane, `${directory ?? ''}/keys.asc`) : 0;
  const { status, stdout, stderr } = await packsign(lane, [...args(lane), '--json'], LATER + 1);
  if (status !== 0) expect(stdout, stderr).toContain(`"code":"${done ?? 'none'}"`);
  if (published > 0 && status === 0) {
    const output = args(lane).at(-2) === '--output' ? (args(lane).at(-1) ?? '') : file;
    expect(await subkeysIn(lane, output), 'subkeys').toBe(published + 1);
  }
  await expectSound(lane, lane.directory);
  await expectReadable(lane);
  expectWholeKeys(lane);
  expect(leftoversIn(lane.folder, waits)).toEqual([]);
}

/** Readers of what is published elsewhere miss nothing. What is there before its database harms nobody. */
async function expectReadable(lane: Lane): Promise<void> {
  const www = wwwOf(lane);
  if (!existsSync(join(www, 'packages.plist'))) return;
  const { status, stdout } = await packsign(lane, ['verify', www, '--keys', join(www, 'keys.asc')]);
  expect(status, stdout).toBe(0);
}

/** Contents by path, without the names of temporary files, and without what is random or a mere hint. */
function stateOf(folder: string): string {
  const files = Object.entries(contentsOf(folder)).map(([path, hash]) => {
    const name = path
      .replace(/-[0-9a-f]{26}\.tmp$/, '-X.tmp')
      .replace(/\.[0-9a-f]{20}\.[0-9a-f]+\.part$/, '.part');
    if (basename(path) === 'lock') return `${name} ${isJson(readFileSync(join(folder, path), 'utf8'))}`;
    const isHint = /\.packsign\/|\.tmp$/.test(name);
    return `${name.replace(/lock\.\d+/, 'lock.N')} ${isHint ? '' : hash}`;
  });
  return JSON.stringify(files.sort());
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function expectWholeKeys({ folder }: Lane): void {
  for (const name of readdirSync(join(folder, 'keys'))) {
    if (name.endsWith('.tmp')) continue;
    const text = readFileSync(join(folder, 'keys', name), 'utf8');
    expect(text, name).toMatch(/^-----BEGIN PGP [^]*-----END PGP [A-Z ]+-----\s*$/);
  }
}

async function subkeysIn(lane: Lane, path: string): Promise<number> {
  if (!existsSync(path)) return 0;
  const shown = JSON.parse(await succeed(lane, ['key', 'show', path, '--json'])) as { subkeys: unknown[] };
  return shown.subkeys.length;
}

function leftoversIn(folder: string, waits: boolean): readonly string[] {
  const left = waits ? /\.tmp$|\.part$|(?:^|\/)lock(?:$|\.)/ : /\.tmp$|\.part$|unsigned|(?:^|\/)lock(?:$|\.)/;
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => left.test(path))
    .sort();
}

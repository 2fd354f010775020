import {
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeRun } from '../../src/run.js';
import { build, loadSettings, openSigners, PacksignError } from '../../src/index.js';
import type { BuildResult, Signer } from '../../src/index.js';
import { newKey, sdist } from '../packsign.js';

// Whatever happens to a directory between two builds, a build that remembers gives the same answer as one that does not.

let root: string;
let signers: readonly Signer[];

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'packsign-shortcuts-'));
  const { signing } = await newKey('Ann');
  signers = await openSigners([signing], {
    ...{ certificates: [], environment: {}, timeoutMs: 1000, onNotice: () => undefined },
    ...{ passphrase: () => Promise.resolve(null), givenPassphrase: () => Promise.resolve(null) },
    now: new Date(),
  });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const NAMES = [
  ...['a-1.0.tar.gz', 'A-1.0.tar.gz', 'b-1.0.tar.gz', 'c-1.0.zip', 'sub/a-1.0.tar.gz', 'sub/d-2.0.tar.gz'],
  ...['bad name-1.0.zip', 'nameless.zip', 'note.txt', 'sub'],
];
const BYTES = [sdist('a', '1.0'), sdist('b', '1.0'), sdist('b', '1.0', 'y = 2\n'), Buffer.from('no archive')];
const SETTINGS = [
  {},
  { Maintainer: 'Ann <ann@example.org>', Description: 'of Ann' },
  { Packages: { 'b-1.0.tar.gz': { Yanked: 'it is bad' }, 'nameless.zip': { Name: 'n', Version: '1' } } },
  {
    Packages: {
      a: { 'Install-test': 'import a' },
      tool: { Name: 'tool', Version: '3', Description: 'by hand' },
    },
  },
  {
    Packages: {
      'a-1.0.tar.gz': { 'Download-URL': 'b-1.0.tar.gz' },
      'c-1.0.zip': { Name: 'a', Version: '1.0' },
    },
  },
  { 'Base-URL': 'https://example.org/x', Exclude: ['sub/**'] },
  { PackMan: false, Exclude: ['a-*'] },
];

interface World {
  readonly directory: string;
  /** Brings back each database that was published before. */
  readonly history: (() => void)[];
}

function put(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

/** Other bytes of the same length, with the file's old modification time. */
function editInPlace(path: string): void {
  const { atime, mtime } = statSync(path);
  const bytes = readFileSync(path);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  utimesSync(path, atime, mtime);
}

const name = fc.constantFrom(...NAMES);
const published = fc.constantFrom('packages.plist', 'keys.asc', 'packages.plist.asc');
const kept = fc.constantFrom('.packsign/facts', '.packsign/entries', '.packsign/last-build');
const content = fc.nat(BYTES.length - 1);
const place = fc.nat(SETTINGS.length - 1);

/** A step by its name, so that a failure shows what was done. */
type Step = readonly [string, ...(string | number)[]];

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('write'), name, content) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('remove'), name) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('rename'), name, name) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('link'), name, name) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('symlink'), name, name) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('folder'), name) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('edit'), fc.oneof(name, published)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('settings'), place) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('roll back'), fc.nat(4)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('remove'), kept) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('cut'), kept, fc.nat(300)) },
);

/** Does the step, or nothing if that is impossible. */
function make([act, first, second]: Step, { directory, history }: World): void {
  const [path, other] = [first, second].map((each) => join(directory, String(each))) as [string, string];
  try {
    if (act === 'write') put(path, BYTES[Number(second)] ?? Buffer.alloc(0));
    else if (act === 'remove') rmSync(path, { recursive: true });
    else if (act === 'rename') renameSync(path, other);
    else if (act === 'link') linkSync(path, other);
    else if (act === 'symlink') symlinkSync(String(first), other);
    else if (act === 'folder') mkdirSync(path, { recursive: true });
    else if (act === 'edit') editInPlace(path);
    else if (act === 'cut') truncateSync(path, Number(second));
    else if (act === 'roll back') history.at(-1 - Number(first))?.();
    else put(join(directory, 'packsign.json'), Buffer.from(JSON.stringify(SETTINGS[Number(first)])));
  } catch {
    // It was tried.
  }
}

interface Look {
  readonly steps: readonly Step[];
  readonly how: 'publish' | 'leave waiting' | 'check';
  /** Whether the files were touched long ago by the clock. */
  readonly isLate: boolean;
  readonly rehash: boolean;
  readonly isAllowed: boolean;
}

const look: fc.Arbitrary<Look> = fc.record({
  // Shortcuts are for builds without any step.
  steps: fc.oneof(fc.constant([]), fc.array(step, { minLength: 1, maxLength: 3 })),
  how: fc.constantFrom('publish', 'publish', 'publish', 'publish', 'publish', 'leave waiting', 'check'),
  isLate: fc.constantFrom(true, true, true, true, true, false),
  rehash: fc.constantFrom(false, false, false, false, false, true),
  isAllowed: fc.constantFrom(true, true, false),
});

/** The result of a build, in words. */
async function outcome(
  directory: string,
  { how, isLate, rehash, isAllowed }: Look,
  now: Date,
): Promise<object> {
  const stateFolder = join(directory, '.packsign');
  const release = {
    ...{ deterministic: true },
    signers: () => Promise.resolve(signers),
    look: () => Promise.resolve(signers),
  };
  let said: unknown;
  try {
    const {
      hashed: _1,
      cached: _2,
      released: _3,
      ...result
    }: BuildResult = await build(directory, {
      ...{ rehash, check: how === 'check', strict: false, first: false, previous: null, absent: 'withdraw' },
      settings: loadSettings(directory),
      run: {
        ...makeRun({ clock: () => new Date(Date.now() + (isLate ? 5000 : 0)), stateFolder }),
        now,
        nowFrom: 'given date',
      },
      signing: () => Promise.resolve(signers.map(({ certificate }) => certificate)),
      allowed: new Map(isAllowed ? NAMES.map((path) => [path, 'as it pleases']) : []),
      release: how === 'publish' ? release : null,
    });
    said = result;
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    said = [error.code, error.message];
  }
  const files = ['packages.plist', 'packages.unsigned.plist', 'keys.asc'].map((file) =>
    textOf(join(directory, file)),
  );
  return { said: JSON.stringify(said).replaceAll(directory, 'dist'), files };
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}

/** Saves the published files to bring them back later. */
function keep({ directory, history }: World): void {
  const path = join(directory, 'packages.plist');
  const bytes = textOf(path);
  if (bytes !== null) history.push(() => writeFileSync(path, bytes, 'latin1'));
}

/** Two changes of files within one tick of the system have the same time, and ticks are late on a busy machine. */
async function untilTimeMoves(): Promise<void> {
  const path = join(root, 'tick');
  const changed = (): bigint => {
    writeFileSync(path, '');
    return statSync(path, { bigint: true }).ctimeNs;
  };
  const before = changed();
  do await setTimeout(5);
  while (changed() === before);
}

test('a build that remembers says and publishes the same as one that knows nothing, whatever was done before', async () => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(look, { minLength: 4, maxLength: 16 }), async (looks) => {
      count += 1;
      const world: World = { directory: join(root, String(count), 'dist'), history: [] };
      const copy = join(root, String(count), 'copy');
      const start = Date.now();
      put(join(world.directory, 'e-1.0.tar.gz'), sdist('e', '1.0'));
      for (const [index, one] of looks.entries()) {
        for (const each of one.steps) make(each, world);
        cpSync(world.directory, copy, { recursive: true, verbatimSymlinks: true });
        rmSync(join(copy, '.packsign'), { recursive: true, force: true });
        const now = new Date(start + index * 60_000);
        const knowing = await outcome(world.directory, one, now);
        expect([index, knowing]).toEqual([index, await outcome(copy, one, now)]);
        rmSync(copy, { recursive: true });
        keep(world);
        await untilTimeMoves();
      }
      rmSync(dirname(world.directory), { recursive: true });
    }),
    { numRuns: process.env['PACKSIGN_SOAK_SECONDS'] === undefined ? 25 : 200 },
  );
}, 900_000);

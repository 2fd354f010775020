import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reasonOf } from '../../src/errors.js';
import { KEY_MADE, contentsOf, copyOf, makeWorkshop, succeed, writeSdist } from '../real.js';
import type { Workshop } from '../real.js';
import { canInject, changingCalls, injected } from './inject.js';
import type { Call, Fault } from './inject.js';
import { makeLanes } from './lane.js';
import type { Lane } from './lane.js';
import { expectSettled, expectSound, leftovers } from './sound.js';

const FIRST = KEY_MADE + 100;
const LATER = KEY_MADE + 200;

let workshop: Workshop;
/** Three files, nothing published. */
let fresh: string;
/** The same, published; then one file was added and one removed. */
let grown: string;

describe.runIf(canInject())('a publication that is killed', () => {
  beforeAll(async () => {
    workshop = await makeWorkshop();
    fresh = join(workshop.folder, 'fresh', 'dist');
    for (const name of ['adder', 'boa', 'cobra']) {
      writeSdist(join(fresh, `${name}-1.0.tar.gz`), { name, version: '1.0' });
    }
    mkdirSync(join(workshop.folder, 'grown'));
    grown = copyOf(fresh, '../grown/dist');
    await publish(grown, FIRST);
    writeSdist(join(grown, 'python', 'dasypeltis-1.0.tar.gz'), { name: 'dasypeltis', version: '1.0' });
    rmSync(join(grown, 'boa-1.0.tar.gz'));
  });

  afterAll(() => {
    rmSync(workshop.folder, { recursive: true, force: true });
  });

  it('for the first time is sound and goes on', async () => {
    await killEverywhere(fresh, { verb: 'build', at: FIRST });
  });

  it('later is sound and goes on', async () => {
    await killEverywhere(grown, { verb: 'build', at: LATER });
  });

  it('by sign, for the first time, is sound and goes on', async () => {
    await killEverywhere(await waiting(fresh, FIRST), { verb: 'sign', at: FIRST });
  });

  it('by sign, later, is sound and goes on', async () => {
    await killEverywhere(await waiting(grown, LATER), { verb: 'sign', at: LATER });
  });

  it('by sign, with a trust page, is sound and goes on', async () => {
    const paged = copyOf(grown, 'paged');
    writeFileSync(join(paged, 'packsign.json'), '{ "Page": true }');
    // The page of the earlier database.
    await succeed(workshop, ['page', paged], FIRST);
    const calls = await killEverywhere(await waiting(paged, LATER), { verb: 'sign', at: LATER });
    // The waiting database is removed last (docs/FORMAT.md §1).
    const firstOf = (what: RegExp) => calls.findIndex(({ name, path }) => what.test(`${name} ${path}`));
    const page = firstOf(/^rename .*index\.html$/);
    expect(page).toBeGreaterThan(firstOf(/^rename .*packages\.plist$/));
    expect(firstOf(/^unlink .*packages\.unsigned\.plist$/)).toBeGreaterThan(page);
  });

  it('that adds a key and revokes another rests on the old key until the new one has signed', async () => {
    await killKeyChange();
  });
});

/**
 * docs/FORMAT.md §1: additions to keys.asc come before the database that rests on them, revocations after it. Replaces a
 * subkey and revokes it as stolen; wherever the run is killed, the database verifies, and the same commands go on from
 * there.
 */
async function killKeyChange(): Promise<void> {
  const start = copyOf(grown, '../stolen/dist');
  const [stolen] = await subkeysOf(workshop.key);
  const changed = join(workshop.folder, 'changed.asc');
  const rotate = ['key', 'rotate', workshop.key, '--output', changed, '--old-expires', '1y'];
  await succeed(workshop, rotate, LATER);
  const twice = join(workshop.folder, 'twice.asc');
  const revoke = ['key', 'revoke', changed, '--output', twice, '--reason', 'compromised'];
  await succeed(workshop, [...revoke, '--subkey', stolen?.fingerprint ?? ''], LATER + 1);
  const certificate = join(workshop.folder, 'twice.pub.asc');
  const publishKeys = (directory: string) => ['key', 'publish', directory, '--certificate', certificate];
  const publishNext = (directory: string) => ['build', directory, '--key', twice, '--deterministic'];

  await killOften(start, publishKeys, async (directory, isOver) => {
    // The stolen subkey made the published signature, so users must not see its revocation yet.
    expect((await revokedIn(directory))[0]).toBe(false);
    if (isOver) {
      expect(await revokedIn(directory)).toEqual([false, false]);
      expect(contentsOf(directory)).toHaveProperty(['.packsign/keys.held.asc']);
    }
  });
  const held = copyOf(start, '../held/dist');
  await succeed(workshop, publishKeys(held), LATER + 2);
  const before = contentsOf(held)['packages.plist'];
  await killOften(held, publishNext, async (directory, isOver) => {
    const isNext = contentsOf(directory)['packages.plist'] !== before;
    if ((await revokedIn(directory))[0] === true) expect(isNext).toBe(true);
    if (isOver) expect([isNext, ...(await revokedIn(directory))]).toEqual([true, true, false]);
  });
}

type Command = (directory: string) => readonly string[];

/** Kills a run at every call, checks what it left, runs it again and checks again. */
async function killOften(
  start: string,
  command: Command,
  look: (directory: string, isOver: boolean) => Promise<void>,
): Promise<void> {
  const at = LATER + 3;
  const lanes = await makeLanes(workshop, start);
  const [{ directory: whole, restore }] = lanes;
  const calls = await changingCalls(lanes[0], { args: command(whole), at });
  await look(whole, true);
  restore();
  expect(calls.filter(({ name }) => name === 'rename').length).toBeGreaterThanOrEqual(3);
  const states = await killAtEach(lanes, { calls, command, at }, async (lane, isNew) => {
    const { directory } = lane;
    if (!isNew) return;
    await expectSound(lane, directory);
    await look(directory, false);
    await succeed(lane, command(directory), at + 1);
    await expectSound(lane, directory);
    expect(leftovers(directory)).toEqual([]);
    await look(directory, true);
  });
  expect(states).toBeGreaterThan(3);
}

interface ShownSubkey {
  readonly fingerprint: string;
  readonly revoked: boolean;
}

async function subkeysOf(file: string): Promise<readonly ShownSubkey[]> {
  const shown = JSON.parse(await succeed(workshop, ['key', 'show', file, '--json'])) as {
    subkeys: ShownSubkey[];
  };
  return shown.subkeys;
}

/** For each subkey in keys.asc, oldest first, whether it is revoked. */
async function revokedIn(directory: string): Promise<readonly boolean[]> {
  return (await subkeysOf(join(directory, 'keys.asc'))).map(({ revoked }) => revoked);
}

interface Publishing {
  readonly verb: 'build' | 'sign';
  readonly at: number;
}

function publishing(directory: string, verb: Publishing['verb']): readonly string[] {
  return [verb, directory, '--key', workshop.key, '--deterministic'];
}

async function publish(directory: string, at: number): Promise<void> {
  await succeed(workshop, publishing(directory, 'build'), at);
}

/** A copy with a waiting database. */
async function waiting(directory: string, at: number): Promise<string> {
  const copy = copyOf(directory, 'waiting');
  await succeed(workshop, ['build', copy, '--maintainer', 'Real Maintainer <real@example.org>'], at);
  return copy;
}

interface Killing {
  readonly calls: readonly Call[];
  readonly command: Command;
  readonly at: number;
}

/**
 * Kills a run before every call that changes something, and in the middle of every write. Tells `look` whether what the
 * run left is new. Returns how many different states were left.
 */
async function killAtEach(
  lanes: readonly Lane[],
  { calls, command, at }: Killing,
  look: (lane: Lane, isNew: boolean) => Promise<void>,
): Promise<number> {
  const queue = calls.flatMap((call): { readonly call: Call; readonly fault: Fault }[] => {
    const before = { call, fault: { kind: 'kill' } } as const;
    return call.name === 'write' ? [before, { call, fault: { kind: 'half' } }] : [before];
  });
  const seen = new Set<string>();
  const work = async (lane: Lane) => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        const { signal } = await injected(lane, { ...next, args: command(lane.directory), at });
        expect(signal).toBe('SIGKILL');
        const left = stateOf(lane.directory);
        const isNew = !seen.has(left);
        seen.add(left);
        await look(lane, isNew);
        lane.restore();
      } catch (error) {
        queue.length = 0;
        const { call, fault } = next;
        throw new Error(`${fault.kind} at ${call.number}, ${call.name} ${call.path}: ${reasonOf(error)}`, {
          cause: error,
        });
      }
    }
  };
  await Promise.all(lanes.map(work));

  return seen.size;
}

/**
 * Kills the publication at every call, each time from the same start. What is left must be sound, and the same command
 * must then finish as if nothing had happened.
 */
async function killEverywhere(start: string, { verb, at }: Publishing): Promise<readonly Call[]> {
  const lanes = await makeLanes(workshop, start);
  const [first] = lanes;
  const command = (directory: string) => publishing(directory, verb);
  const before = contentsOf(first.directory)['packages.plist'];
  const calls = await changingCalls(first, { args: command(first.directory), at });
  await expectSettled(first, first.directory);
  const after = contentsOf(first.directory)['packages.plist'];
  const outcome = readFileSync(join(first.directory, 'packages.plist'));
  first.restore();

  const states = await killAtEach(lanes, { calls, command, at }, async (lane, isNew) => {
    const { directory } = lane;
    const database = contentsOf(directory)['packages.plist'];
    expect([before, after]).toContain(database);
    // Many kills leave the same state, which needs only one check.
    if (!isNew) return;
    await expectSound(lane, directory);
    await succeed(lane, command(directory), at + 1);
    await expectSettled(lane, directory);
    if (database !== before) {
      expect(readFileSync(join(directory, 'packages.plist')).equals(outcome)).toBe(true);
    }
  });
  // keys.asc and keys.gpg, the signature, the database and the copy of the signature.
  expect(calls.filter(({ name }) => name === 'rename').length).toBeGreaterThanOrEqual(3);
  expect(states).toBeGreaterThan(6);
  return calls;
}

/** What a killed run left, without names of temporary files, the owner of the lock and mere hints. */
function stateOf(directory: string): string {
  const files = Object.entries(contentsOf(directory)).map(([path, hash]) => {
    const name = path.replace(/-[0-9a-f]{16}\.tmp$/, '-X.tmp').replace(/lock\.\d+/, 'lock.N');
    return `${name} ${/^\.packsign\/(?:lock|cache|.*tmp$)/.test(name) ? '' : hash}`;
  });
  const folders = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(dirname(directory).length));
  return JSON.stringify([files, folders.map((path) => path.replace(/^\/[^/]+/, '')).sort()]);
}

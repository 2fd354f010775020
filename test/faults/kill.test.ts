import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reasonOf } from '../../src/errors.js';
import { KEY_MADE, contentsOf, copyOf, makeWorkshop, succeed, writeSdist } from '../real.js';
import type { Workshop } from '../real.js';
import { canInject, injected, momentsOf } from './inject.js';
import type { Call, Moment } from './inject.js';
import { makeOldLane } from './lane.js';
import type { Lane } from './lane.js';
import { expectSettled, expectSound, leftovers } from './sound.js';

const FIRST = KEY_MADE + 100;
const LATER = KEY_MADE + 200;

const VERBS = ['build', 'sign'] as const;
/** npm run soak */
const IS_SOAK = process.env['PACKSIGN_SOAK_SECONDS'] !== undefined;

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

  it.each(IS_SOAK ? VERBS : (['build'] as const))('by %s leaves what its calls had done', async (verb) => {
    const start = verb === 'sign' ? await waiting(grown, LATER) : grown;
    await killForReal(start, { verb, at: LATER });
  });

  it('for the first time is sound and goes on', async () => {
    await killEverywhere(fresh, { verb: 'build', at: FIRST });
  });

  it('later is sound and goes on', async () => {
    await killEverywhere(grown, { verb: 'build', at: LATER });
  });

  // The samples of commands.test.ts have a plain `sign` too.
  it.each(IS_SOAK ? [true, false] : [])(
    'by sign, as the first one: %s, is sound and goes on',
    async (isFirst) => {
      const [start, at] = isFirst ? [fresh, FIRST] : [grown, LATER];
      await killEverywhere(await waiting(start, at), { verb: 'sign', at });
    },
  );

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

  it('by sign, with checksums, is sound and goes on', async () => {
    const summed = copyOf(grown, '../summed/dist');
    writeFileSync(join(summed, 'packsign.json'), '{ "Checksums": true }');
    // Those of the earlier database.
    await succeed(workshop, ['sign', summed, '--key', workshop.key], LATER);
    expect(contentsOf(summed)).toHaveProperty(['SHA256SUMS']);
    const calls = await killEverywhere(await waiting(summed, LATER), { verb: 'sign', at: LATER });
    const firstOf = (what: RegExp) => calls.findIndex(({ name, path }) => what.test(`${name} ${path}`));
    const sums = firstOf(/^rename .*SHA256SUMS$/);
    expect(sums).toBeGreaterThan(firstOf(/^rename .*packages\.plist$/));
    expect(firstOf(/^unlink .*packages\.unsigned\.plist$/)).toBeGreaterThan(sums);
  });

  it.runIf(IS_SOAK)(
    'that adds a key and revokes another rests on the old key until the new one has signed',
    async () => {
      await killKeyChange();
    },
  );
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
  const lane = await makeOldLane(workshop, start);
  const { directory } = lane;
  const moments = await momentsOf(lane, { args: command(directory), at });
  await look(directory, true);
  expectRenames(moments, 3);
  const states = await atEachState(lane, moments, async () => {
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
  readonly verb: (typeof VERBS)[number];
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

/** Puts the lane into each state that a killed run would leave, once. Returns how many these are. */
async function atEachState(
  lane: Lane,
  moments: readonly Moment[],
  look: (moment: Moment) => Promise<void>,
): Promise<number> {
  const seen = new Set<string>();
  for (const moment of moments) {
    // Many kills leave the same state, which needs only one check.
    const left = stateOf(copied(moment));
    if (seen.has(left)) continue;
    seen.add(left);
    try {
      lane.restore(moment.copy);
      await look(moment);
    } catch (error) {
      const { call, fault } = moment;
      const place = `${fault.kind} at ${String(call.number)}, ${call.name} ${call.path}`;
      throw new Error(`${place}: ${reasonOf(error)}`, { cause: error });
    }
  }
  return seen.size;
}

/** The directory as it was at a moment. */
function copied({ copy }: Moment): string {
  return join(copy, 'dist');
}

function expectRenames(moments: readonly Moment[], number: number): void {
  expect(moments.filter(({ call }) => call.name === 'rename').length).toBeGreaterThanOrEqual(number);
}

/**
 * Kills the publication at every call, each time from the same start. What is left must be sound, and the same command
 * must then finish as if nothing had happened.
 */
async function killEverywhere(start: string, { verb, at }: Publishing): Promise<readonly Call[]> {
  const lane = await makeOldLane(workshop, start);
  const { directory } = lane;
  const command = publishing(directory, verb);
  const before = contentsOf(directory)['packages.plist'];
  const moments = await momentsOf(lane, { args: command, at });
  await expectSettled(lane, directory);
  const after = contentsOf(directory)['packages.plist'];
  const outcome = readFileSync(join(directory, 'packages.plist'));
  for (const moment of moments)
    expect([before, after]).toContain(contentsOf(copied(moment))['packages.plist']);

  const states = await atEachState(lane, moments, async () => {
    const database = contentsOf(directory)['packages.plist'];
    await expectSound(lane, directory);
    await succeed(lane, command, at + 1);
    await expectSettled(lane, directory);
    if (database !== before) {
      expect(readFileSync(join(directory, 'packages.plist')).equals(outcome)).toBe(true);
    }
  });
  // keys.asc and keys.gpg, the signature, the database and the copy of the signature.
  expectRenames(moments, 3);
  expect(states).toBeGreaterThan(6);
  return moments.map(({ call }) => call);
}

/**
 * Kills real runs at the first call that would leave each state, or at every call in a long run. The process leaves that
 * state, and ends by the signal.
 */
async function killForReal(start: string, { verb, at }: Publishing): Promise<void> {
  const lane = await makeOldLane(workshop, start);
  const running = { args: publishing(lane.directory, verb), at };
  const moments = await momentsOf(lane, running);
  const seen = new Set<string>();
  let kills = 0;
  for (const moment of moments) {
    const left = stateOf(copied(moment));
    if (seen.has(left) && !IS_SOAK) continue;
    seen.add(left);
    lane.restore();
    const { signal } = await injected(lane, { ...running, call: moment.call, fault: moment.fault });
    expect(signal).toBe('SIGKILL');
    expect(stateOf(lane.directory)).toBe(left);
    kills += 1;
  }
  expect(seen.size).toBeGreaterThan(6);
  if (IS_SOAK) console.log(`killed ${verb} ${kills} times, ${seen.size} states`);
}

/** What a killed run left, without names of temporary files, the owner of the lock and mere hints. */
function stateOf(directory: string): string {
  const files = Object.entries(contentsOf(directory)).map(([path, hash]) => {
    const name = path.replace(/-[0-9a-f]{26}\.tmp$/, '-X.tmp').replace(/lock\.[0-9a-f]{32}/, 'lock.N');
    return `${name} ${/^\.packsign\/(?:lock|facts|searched|.*tmp$)/.test(name) ? '' : hash}`;
  });
  const folders = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(dirname(directory).length));
  return JSON.stringify([files, folders.map((path) => path.replace(/^\/[^/]+/, '')).sort()]);
}

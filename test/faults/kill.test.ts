import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reasonOf } from '../../src/errors.js';
import { KEY_MADE, contentsOf, copyOf, makeWorkshop, succeed, writeSdist } from '../real.js';
import type { Workshop } from '../real.js';
import { expectSettled, expectSound, leftovers } from './sound.js';
import { canTrace, changingCalls, killedAt } from './strace.js';
import type { Call } from './strace.js';

// Two runs of packsign at one time, each several times slower for being looked at.
const PATIENCE_MS = 600_000;
const LANES = 2;

const FIRST = KEY_MADE + 100;
const LATER = KEY_MADE + 200;

let workshop: Workshop;
/** Three archives, nothing published. */
let fresh: string;
/** The same published; then one archive came and one went. */
let grown: string;

describe.runIf(canTrace())('a publication that is killed', () => {
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

  it(
    'for the first time is sound and goes on',
    async () => {
      await killEverywhere(fresh, { verb: 'build', at: FIRST });
    },
    PATIENCE_MS,
  );

  it(
    'later is sound and goes on',
    async () => {
      await killEverywhere(grown, { verb: 'build', at: LATER });
    },
    PATIENCE_MS,
  );

  it(
    'by sign, for the first time, is sound and goes on',
    async () => {
      await killEverywhere(await waiting(fresh, FIRST), { verb: 'sign', at: FIRST });
    },
    PATIENCE_MS,
  );

  it(
    'by sign, later, is sound and goes on',
    async () => {
      await killEverywhere(await waiting(grown, LATER), { verb: 'sign', at: LATER });
    },
    PATIENCE_MS,
  );

  it(
    'by sign, with a trust page, is sound and goes on',
    async () => {
      const paged = copyOf(grown, 'paged');
      writeFileSync(join(paged, 'packsign.json'), '{ "Page": true }');
      // The page of what was published before.
      await succeed(workshop, ['page', paged], FIRST);
      const calls = await killEverywhere(await waiting(paged, LATER), { verb: 'sign', at: LATER });
      // What waited is taken away last (docs/FORMAT.md §1).
      const firstOf = (what: RegExp) => calls.findIndex(({ name, text }) => what.test(`${name} ${text}`));
      const page = firstOf(/^rename.*index\.html/);
      expect(page).toBeGreaterThan(firstOf(/^rename.*packages\.plist"/));
      expect(firstOf(/^unlink.*packages\.unsigned\.plist/)).toBeGreaterThan(page);
    },
    PATIENCE_MS,
  );

  it(
    'that adds a key and revokes another rests on the old one until the new one has signed',
    async () => {
      await killKeyChange();
    },
    PATIENCE_MS,
  );
});

/**
 * docs/FORMAT.md §1: additions to keys.asc come before the database that rests on them, revocations behind it. A
 * subkey is replaced and revoked as stolen; whatever instant is the last, the database verifies, and the same
 * commands go on from there.
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
    // The stolen subkey made the signature that stands, so it must not be known as such yet.
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

/** Kills a run at every call that changes something, looks at what it left, runs it again and looks again. */
async function killOften(
  start: string,
  command: (directory: string) => readonly string[],
  look: (directory: string, isOver: boolean) => Promise<void>,
): Promise<void> {
  const at = LATER + 3;
  const whole = copyOf(start, 'whole-keys');
  // As above: whether the cache is written must not depend on how old a copy is.
  await setTimeout(2_100);
  const calls = changingCalls(workshop, command(whole), { directory: whole, at });
  await look(whole, true);
  expect(calls.filter(({ name }) => name.startsWith('rename')).length).toBeGreaterThanOrEqual(3);
  const seen = new Set<string>();
  const queue = calls.map((call, index) => ({ call, directory: copyOf(start, `killed-${String(index)}`) }));
  await setTimeout(2_100);
  for (const { call, directory } of queue) {
    await killSurely(start, { directory, call }, async (which) =>
      killedAt(workshop, command(directory), { call: which, at }),
    );
    const left = stateOf(directory);
    if (!seen.has(left)) {
      seen.add(left);
      await expectSound(workshop, directory);
      await look(directory, false);
      await succeed(workshop, command(directory), at + 1);
      await expectSound(workshop, directory);
      expect(leftovers(directory)).toEqual([]);
      await look(directory, true);
    }
    rmSync(directory, { recursive: true });
  }
  rmSync(whole, { recursive: true });
  expect(seen.size).toBeGreaterThan(3);
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

/** Of each subkey in keys.asc, the oldest first, whether people are told that it is revoked. */
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

/**
 * Until it was killed: Node wakes itself by writes too, now some more and now some less, so that the last calls may not
 * come. A run that came to its end begins anew from a fresh copy, and is killed earlier each time.
 */
async function killSurely(
  source: string,
  { directory, call }: { directory: string; call: Call },
  kill: (call: Call) => Promise<{ signal: string | null }>,
): Promise<void> {
  let { signal } = await kill(call);
  for (let again = 1; signal !== 'SIGKILL' && again <= 6; again += 1) {
    rmSync(directory, { recursive: true });
    cpSync(source, directory, { recursive: true });
    await setTimeout(2_100);
    ({ signal } = await kill({ ...call, ordinal: Math.max(1, call.ordinal - again ** 2) }));
  }
  expect(signal).toBe('SIGKILL');
}

/**
 * Kills the publication at every call that changes something, each time from the same start. What is left
 * must be sound, and the same command must then end as if nothing had happened.
 */
async function killEverywhere(start: string, { verb, at }: Publishing): Promise<readonly Call[]> {
  const whole = copyOf(start, `${verb}-whole`);
  await setTimeout(2_100);
  const calls = changingCalls(workshop, publishing(whole, verb), { directory: whole, at });
  await expectSettled(workshop, whole);
  const outcome = readFileSync(join(whole, 'packages.plist'));
  const before = contentsOf(start)['packages.plist'];
  const seen = new Set<string>();

  const queue = calls.map((call, index) => ({ call, directory: copyOf(start, `${verb}-${String(index)}`) }));
  // Nothing is cached of an archive that was touched a moment ago, and the cache is written too.
  await setTimeout(2_100);

  async function killAt({ call, directory }: { call: Call; directory: string }): Promise<void> {
    await killSurely(start, { directory, call }, async (which) =>
      killedAt(workshop, publishing(directory, verb), { call: which, at }),
    );
    const database = contentsOf(directory)['packages.plist'];
    expect([before, contentsOf(whole)['packages.plist']]).toContain(database);
    // Much of it leaves the same behind: then the rest was looked at before.
    const left = stateOf(directory);
    if (!seen.has(left)) {
      seen.add(left);
      await expectSound(workshop, directory);
      await succeed(workshop, publishing(directory, verb), at + 1);
      await expectSettled(workshop, directory);
      if (database !== before) {
        expect(readFileSync(join(directory, 'packages.plist')).equals(outcome)).toBe(true);
      }
    }
    rmSync(directory, { recursive: true });
  }

  const lane = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        await killAt(next);
      } catch (error) {
        queue.length = 0;
        throw new Error(`killed at ${next.call.name}(${next.call.text}: ${reasonOf(error)}`, {
          cause: error,
        });
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  // Keys twice, signature, database and its copy.
  expect(calls.filter(({ name }) => name.startsWith('rename')).length).toBeGreaterThanOrEqual(3);
  expect(seen.size).toBeGreaterThan(6);
  return calls;
}

/** What a killed run left, but for the names of temporary files, who held the lock and what is only a hint. */
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

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { hasTool } from '../tools.js';
import {
  PATIENCE_MS,
  drop,
  endAll,
  eventually,
  expectSound,
  leftovers,
  listed,
  published,
  sleep,
  startWatch,
  watchedPlace,
} from './watching.js';

const SECONDS = Number(process.env['PACKSIGN_SOAK_SECONDS'] ?? 5);
/** Files that come and go; each always has the same bytes, like a release. */
const POOL = 240;
const MEGABYTE = 1024;

const run = promisify(execFile);

afterAll(endAll);

interface Release {
  readonly path: string;
  readonly bytes: Buffer;
}

/** Half of them in sub-folders. */
function releases(): readonly Release[] {
  return Array.from({ length: POOL }, (_, index) => {
    const name = `p${index % 12}`;
    const version = `1.${index}`;
    const folder = index % 2 === 0 ? '' : `s${index % 6}/`;
    const bytes = sdist(name, version, `x = '${'x'.repeat((index * 397) % 20_000)}'\n`);
    return { path: `${folder}${name}-${version}.tar.gz`, bytes };
  });
}

/** Adds and removes releases as a maintainer would, a few times a second, until the end. */
async function churn(place: Place, endMs: number): Promise<Readonly<Record<string, number>>> {
  const done: Record<string, number> = {};
  const all = releases();
  // packsign rightly lists wrong bytes under a new name if they stay unchanged a moment too long.
  const listedBefore = new Set(listed(place));
  const writing = new Set<string>();
  // The same sequence each time; only the moments of the cycles differ.
  let seed = 1;
  const next = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const pending: Promise<void>[] = [];
  const count = (what: string) => {
    done[what] = (done[what] ?? 0) + 1;
  };

  const later = (release: Release, act: (path: string) => Promise<void>) => {
    writing.add(release.path);
    pending.push(act(place.path(`dist/${release.path}`)).finally(() => writing.delete(release.path)));
  };
  const step = (release: Release) => {
    const path = place.path(`dist/${release.path}`);
    const isThere = existsSync(path);
    const kind = next(10);
    if (!isThere && kind < 6) {
      count('moved in');
      drop(place, `dist/${release.path}`, release.bytes);
    } else if (!isThere) {
      count('written in pieces');
      later(release, async () => {
        mkdirSync(join(path, '..'), { recursive: true });
        writeFileSync(path, release.bytes.subarray(0, 700));
        await sleep(next(200));
        appendFileSync(path, release.bytes.subarray(700));
      });
    } else if (kind < 4) {
      count('deleted');
      unlinkSync(path);
    } else if (kind < 6 || (kind < 8 && !listedBefore.has(release.path))) {
      count('replaced by itself');
      drop(place, `dist/${release.path}`, release.bytes);
    } else if (kind < 8) {
      count('written over');
      later(release, async () => {
        writeFileSync(path, 'other bytes for a moment');
        await sleep(next(700));
        writeFileSync(path, release.bytes);
      });
    } else {
      count('moved away and back');
      later(release, async () => {
        renameSync(path, `${path}.away`);
        await sleep(next(300));
        renameSync(`${path}.away`, path);
      });
    }
  };
  while (Date.now() < endMs) {
    for (let steps = 0; steps < 5; steps += 1) {
      const release = all[next(POOL)]!;
      if (!writing.has(release.path)) step(release);
    }
    if (next(40) === 0) {
      count('folder swapped');
      swapFolder(place, next(6), writing);
    }
    // Each database is issued at least a second after the last one, and at most 5 minutes ahead of the clock.
    const aheadMs = published(place).Packsign.Issued.getTime() - Date.now();
    await sleep(aheadMs > 200_000 ? 1000 : 30);
  }
  await Promise.all(pending);
  return done;
}

/** Replaces a sub-folder by a copy of itself. */
function swapFolder(place: Place, index: number, writing: ReadonlySet<string>): void {
  const folder = place.path(`dist/s${index}`);
  if (!existsSync(folder) || Array.from(writing).some((path) => path.startsWith(`s${index}/`))) return;
  const copy = place.path('copy');
  mkdirSync(copy);
  for (const name of readdirSync(folder)) writeFileSync(join(copy, name), readFileSync(join(folder, name)));
  renameSync(folder, place.path('swapped'));
  renameSync(copy, folder);
  rmSync(place.path('swapped'), { recursive: true });
}

interface Reading {
  reads: number;
  /** All databases that were ever published, by hash. */
  readonly states: Set<string>;
  readonly faults: string[];
}

/** A client: takes the database, finds its signature by hash, and verifies the two with gpgv. */
async function read(place: Place, reading: Reading, isOver: () => boolean): Promise<void> {
  const folder = place.path('reader');
  mkdirSync(folder, { recursive: true });
  const keys = place.path('reader/keys.gpg');
  writeFileSync(keys, readFileSync(place.path('dist/keys.gpg')));
  while (!isOver()) {
    await sleep(5);
    const bytes = readFileSync(place.path('dist/packages.plist'));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const signature = place.path(`dist/signatures/${sha256}.asc`);
    reading.reads += 1;
    if (reading.states.has(sha256)) continue;
    reading.states.add(sha256);
    if (!existsSync(signature)) {
      reading.faults.push(`${sha256} has no signature`);
      continue;
    }
    const database = join(folder, 'packages.plist');
    writeFileSync(database, bytes);
    try {
      if (hasTool('gpgv')) await run('gpgv', ['--keyring', keys, signature, database]);
    } catch (error) {
      reading.faults.push(`${sha256}: ${String(error)}`);
    }
  }
}

interface Sample {
  readonly megabytes: number;
  readonly descriptors: number;
}

function sample(pid: number): Sample | null {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return { megabytes: Number(kilobytes) / MEGABYTE, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return null;
  }
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

test(
  `for ${SECONDS} seconds of releases that come and go`,
  { timeout: SECONDS * 1000 + 6 * PATIENCE_MS },
  async () => {
    const { place } = await watchedPlace();
    for (const { path, bytes } of releases().slice(0, 80)) drop(place, `dist/${path}`, bytes);
    const watching = startWatch(place, ['--key', 'key.asc', '--settle', '500ms', '--absent', 'withdraw']);
    await watching.until({ event: 'ready' });

    let isOver = false;
    const reading: Reading = { reads: 0, states: new Set(), faults: [] };
    const reader = read(place, reading, () => isOver);
    const samples: Sample[] = [];
    const timer = setInterval(() => {
      const now = sample(watching.pid);
      if (now !== null) samples.push(now);
    }, 500);
    const done = await churn(place, Date.now() + SECONDS * 1000);

    // In the end the database lists all files as they are, and no others.
    const there = () =>
      readdirSync(place.path('dist'), { recursive: true })
        .map(String)
        .filter((name) => name.endsWith('.tar.gz'))
        .sort();
    await eventually('what is there is listed', () => listed(place).join() === there().join());
    await sleep(1500);
    expect(listed(place)).toEqual(there());
    isOver = true;
    await reader;
    clearInterval(timer);
    expect(reading.faults).toEqual([]);

    // The first of three parts warms up the caches and the runtime.
    const third = Math.floor(samples.length / 3);
    const [early, late] = [samples.slice(third, 2 * third), samples.slice(2 * third)];
    const flat = (of: (one: Sample) => number) => [median(early.map(of)), median(late.map(of))] as const;
    const [memoryBefore, memoryAfter] = flat(({ megabytes }) => megabytes);
    const [openBefore, openAfter] = flat(({ descriptors }) => descriptors);
    const signed = watching.lines.filter(({ event }) => event === 'signed').length;
    const acts = Object.values(done).reduce((sum, count) => sum + count, 0);
    console.info(
      `soak: ${acts} acts (${JSON.stringify(done)}), ${signed} publications, ` +
        `${reading.states.size} states verified in ${reading.reads} reads, ` +
        `${memoryBefore.toFixed(0)} → ${memoryAfter.toFixed(0)} MB, ${openBefore} → ${openAfter} descriptors`,
    );
    expect(signed).toBeGreaterThan(SECONDS / 10);
    if (samples.length > 0) {
      expect(memoryAfter).toBeLessThan(memoryBefore * 1.3 + 40);
      expect(openAfter).toBeLessThanOrEqual(openBefore + 4);
    }
    const events = new Set(
      watching.lines.map(({ event, code }) => (code === null ? event : `${event} ${code}`)),
    );
    // A cycle may have seen the wrong bytes for a moment; nothing else may go wrong.
    const known = [
      ...['ready', 'signed', 'unchanged', 'uncovered', 'stopped'],
      ...['refused BYTES_CHANGED', 'held DAMAGED'],
    ];
    expect(Array.from(events).filter((event) => !known.includes(event))).toEqual([]);
    expect(await watching.stop(), watching.stderr()).toBe(0);
    expect(leftovers(place.path('dist'))).toEqual([]);
    await expectSound(place);
  },
);

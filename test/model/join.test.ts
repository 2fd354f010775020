import { describe, expect, test } from 'vitest';
import { breaksIn, chainOf } from '../../src/model/chain.js';
import type { Database, Withdrawal } from '../../src/model/database.js';
import type { FileEntry } from '../../src/model/file-entry.js';
import { joinDatabases } from '../../src/model/join.js';
import type { Continued } from '../../src/model/join.js';
import { carryHistory, lostHistory, unexplained } from '../../src/model/ledger.js';
import { requireSoundHistory } from '../../src/model/policy.js';
import { HASH_A, HASH_B, HASH_C, archive, databaseOf, date } from './databases.js';
import { updateOf } from '../../src/model/update.js';
import { compareFiles } from '../../src/model/file-difference.js';

const NOTHING_ALLOWED: ReadonlyMap<string, string> = new Map();

function at(
  day: number,
  files: Readonly<Record<string, FileEntry>>,
  history: Readonly<Record<string, readonly Withdrawal[]>> = {},
): Database {
  const records = Object.entries(history);
  return databaseOf(files, {
    Issued: date(day),
    ...(records.length === 0 ? {} : { History: new Map(records) }),
  });
}

/** The next database of a directory where these files lie; what else the join keeps stays. */
function next(
  { database, withdrawn }: Continued,
  here: Readonly<Record<string, FileEntry>>,
  allowed = NOTHING_ALLOWED,
): Database {
  const kept = Array.from(database.Files).filter(([path]) => !withdrawn.has(path));
  const files = new Map([...kept, ...Object.entries(here)].sort(([a], [b]) => (a < b ? -1 : 1)));
  const issued = new Date(database.Packsign.Issued.getTime() + 1000);
  const { history, warnings } = carryHistory(database, files, {
    issued,
    allowed,
    difference: compareFiles(database.Files, files),
  });
  expect(warnings).toEqual([]);
  return databaseOf(Object.fromEntries(files), { Issued: issued, History: history });
}

/** Every reader of either takes it, and every signer. */
function expectTaken(made: Database, joined: Continued, readers: readonly Database[]): void {
  requireSoundHistory(made);
  expect(unexplained(updateOf(joined.database, made))).toEqual([]);
  expect(lostHistory(updateOf(joined.database, made))).toEqual([]);
  for (const reader of readers) {
    const { Issued } = reader.Packsign;
    expect(made.Packsign.Issued > Issued).toBe(true);
    expect(breaksIn(made, { issued: Issued, chain: chainOf(reader) })).toEqual([]);
  }
}

const refused = expect.objectContaining({ code: 'BYTES_CHANGED' }) as Error;
const paths = ({ Files }: Database) => Array.from(Files.keys());

describe('joinDatabases', () => {
  test('lists what either lists, and yanks what either yanks', () => {
    const own = at(5, { 'a.zip': archive(HASH_A, { Yanked: 'leaks' }), 'b.zip': archive(HASH_B) });
    const adopted = at(6, { 'b.zip': archive(HASH_B, { Yanked: 'burns' }), 'c.zip': archive(HASH_C) });
    const joined = joinDatabases(own, adopted, NOTHING_ALLOWED);
    const made = next(joined, {});
    expect(paths(made)).toEqual(['a.zip', 'b.zip', 'c.zip']);
    expect(Array.from(made.Files.values(), ({ Yanked }) => Yanked)).toEqual(['leaks', 'burns', undefined]);
    expectTaken(made, joined, [own, adopted]);
  });

  test('what was withdrawn since the adopted database is not withdrawn again, however often it is adopted', () => {
    const own = at(5, { 'b.zip': archive(HASH_B) }, { 'a.zip': [{ SHA256: HASH_A, Until: date(4) }] });
    const adopted = at(3, { 'a.zip': archive(HASH_A) });
    const joined = joinDatabases(own, adopted, NOTHING_ALLOWED);
    const made = next(joined, {});
    expect([paths(joined.database), joined.withdrawn.size]).toEqual([['b.zip'], 0]);
    expect(made.Packsign.History).toEqual(own.Packsign.History);
    expectTaken(made, joined, [own, adopted]);
  });

  test('a path that the other records as gone since stays withdrawn, unless its file is here', () => {
    const gone = { 'a.zip': [{ SHA256: HASH_A, Until: date(3) }] };
    const own = at(5, { 'a.zip': archive(HASH_A, { Since: date(1) }) });
    const adopted = at(4, {}, gone);
    for (const [one, other] of [
      [own, adopted],
      [adopted, own],
    ] as const) {
      const joined = joinDatabases(one, other, NOTHING_ALLOWED);
      const made = next(joined, {});
      expect([paths(made), made.Packsign.History?.get('a.zip')?.at(-1)?.Until]).toEqual([
        [],
        made.Packsign.Issued,
      ]);
      expectTaken(made, joined, [own, adopted]);
      const back = next(joined, { 'a.zip': archive(HASH_A) });
      expect(paths(back)).toEqual(['a.zip']);
      expectTaken(back, joined, [own, adopted]);
    }
    // Listed again after it was gone.
    const again = at(5, { 'a.zip': archive(HASH_A, { Since: date(4) }) }, gone);
    expect(paths(next(joinDatabases(again, adopted, NOTHING_ALLOWED), {}))).toEqual(['a.zip']);
  });

  test.each<readonly [string, Database, Database]>([
    ['two hashes', at(5, { 'a.zip': archive(HASH_A) }), at(6, { 'a.zip': archive(HASH_B) })],
    [
      'a hash that the other withdrew for another',
      at(5, { 'a.zip': archive(HASH_A) }),
      at(6, {}, { 'a.zip': [{ SHA256: HASH_B, Until: date(2) }] }),
    ],
    [
      'records that only together are a change',
      at(5, {}, { 'a.zip': [{ SHA256: HASH_A, Until: date(2) }] }),
      at(6, {}, { 'a.zip': [{ SHA256: HASH_B, Until: date(3) }] }),
    ],
    [
      'names that differ in case',
      at(5, { 'A.zip': archive(HASH_A) }),
      at(6, {}, { 'a.zip': [{ SHA256: HASH_B, Until: date(2) }] }),
    ],
  ])('BYTES_CHANGED: %s under one path, without a reason', (_, own, adopted) => {
    for (const [one, other] of [
      [own, adopted],
      [adopted, own],
    ] as const) {
      expect(() => joinDatabases(one, other, NOTHING_ALLOWED)).toThrow(refused);
      const allowed = new Map([['a.zip', 'made anew']]);
      const joined = joinDatabases(one, other, allowed);
      expectTaken(next(joined, {}, allowed), joined, [own, adopted]);
      for (const hash of [HASH_A, HASH_B, HASH_C]) {
        const path = paths(own)[0] ?? 'a.zip';
        const made = next(joined, { [path]: archive(hash) }, new Map([...allowed, [path, 'made anew']]));
        expect(made.Files.get(path)?.SHA256).toBe(hash);
        expectTaken(made, joined, [own, adopted]);
      }
    }
  });

  test('adopted paths that cannot be listed beside one of its own are withdrawn', () => {
    const own = at(5, { 'a/b.zip': archive(HASH_A), 'c.zip': archive(HASH_A) });
    const adopted = at(6, { 'A/B.zip': archive(HASH_A), 'C.zip/d.zip': archive(HASH_B), a: archive(HASH_C) });
    const joined = joinDatabases(own, adopted, NOTHING_ALLOWED);
    const made = next(joined, {});
    expect(paths(made)).toEqual(['a/b.zip', 'c.zip']);
    expectTaken(made, joined, [own, adopted]);
  });

  test('a path that is final in one database is final in both', () => {
    const own = at(5, { 'a.zip': archive(HASH_A, { Mutable: true }) });
    const adopted = at(6, { 'a.zip': archive(HASH_B) });
    const joined = joinDatabases(own, adopted, NOTHING_ALLOWED);
    expectTaken(next(joined, {}), joined, [own, adopted]);
    expect(joined.database.Files.get('a.zip')).toMatchObject({ SHA256: HASH_B });
    const { warnings } = carryHistory(joined.database, own.Files, {
      issued: date(9),
      allowed: NOTHING_ALLOWED,
      difference: compareFiles(joined.database.Files, own.Files),
    });
    expect(warnings).toMatchObject([{ code: 'BYTES_CHANGED' }]);
  });
});

/** Numbers below a limit, always the same ones. */
function dice(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor(state / 65_536) % limit;
  };
}

const NAMES = ['a.zip', 'A.zip', 'b.zip', 'c.zip', 'd', 'd/e.zip', 'f.zip'];
const HASHES = [HASH_A, HASH_B, HASH_C];
const reasons = new Map(NAMES.map((name) => [name, `as ${name} pleased`]));

/** Publishes a few more databases after one, each with changes that have their reasons. */
function goOn(
  from: Database,
  days: readonly number[],
  random: (limit: number) => number,
): readonly Database[] {
  const rows: Database[] = [];
  let last = from;
  for (const day of days) {
    const files = new Map(last.Files);
    const name = NAMES[random(NAMES.length)] ?? '';
    const inTheWay = Array.from(files.keys()).filter(
      (one) =>
        one !== name &&
        (one.toLowerCase() === name.toLowerCase() || one.startsWith('d') === name.startsWith('d')),
    );
    for (const one of inTheWay) files.delete(one);
    if (random(3) === 0) files.delete(name);
    else {
      const more = random(4) === 0 ? ({ Mutable: true } as const) : {};
      const entry = archive(HASHES[random(3)], { ...more, Since: date(day) });
      const before = last.Files.get(name);
      files.set(name, before?.SHA256 === entry.SHA256 ? { ...entry, Since: before.Since } : entry);
    }
    const issued = date(day);
    const { history, warnings } = carryHistory(last, files, {
      issued,
      allowed: reasons,
      difference: compareFiles(last.Files, files),
    });
    expect(warnings).toEqual([]);
    last = databaseOf(Object.fromEntries(files), { Issued: issued, History: history });
    rows.push(last);
  }
  return rows;
}

test.each([1, 2, 3, 4])('500 random forks: the joined database goes on from both sides (seed %i)', (seed) => {
  const random = dice(seed);
  const days = (from: number) =>
    Array.from({ length: 1 + random(6) }, (_, index) => from + index * (1 + random(2)) + 1);
  let joins = 0;
  for (let round = 0; round < 500; round += 1) {
    const start = goOn(at(1, { 'c.zip': archive() }), [2, 3, 4], random);
    const trunk = start.at(-1)!;
    const sorted = (list: readonly number[]) => Array.from(new Set(list)).sort((a, b) => a - b);
    const own = goOn(trunk, sorted(days(4)), random);
    const adopted = goOn(trunk, sorted(days(4)), random);
    const joined = joinDatabases(own.at(-1)!, adopted.at(-1)!, reasons);
    const made = next(joined, {}, reasons);
    expectTaken(made, joined, [...start, ...own, ...adopted]);
    joins += 1;
  }
  expect(joins).toBe(500);
});

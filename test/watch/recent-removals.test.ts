import { expect, test } from 'vitest';
import type { AbsenceRule } from '../../src/model/absence.js';
import type { Database } from '../../src/model/database.js';
import { trackRecentRemovals } from '../../src/watch/recent-removals.js';
import type { RecentRemovals } from '../../src/watch/recent-removals.js';
import { HASH_A, archive, databaseOf } from '../model/databases.js';
import { updateOf } from '../../src/model/update.js';

const HOUR_MS = 60 * 60 * 1000;
const START_MS = Date.UTC(2026, 5, 1);
const ask: AbsenceRule = { absent: 'ask', isTyped: false, previous: null };

/** A directory under a watch: each list is published unless it is refused. */
function watched(first: string, start: Partial<Database['Packsign']> = {}) {
  let nowMs = START_MS;
  let published = listing(first, start);
  const removals: RecentRemovals = trackRecentRemovals(() => nowMs);
  removals.start(published);
  return {
    removals,
    wait: (ms: number) => (nowMs += ms),
    publish: (names: string, rule = ask): boolean => {
      const next = listing(names);
      try {
        removals.refuse(updateOf(published, next), rule);
      } catch (error) {
        expect(error).toMatchObject({ code: 'MASS_REMOVAL' });
        return false;
      }
      removals.published(updateOf(published, next));
      published = next;
      return true;
    },
  };
}

function listing(names: string, packsign: Partial<Database['Packsign']> = {}): Database {
  return databaseOf(Object.fromEntries(Array.from(names, (name) => [`${name}.zip`, archive()])), packsign);
}

test('small steps must not empty a directory within an hour', () => {
  const { publish, wait } = watched('abcdef');
  for (const names of ['bcdef', 'cdef', 'def']) expect(publish(names), names).toBe(true);
  expect(publish('ef')).toBe(false);
  wait(HOUR_MS - 1);
  expect(publish('ef')).toBe(false);
  wait(1);
  expect(publish('ef')).toBe(true);
});

test('files that come and go again, or come back, do not count', () => {
  const { publish } = watched('a');
  for (const name of 'bcdefghi') {
    expect(publish(`a${name}`)).toBe(true);
    expect(publish('a')).toBe(true);
  }
  const other = watched('abcd');
  for (const names of ['abc', 'ab', 'abcd', 'abc', 'ab', 'abcd'])
    expect(other.publish(names), names).toBe(true);
});

test('new files are never refused, and neither is what a person said', () => {
  const { publish, removals } = watched('abcd');
  publish('ab');
  expect(publish('b')).toBe(false);
  expect(publish('abx')).toBe(true);
  expect(publish('x', { ...ask, absent: 'withdraw' })).toBe(true);
  removals.forget();
  expect(publish('xyz')).toBe(true);
  expect(publish('xy')).toBe(true);
});

test('a watch that starts again knows from History what went within the hour', () => {
  const gone = (names: string, agoMs: number) =>
    new Map(
      Array.from(names, (name) => [`${name}.zip`, [{ SHA256: HASH_A, Until: new Date(START_MS - agoMs) }]]),
    );
  expect(watched('def', { History: gone('abc', HOUR_MS / 2) }).publish('ef')).toBe(false);
  expect(watched('def', { History: gone('abc', HOUR_MS * 2) }).publish('ef')).toBe(true);
});

test('files younger than an hour do not go one by one either, after a watch starts', () => {
  const Since = new Date(START_MS - HOUR_MS / 2);
  const young = Object.fromEntries(Array.from('abcd', (name) => [`${name}.zip`, archive(HASH_A, { Since })]));
  const removals = trackRecentRemovals(() => START_MS);
  const first = databaseOf(young);
  removals.start(first);
  const next = listing('cd');
  removals.refuse(updateOf(first, next), ask);
  removals.published(updateOf(first, next));
  expect(() => removals.refuse(updateOf(next, listing('d')), ask)).toThrow('3 of 4 published files');
});

import { describe, expect, test } from 'vitest';
import { PacksignError } from '../../src/errors.js';
import type { Database } from '../../src/model/database.js';
import type { FileFacts } from '../../src/model/entry.js';
import type { Warning } from '../../src/model/finding.js';
import type { Inspection } from '../../src/model/inspection.js';
import { damageWarnings, findDamage, refuseDamage } from '../../src/release/damage.js';
import { makeRun } from '../../src/index.js';
import { newPlace } from '../packsign.js';

const SOUND: Inspection = { kind: 'sound', inspect: 'whole' };
const CUT: Inspection = { kind: 'damaged', reason: 'ends early' };
const UNSEEN: Inspection = { kind: 'unseen', reason: 'too large' };

function facts(path: string, inspection: Inspection, sha256 = path): FileFacts {
  const reading = { kind: 'absent', reason: 'nothing there' } as const;
  return { path, size: 1, sha256, md5: null, reading, inspection };
}

/** A published database that lists these hashes by path. */
function listing(hashes: Readonly<Record<string, string>>): Database {
  const Files = new Map(Object.entries(hashes).map(([path, SHA256]) => [path, { SHA256 }]));
  return { Files } as unknown as Database;
}

function find(
  files: readonly FileFacts[],
  { published = null, allow = [] }: { published?: Database | null; allow?: readonly string[] } = {},
) {
  const place = newPlace();
  for (const { path } of files) place.write(`dist/${path}`, '');
  const warned: Warning[] = [];
  const directory = place.path('dist');
  const stateFolder = place.path('dist/.packsign');
  const run = makeRun({ clock: () => new Date(), stateFolder, warn: (warning) => warned.push(warning) });
  const allowDamaged = allow.map((path) => path.replace('DIST', directory));
  const damage = findDamage(directory, files, { run, published, allowDamaged });
  return { damaged: Array.from(damage.damaged.keys()), unseen: damage.unseen, warned };
}

describe('T39: what is damaged', () => {
  test('is found among new files, and what was not looked through is counted', () => {
    const files = [facts('a.zip', SOUND), facts('b.zip', CUT), facts('c.zip', UNSEEN)];
    expect(find(files)).toEqual({ damaged: ['b.zip'], unseen: 1, warned: [] });
  });

  test('is no matter where the predecessor lists the bytes, under whatever path', () => {
    const files = [
      facts('a.zip', CUT, 'one'),
      facts('moved/b.zip', CUT, 'two'),
      facts('c.zip', UNSEEN, 'two'),
    ];
    const published = listing({ 'a.zip': 'one', 'b.zip': 'two' });
    expect(find(files, { published })).toEqual({ damaged: [], unseen: 0, warned: [] });
  });

  test('is found where the predecessor lists other bytes under the path', () => {
    const published = listing({ 'a.zip': 'other' });
    expect(find([facts('a.zip', CUT, 'one')], { published }).damaged).toEqual(['a.zip']);
  });

  test('is allowed under every spelling of its path, and nothing else is', () => {
    const files = [facts('a.zip', CUT), facts('sub/b.zip', CUT), facts('c.zip', CUT)];
    expect(find(files, { allow: ['a.zip', 'DIST/sub/b.zip'] })).toEqual({
      ...{ damaged: ['c.zip'], unseen: 0, warned: [] },
    });
    expect(find(files, { allow: ['./a.zip', 'sub/../c.zip'] }).damaged).toEqual(['sub/b.zip']);
  });

  test('that is allowed and is not there, or not damaged, is said', () => {
    const { damaged, warned } = find([facts('a.zip', SOUND), facts('b.zip', CUT)], {
      allow: ['nowhere.zip', 'a.zip', '../b.zip'],
    });
    expect(damaged).toEqual(['b.zip']);
    expect(warned).toEqual(
      [
        ['nowhere.zip', 'allowed, but there is no such file in the directory'],
        ['a.zip', 'allowed, but nothing is wrong with it, or it is published already'],
        ['../b.zip', 'allowed, but there is no such file in the directory'],
      ].map(([path, message]) => ({ code: 'NOT_DAMAGED', path, message })),
    );
  });

  test('is named with its reason, and with what to do', () => {
    const damaged = new Map([
      ['a.zip', 'ends early'],
      ['b.zip', 'is empty'],
    ]);
    expect(damageWarnings({ damaged })).toEqual([
      { code: 'DAMAGED', path: 'a.zip', message: 'damaged: ends early' },
      { code: 'DAMAGED', path: 'b.zip', message: 'damaged: is empty' },
    ]);
    const refusal = refusalOf(() => refuseDamage({ damaged }));
    expect(refusal).toMatchObject({ code: 'DAMAGED', exitStatus: 1 });
    expect(refusal?.message).toBe(
      '2 files are damaged, and nothing was published:\n  a.zip: ends early\n  b.zip: is empty',
    );
    expect(refusal?.hint).toBe('upload them again; if it has to be so: --allow-damaged a.zip');
    expect(refusalOf(() => refuseDamage({ damaged: new Map() }))).toBeNull();
  });
});

function refusalOf(act: () => void): PacksignError | null {
  try {
    act();
    return null;
  } catch (error) {
    if (error instanceof PacksignError) return error;
    throw error;
  }
}

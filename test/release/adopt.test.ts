import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { breaksIn, chainOf } from '../../src/model/chain.js';
import type { Database } from '../../src/model/database.js';
import { requireSoundHistory } from '../../src/model/policy.js';
import { codeOf, newKey, newPlace, sdist } from '../packsign.js';
import type { Answer, Place, TestKey } from '../packsign.js';

/** Two machines published past each other; one of them joins both databases (`build --adopt`). */
let ann: TestKey;
let own: Place;
let other: Place;

const RELEASE = ['build', 'dist', '--key', 'ann.asc'];

beforeAll(async () => {
  ann = await newKey('Ann');
});

beforeEach(async () => {
  own = newPlace();
  other = newPlace();
  own.write('ann.asc', ann.signing);
  other.write('ann.asc', ann.signing);
  for (const name of ['a', 'b', 'c', 'd']) own.write(`dist/${name}-1.0.tar.gz`, sdist(name, '1.0'));
  await good(own, RELEASE);
  for (const [name, hex] of Object.entries(own.snapshot()))
    other.write(`dist/${name}`, Buffer.from(hex, 'hex'));
});

async function good(at: Place, args: readonly string[]): Promise<Answer> {
  const answer = await at.json(args);
  expect(answer.status, JSON.stringify(answer.value['error'])).toBe(0);
  return answer;
}

function published(at: Place): Database {
  return decodeDatabase(at.read('dist/packages.plist'));
}

const adopt = () => ['--adopt', other.path('dist/packages.plist')];

/** What readers of both databases have to find in the joined one. */
function expectTaken(readers: readonly Database[], made = published(own)): void {
  requireSoundHistory(made);
  for (const reader of readers) {
    const { Issued: issued } = reader.Packsign;
    expect(made.Packsign.Issued > issued).toBe(true);
    expect(breaksIn(made, { issued, chain: chainOf(reader) })).toEqual([]);
  }
}

describe('build --adopt', () => {
  test('lists what both released, and keeps what only the other machine has', async () => {
    own.write('dist/own-1.0.tar.gz', sdist('own', '1.0'));
    await good(own, RELEASE);
    other.write('dist/other-1.0.tar.gz', sdist('other', '1.0'));
    other.remove('dist/a-1.0.tar.gz');
    await good(other, RELEASE);
    const readers = [published(own), published(other)];
    own.remove('dist/a-1.0.tar.gz');
    own.remove('dist/b-1.0.tar.gz');
    const { value } = await good(own, [...RELEASE, ...adopt()]);
    expect(value).toMatchObject({
      added: ['other-1.0.tar.gz'],
      withdrawn: ['a-1.0.tar.gz'],
      kept: 2,
    });
    const { Files, Packages } = published(own);
    const names = ['b', 'c', 'd', 'other', 'own'];
    expect(Array.from(Files.keys())).toEqual(names.map((name) => `${name}-1.0.tar.gz`));
    expect(Packages.map(({ Name }) => Name)).toEqual(names);
    expectTaken(readers);
    expect((await good(own, [...RELEASE, ...adopt(), '--absent', 'keep'])).value).toMatchObject({
      unchanged: true,
    });
  });

  test('--absent withdraw, typed, takes the absent ones off the list', async () => {
    other.write('dist/other-1.0.tar.gz', sdist('other', '1.0'));
    await good(other, RELEASE);
    const readers = [published(own), published(other)];
    await good(own, [...RELEASE, ...adopt(), '--absent', 'withdraw']);
    expect(published(own).Files.has('other-1.0.tar.gz')).toBe(false);
    expectTaken(readers);
  });

  test('BYTES_CHANGED: two hashes for one path, unless there is a reason; the bytes here stay', async () => {
    own.write('dist/x-1.0.tar.gz', sdist('x', '1.0'));
    other.write('dist/x-1.0.tar.gz', sdist('x', '1.0', 'y = 2\n'));
    await good(own, RELEASE);
    await good(other, RELEASE);
    const readers = [published(own), published(other)];
    const before = own.snapshot();
    expect(codeOf(await own.json([...RELEASE, ...adopt()]))).toBe('BYTES_CHANGED');
    expect(own.snapshot()).toEqual(before);
    const reason = ['--allow-changed', 'x-1.0.tar.gz', '--reason', 'built twice'];
    await good(own, [...RELEASE, ...adopt(), ...reason]);
    expect(published(own).Files.get('x-1.0.tar.gz')).toEqual(readers[0]?.Files.get('x-1.0.tar.gz'));
    expectTaken(readers);
  });

  test('a yank of either stays, also of a file that is here, and the settings should say it', async () => {
    other.write('dist/packsign.json', JSON.stringify({ Packages: { 'a-1.0.tar.gz': { Yanked: 'leaks' } } }));
    await good(other, RELEASE);
    const { value } = await good(own, [...RELEASE, ...adopt()]);
    expect(published(own).Files.get('a-1.0.tar.gz')?.Yanked).toBe('leaks');
    expect(value['warnings']).toMatchObject([{ code: 'YANK_NOT_SET', path: 'a-1.0.tar.gz' }]);
    expect(published(own).Packages.map(({ Name }) => Name)).toEqual(['b', 'c', 'd']);
  });

  test('an older database that is continued already changes nothing; a later one with the same content is followed', async () => {
    own.write('dist/own-1.0.tar.gz', sdist('own', '1.0'));
    await good(own, RELEASE);
    expect((await good(own, [...RELEASE, ...adopt()])).value).toMatchObject({ unchanged: true });
    const later = newPlace();
    later.write('ann.asc', ann.signing);
    for (const [name, hex] of Object.entries(own.snapshot()))
      later.write(`dist/${name}`, Buffer.from(hex, 'hex'));
    later.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    await good(later, RELEASE);
    const reader = published(later);
    await good(own, [...RELEASE, '--adopt', later.path('dist/packages.plist')]);
    expectTaken([reader]);
  });

  test('makes entries of the other database anew, under the settings here', async () => {
    const tool = 'tool-1.0-linux-x64.tar.gz';
    own.write('dist/packsign.json', JSON.stringify({ Mutable: ['tool-*'] }));
    await good(own, RELEASE);
    for (const at of [own, other]) at.write(`dist/${tool}`, sdist('tool', '1.0'));
    await good(other, RELEASE);
    await good(own, [...RELEASE, ...adopt(), '--allow-changed', tool, '--reason', 'built every night']);
    expect(published(own).Files.get(tool)).toMatchObject({ Mutable: true });
  });

  test('sign --adopt signs what build --adopt made, and plain sign does not', async () => {
    other.write('dist/other-1.0.tar.gz', sdist('other', '1.0'));
    await good(other, RELEASE);
    const readers = [published(own), published(other)];
    await good(own, ['build', 'dist', ...adopt()]);
    const sign = ['sign', 'dist', '--key', 'ann.asc'];
    expect((await own.json(sign)).status).toBe(1);
    await good(own, [...sign, ...adopt()]);
    expectTaken(readers);
  });

  test('PREVIOUS_INVALID: a database of somebody else', async () => {
    const mallory = await newKey('Mallory');
    const evil = newPlace();
    evil.write('mal.asc', mallory.signing);
    evil.write('dist/evil-1.0.tar.gz', sdist('evil', '1.0'));
    await good(evil, ['build', 'dist', '--key', 'mal.asc']);
    const answer = await own.json([...RELEASE, '--adopt', evil.path('dist/packages.plist')]);
    expect(codeOf(answer)).toBe('PREVIOUS_INVALID');
  });

  test('PREVIOUS_UNKNOWN, FILE_UNREADABLE: there is nothing to join, or nothing to join with', async () => {
    const empty = newPlace();
    empty.write('ann.asc', ann.signing);
    empty.write('dist/a-1.0.tar.gz', sdist('a', '1.0'));
    expect(codeOf(await empty.json([...RELEASE, ...adopt()]))).toBe('PREVIOUS_UNKNOWN');
    expect(codeOf(await own.json([...RELEASE, '--adopt', 'nowhere.plist']))).toBe('FILE_UNREADABLE');
  });
});

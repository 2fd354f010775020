import { describe, expect, test } from 'vitest';
import { diffDatabases } from '../../src/model/diff.js';
import { HASH_A, HASH_B, archive, assembled, databaseOf, date, observed, overriding } from './databases.js';
import { updateOf } from '../../src/model/update.js';

const DEMO = observed('demo-1.0.tar.gz');
const plain = assembled([DEMO]).database;

const NOTHING = { added: [], withdrawn: [], changed: [], metadata: [], settings: [], executable: [] };

test('without a published database, everything is added', () => {
  const difference = diffDatabases(updateOf(null, plain));
  expect(difference).toMatchObject({ added: ['demo-1.0.tar.gz'], withdrawn: [], changed: [], settings: [] });
});

test('the same database has no difference', () => {
  expect(diffDatabases(updateOf(plain, assembled([DEMO]).database))).toEqual(NOTHING);
  const later = assembled([DEMO], {}, { issued: date(9), previous: HASH_A, published: plain }).database;
  expect(diffDatabases(updateOf(plain, later))).toEqual(NOTHING);
});

test('added, withdrawn and changed archives, the last with both entries', () => {
  const before = databaseOf({ 'a.zip': archive(), 'b.zip': archive(), 'c.zip': archive() });
  const after = databaseOf({ 'b.zip': archive(HASH_B), 'c.zip': archive(), 'd.zip': archive() });
  expect(diffDatabases(updateOf(before, after))).toMatchObject({
    added: ['d.zip'],
    withdrawn: ['a.zip'],
    changed: [{ path: 'b.zip', before: { SHA256: HASH_A }, after: { SHA256: HASH_B }, reason: null }],
  });
});

test('changed bytes have their newest reason, and none if it is an old one', () => {
  const record = { SHA256: HASH_A, Until: date(2), Reason: 'rebuilt' };
  const before = databaseOf({ 'a.zip': archive() });
  const after = databaseOf({ 'a.zip': archive(HASH_B) }, { History: new Map([['a.zip', [record]]]) });
  expect(diffDatabases(updateOf(before, after)).changed[0]?.reason).toBe('rebuilt');
  const old = databaseOf({ 'a.zip': archive() }, { History: new Map([['a.zip', [record]]]) });
  expect(diffDatabases(updateOf(old, after)).changed[0]?.reason).toBe(null);
});

test('names, yanks and settings', () => {
  const settings = overriding(
    { 'demo-1.0.tar.gz': { Version: '1.1', Yanked: 'leaks' } },
    { Notify: 'mailto:a@example.org' },
  );
  const { metadata, settings: changed } = diffDatabases(
    updateOf(plain, assembled([DEMO], settings).database),
  );
  expect(metadata).toEqual([
    { of: 'demo-1.0.tar.gz', key: 'Version', before: '1.0', after: '1.1' },
    { of: 'demo-1.0.tar.gz', key: 'Yanked', before: null, after: 'leaks' },
  ]);
  expect(changed).toEqual([{ of: '', key: 'Notify', before: null, after: 'mailto:a@example.org' }]);
});

describe('what PackMan executes', () => {
  const commanded = assembled(
    [DEMO],
    overriding({ demo: { 'Install-command': 'make\nmake install' } }),
  ).database;

  test('is shown in full when it is new or changed', () => {
    expect(diffDatabases(updateOf(plain, commanded)).executable).toEqual([
      { of: 'demo-1.0.tar.gz', key: 'Install-command', before: null, after: 'make\nmake install' },
    ]);
    const keys = diffDatabases(updateOf(null, commanded)).executable.map(({ key }) => key);
    expect(keys.sort()).toEqual(['Install-command', 'Install-test']);
  });

  test('is also a difference when it is removed', () => {
    const difference = diffDatabases(updateOf(commanded, plain));
    expect(difference.metadata).toEqual([
      { of: 'demo-1.0.tar.gz', key: 'Install-command', before: 'make\nmake install', after: null },
    ]);
  });
});

test('pseudo-packages that come and go are a difference', () => {
  const pseudo = assembled([DEMO], overriding({ python: { Name: 'python', Version: '3.12' } })).database;
  expect(diffDatabases(updateOf(plain, pseudo)).metadata).toEqual([
    { of: 'python', key: 'Name', before: null, after: 'python' },
  ]);
  expect(diffDatabases(updateOf(pseudo, plain)).metadata).toEqual([
    { of: 'python', key: 'Name', before: 'python', after: null },
  ]);
});

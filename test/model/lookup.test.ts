import { describe, expect, it } from 'vitest';
import type { Database, Withdrawal } from '../../src/model/database.js';
import type { FileEntry } from '../../src/model/file-entry.js';
import { lookUp } from '../../src/model/lookup.js';
import { DEMO, ISSUED, OTHER, database, sha256 } from '../threats/scene.js';

const THIRD = Buffer.from('third');
const file = (name: string, bytes: Uint8Array = DEMO) => ({
  name,
  size: bytes.length,
  sha256: sha256(bytes),
});
const record = (bytes: Uint8Array): Withdrawal => ({ SHA256: sha256(bytes), Until: ISSUED, Reason: 'why' });

interface Listing {
  readonly archives: Readonly<Record<string, Uint8Array>>;
  readonly yanked?: readonly string[];
  readonly history?: Readonly<Record<string, readonly Withdrawal[]>>;
}

function listing({ archives, yanked = [], history }: Listing): Database {
  const base = database({ archives });
  const Files = new Map(
    Array.from(base.Files, ([path, entry]): [string, FileEntry] => [
      path,
      yanked.includes(path) ? { ...entry, Yanked: 'burns' } : entry,
    ]),
  );
  const History = new Map(Object.entries(history ?? {}));
  return { ...base, Files, Packsign: { ...base.Packsign, ...(history === undefined ? {} : { History }) } };
}

const kindOf = (listed: Listing, name: string, bytes?: Uint8Array) => {
  const found = lookUp(listing(listed), file(name, bytes));
  return [found.kind, 'path' in found ? found.path : null];
};

describe('the name of a download', () => {
  const archives = { 'v1/wobble-1.0.tar.gz': DEMO, 'tool.exe': OTHER, 'wobble-1.0.gz': THIRD };

  it.each([
    'wobble-1.0.tar.gz',
    'wobble-1.0 (1).tar.gz',
    'wobble-1.0(1).tar.gz',
    'wobble-1.0.tar (1).gz',
    'wobble-1.0.tar(12).gz',
    'wobble-1.0.tar.gz (1)',
    'elsewhere/wobble-1.0 (9999).tar.gz',
  ])('is that of the file, a counter of the browser aside: %s', (name) => {
    expect(kindOf({ archives }, name)).toEqual(['listed', 'v1/wobble-1.0.tar.gz']);
    expect(kindOf({ archives }, name, Buffer.from('other'))).toEqual(['altered', 'v1/wobble-1.0.tar.gz']);
  });

  it('may have its counter before what looks like a second ending', () => {
    expect(kindOf({ archives }, 'wobble-1 (2).0.gz', THIRD)[0]).toBe('listed');
  });

  it.each([
    'wobble-2.0.tar.gz',
    'wobble-1.0-1.tar.gz',
    'Wobble-1.0.tar.gz',
    'wobble-1.0 (0).tar.gz',
    'wobble-1.0 (01).tar.gz',
    'wobble-1.0 (1) (1).tar.gz',
    'wobble-1.0  (1).tar.gz',
    'wobble (1)-1.0.tar.gz',
    'wobble (1)-1.0.tar.gz.',
    'wobble-1.0 (99999).tar.gz',
    'wobble-1.0 (x).tar.gz',
    'wobble-1.0.tar.gz (1) ',
    'wobble-1.0.tar.gz\n',
    'wobble-1.0.tar.gz/',
    '(1)',
    '',
  ])('is another one: %j', (name) => {
    expect(kindOf({ archives }, name)).toEqual(['renamed', 'v1/wobble-1.0.tar.gz']);
    expect(kindOf({ archives }, name, Buffer.from('other'))).toEqual(['unknown', null]);
  });

  it('does not matter where the caller says which file it is', () => {
    expect(lookUp(listing({ archives }), file('anything'), 'v1/wobble-1.0.tar.gz').kind).toBe('listed');
    expect(lookUp(listing({ archives }), file('tool.exe'), 'tool.exe').kind).toBe('altered');
  });
});

describe('the same bytes under several paths', () => {
  it('are those of the path that has the name', () => {
    const archives = { 'a-1.0.tar.gz': DEMO, 'b-latest.tar.gz': DEMO };
    expect(kindOf({ archives }, 'b-latest.tar.gz')).toEqual(['listed', 'b-latest.tar.gz']);
    expect(kindOf({ archives }, 'c.tar.gz')).toEqual(['renamed', 'a-1.0.tar.gz']);
  });

  it('are yanked if that path is, or if another one of the same name is, and else not', () => {
    const archives = { 'a-1.0.tar.gz': DEMO, 'b-latest.tar.gz': DEMO, 'old/b-latest.tar.gz': DEMO };
    const yanked = ['a-1.0.tar.gz'];
    expect(kindOf({ archives, yanked }, 'a-1.0.tar.gz')[0]).toBe('yanked');
    expect(kindOf({ archives, yanked }, 'b-latest.tar.gz')[0]).toBe('listed');
    expect(kindOf({ archives, yanked: ['old/b-latest.tar.gz'] }, 'b-latest.tar.gz')).toEqual([
      ...['yanked', 'old/b-latest.tar.gz'],
    ]);
  });

  it('are yanked under a foreign name if one of their paths is', () => {
    const archives = { 'a-1.0.tar.gz': DEMO, 'b-latest.tar.gz': DEMO };
    expect(kindOf({ archives, yanked: ['b-latest.tar.gz'] }, 'c.tar.gz')).toEqual([
      ...['yanked', 'b-latest.tar.gz'],
    ]);
  });
});

describe('the same name in several folders', () => {
  const archives = { 'tool.exe': DEMO, 'v1/tool.exe': OTHER, 'v2/tool.exe': THIRD };

  it.each([
    ['tool.exe', DEMO],
    ['v1/tool.exe', OTHER],
    ['v2/tool.exe', THIRD],
  ])('is that of %s with its bytes', (path, bytes) => {
    expect(kindOf({ archives }, 'tool.exe', bytes)).toEqual(['listed', path]);
  });

  it('is altered only if none fits; then the path that the caller gave is named', () => {
    expect(kindOf({ archives }, 'tool.exe', Buffer.from('no'))).toEqual(['altered', 'tool.exe']);
    expect(kindOf({ archives }, 'v2/tool.exe', Buffer.from('no'))).toEqual(['altered', 'v2/tool.exe']);
  });
});

describe('former bytes', () => {
  it('are withdrawn, whatever the path holds now', () => {
    const archives = { 'a.zip': DEMO };
    const history = { 'a.zip': [record(OTHER)], 'gone.zip': [record(THIRD)] };
    expect(kindOf({ archives, history }, 'a.zip', OTHER)).toEqual(['withdrawn', 'a.zip']);
    expect(kindOf({ archives, history }, 'gone (1).zip', THIRD)).toEqual(['withdrawn', 'gone.zip']);
    expect(kindOf({ archives, history }, 'x.zip', THIRD)).toEqual(['withdrawn', 'gone.zip']);
    expect(kindOf({ archives, history }, 'gone.zip', Buffer.from('no'))).toEqual(['unknown', null]);
  });

  it('are those of the path with the name of the file, where several had them', () => {
    const history = { 'a.zip': [record(OTHER)], 'b.zip': [record(OTHER)] };
    expect(kindOf({ archives: {}, history }, 'b.zip', OTHER)).toEqual(['withdrawn', 'b.zip']);
  });

  it('are listed if they came back', () => {
    const history = { 'a.zip': [record(DEMO)] };
    expect(kindOf({ archives: { 'a.zip': DEMO }, history }, 'a.zip')).toEqual(['listed', 'a.zip']);
  });
});

it('a file of another size is altered, whatever its hash is', () => {
  const listed = listing({ archives: { 'a.zip': DEMO } });
  expect(lookUp(listed, { ...file('a.zip'), size: DEMO.length + 1 }).kind).toBe('altered');
});

it('names of Object.prototype are names like others', () => {
  for (const name of ['constructor', '__proto__', 'toString']) {
    expect(kindOf({ archives: { 'a.zip': DEMO } }, name, OTHER)).toEqual(['unknown', null]);
  }
});

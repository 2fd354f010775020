import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRacy, openCache } from '../../src/release/facts-cache.js';
import type { ScannedFile } from '../../src/places/scan.js';
import type { FileFacts } from '../../src/model/entry.js';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'packsign-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const IDENTITY = {
  device: 5n,
  inode: 2n ** 62n,
  size: 4096n,
  modified: 1_700_000_000_123_456_789n,
  changed: 1_700_000_001_000_000_000n,
};

interface CacheEntry {
  readonly file: ScannedFile;
  readonly observed: FileFacts;
}

function entry(path: string, letter = 'a'): CacheEntry {
  const reading = { kind: 'absent', reason: `naïve ${letter} "quoted"\ttab` } as const;
  return {
    file: { path, identity: IDENTITY },
    observed: {
      path,
      size: 4096,
      sha256: letter.repeat(64),
      md5: letter === 'b' ? null : letter.repeat(32),
      reading,
      inspection: { kind: 'damaged', reason: 'ends early' },
    },
  };
}

const open = () => openCache(folder, { rehash: false, remember: true });

function keep(entries: readonly CacheEntry[], { remember = true } = {}): void {
  const cache = openCache(folder, { rehash: false, remember });
  cache.keep(
    entries.map(({ file }) => file),
    entries.map(({ observed }) => observed),
  );
  cache.save();
}

describe('the cache of facts', () => {
  it('gives back what was kept, even in another process', () => {
    const entries = [entry('a-1.zip'), entry('b-1.zip', 'b'), entry('sub/c-1.zip', 'c')];
    keep(entries);
    const cache = open();
    for (const { file, observed } of entries) {
      const found = cache.find(file);
      expect(found).toMatchObject(observed);
    }
    expect(cache.find({ path: 'd-1.zip', identity: IDENTITY })).toBeNull();
    expect(cache.checksum()).toMatch(/^[0-9a-f]{64}$/);
  });

  it('finds its entries in any order', () => {
    const paths = [
      'a-1.zip',
      'a-1.zip.zip',
      'a.zip',
      'a/b.zip',
      'a!.zip',
      '_.zip',
      'Z.zip',
      'zz/a.zip',
    ].sort();
    keep(paths.map((path) => entry(path)));
    const cache = open();
    for (const path of [...paths.toReversed(), ...paths, ...paths.flatMap((name) => [name, `${name}x`])]) {
      const { file } = entry(path);
      expect(cache.find(file)?.path ?? null).toBe(paths.includes(path) ? path : null);
      expect(cache.knows(file)).toBe(paths.includes(path));
    }
  });

  it.each(['device', 'inode', 'size', 'modified', 'changed'] as const)(
    'does not know a file whose %s is another',
    (field) => {
      keep([entry('a-1.zip')]);
      const identity = { ...IDENTITY, [field]: IDENTITY[field] + 1n };
      expect(open().find({ path: 'a-1.zip', identity })).toBeNull();
    },
  );

  it('is discarded as a whole if any bit is damaged', () => {
    keep([entry('a-1.zip')]);
    const path = join(folder, 'facts');
    const bytes = readFileSync(path);
    for (let bit = 0; bit < bytes.length * 8; bit += 3) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] = damaged[bit >> 3]! ^ (1 << (bit & 7));
      writeFileSync(path, damaged);
      expect(open().find(entry('a-1.zip').file)).toBeNull();
    }
    for (let length = 0; length < bytes.length; length += 1) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(open().find(entry('a-1.zip').file)).toBeNull();
    }
  });

  it('is not written if it may not be, and is empty if every file must be read', () => {
    keep([entry('a-1.zip')]);
    keep([entry('b-1.zip', 'b')], { remember: false });
    expect(open().find(entry('a-1.zip').file)).not.toBeNull();
    expect(openCache(folder, { rehash: true, remember: true }).find(entry('a-1.zip').file)).toBeNull();
  });

  it('holds what was kept last, before and after it is saved', () => {
    const [one, other] = [entry('a-1.zip'), entry('b-1.zip', 'b')];
    keep([one]);
    const cache = open();
    cache.keep([one.file, other.file], [cache.find(one.file), other.observed]);
    expect([cache.checksum(), cache.size(), cache.knows(other.file), open().size()]).toEqual([
      null,
      2,
      true,
      1,
    ]);
    cache.save();
    expect(open().checksum()).toBe(cache.checksum());
    expect(open().find(other.file)).toMatchObject(other.observed);
    cache.keep([], []);
    cache.save();
    expect([cache.size(), open().size()]).toEqual([0, 0]);
  });

  it('does not remember a file that was touched moments before it was read', () => {
    const file = { path: 'a-1.zip', identity: IDENTITY };
    const changedMs = Number(IDENTITY.changed / 1_000_000n);
    expect(isRacy(file, changedMs)).toBe(true);
    expect(isRacy(file, changedMs + 1999)).toBe(true);
    expect(isRacy(file, changedMs + 2000)).toBe(false);
    expect(isRacy(file, changedMs - 60_000)).toBe(true);
  });
});

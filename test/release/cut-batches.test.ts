import { expect, test } from 'vitest';
import { decodeBatch, encodeBatch } from '../../src/format/object-batch.js';
import { Misfit } from '../../src/format/misfit.js';
import { cutBatches } from '../../src/release/cut-batches.js';

const object = (number: number, size = 1000) => ({
  ...{ path: `p/pkg${String(number).padStart(5, '0')}.tar.gz`, size, etag: 'e', modifiedMs: 1, md5: true },
});
const objects = (count: number) => Array.from({ length: count }, (_, index) => object(index));

test('batches have all objects once, in their order, and few of them', () => {
  const all = objects(5000);
  const batches = cutBatches(all);
  expect(batches.flat()).toEqual(all);
  expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(64);
  expect(batches.length).toBeGreaterThan(120);
  expect(batches.length).toBeLessThan(400);
  expect(cutBatches([])).toEqual([]);
});

test('a batch has few bytes, or one object', () => {
  const mega = 1024 * 1024;
  const all = [1, 40, 40, 1, 500, 1].map((size, number) => object(number, size * mega));
  const sizes = cutBatches(all).map((batch) => batch.reduce((sum, { size }) => sum + size, 0) / mega);
  expect(cutBatches(all).flat()).toEqual(all);
  expect(sizes.filter((size) => size > 64)).toEqual([500]);
});

test('if an object comes or goes, most batches stay as they are', () => {
  const all = objects(5000);
  const names = (some: typeof all) => cutBatches(some).map((batch) => JSON.stringify(batch));
  const before = new Set(names(all));
  for (const less of [all.slice(1), all.toSpliced(2500, 1), all.slice(0, -1)]) {
    const changed = names(less).filter((name) => !before.has(name));
    expect(changed.length).toBeLessThan(8);
  }
});

test('a batch has one text, and a text that is no batch is refused', () => {
  const batch = {
    address: 's3://bucket/dist',
    inspect: 'whole',
    objects: [object(1), { ...object(2), etag: null }],
  } as const;
  const text = encodeBatch(batch);
  expect(decodeBatch(text)).toEqual(batch);
  for (const [from, to] of [
    ['"size":1000', '"size":-1'],
    ['"size":1000', '"size":"1"'],
    ['p/pkg', '../pkg'],
    ['p/pkg', '/pkg'],
    ['"whole"', '"none"'],
    ['"md5":true', '"md5":true,"more":1'],
    ['"objects"', '"others"'],
    ['[', '[[[['],
    ['{', ''],
  ] as const) {
    expect(() => decodeBatch(text.replace(from, to)), to).toThrow(Misfit);
  }
});

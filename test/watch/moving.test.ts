import { mkdirSync, renameSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { makeRun } from '../../src/run.js';
import { openCache } from '../../src/release/facts-cache.js';
import { scanDirectory } from '../../src/places/scan.js';
import type { Scan } from '../../src/places/scan.js';
import { takeInventory } from '../../src/release/inventory.js';
import type { Inventory } from '../../src/release/inventory.js';
import { sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { drop, published, watchedPlace } from './watching.js';

const A = 'a-1.0.tar.gz';
const B = 'x/b-1.0.tar.gz';

/** A published directory of two files, and its scan. */
async function publishedPlace(): Promise<{ place: Place; scan: Scan }> {
  const { place } = await watchedPlace();
  drop(place, `dist/${A}`, sdist('a', '1.0'));
  drop(place, `dist/${B}`, sdist('b', '1.0'));
  expect((await place.packsign(['build', 'dist', '--key', 'key.asc'])).status).toBe(0);
  return { place, scan: scanDirectory(place.path('dist'), { globs: { include: [], exclude: [] } }) };
}

async function inventory(place: Place, scan: Scan, unstable?: ReadonlySet<string>): Promise<Inventory> {
  return await takeInventory(place.path('dist'), {
    settings: {},
    published: published(place),
    cache: openCache(place.path('state'), { rehash: true, remember: false }),
    run: makeRun({ clock: () => new Date() }),
    scan,
    unstable,
  });
}

const refused = expect.objectContaining({ code: 'LISTED_FILE_UNREADABLE' }) as unknown;

describe('a published file that moves while a cycle reads it', () => {
  test('changed since the scan: a watch looks again later, other commands fail', async () => {
    const { place, scan } = await publishedPlace();
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    expect((await inventory(place, scan, new Set())).moving).toEqual(new Set([A]));
    await expect(inventory(place, scan)).rejects.toEqual(refused);
  });

  test('came back since the scan: the same happens', async () => {
    const { place, scan } = await publishedPlace();
    const before = { ...scan, files: scan.files.filter(({ path }) => path !== A) };
    expect((await inventory(place, before, new Set())).moving).toEqual(new Set([A]));
    await expect(inventory(place, before)).rejects.toEqual(refused);
  });

  test('gone: it is withdrawn', async () => {
    const { place, scan } = await publishedPlace();
    place.remove(`dist/${A}`);
    const { moving, files } = await inventory(place, scan, new Set());
    expect(moving).toEqual(new Set());
    expect(files.map(({ path }) => path)).toEqual([B]);
  });

  test('LISTED_FILE_UNREADABLE: one that is no longer a file, or whose folder cannot be read, is an error', async () => {
    const { place, scan } = await publishedPlace();
    place.remove(`dist/${A}`);
    mkdirSync(place.path(`dist/${A}`));
    const again = scanDirectory(place.path('dist'), { globs: { include: [], exclude: [] } });
    await expect(inventory(place, again, new Set())).rejects.toEqual(refused);
    renameSync(place.path(`dist/${A}`), place.path('away'));
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    const { files } = scanDirectory(place.path('dist'), { globs: { include: [], exclude: [] } });
    const warnings = [{ code: 'UNREADABLE' as const, path: 'x', message: 'folder cannot be read: EACCES' }];
    const blind = { ...scan, files: files.filter(({ path }) => path !== B), warnings };
    await expect(inventory(place, blind, new Set())).rejects.toEqual(refused);
  });
});

import { renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { emptyZip, newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';

/** Files this old show by their times whether they were touched since. */
function settle(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2100);
}

/** A published directory, built again once its files were no longer fresh, so that the build is remembered. */
async function remembered(): Promise<Place> {
  const place = newPlace();
  await place.packsign([
    'key',
    'generate',
    '--user-id',
    'A <a@example.org>',
    '--no-passphrase',
    '--output',
    'key.asc',
  ]);
  place.write('dist/a-1.0.zip', emptyZip('bytes of a'));
  place.write('dist/b-1.0.zip', emptyZip('bytes of b'));
  const run = await place.packsign(['build', 'dist', '--key', 'key.asc']);
  expect(run.status, run.stderr).toBe(0);
  // Files touched a moment ago are read again: their times could hide a later write.
  settle();
  expect((await place.json(['build', 'dist', '--key', 'key.asc'])).value).toMatchObject({
    unchanged: true,
    hashed: 2,
  });
  return place;
}

const BUILD = ['build', 'dist', '--key', 'key.asc'];

describe('the shortcut of a build in which nothing changed', () => {
  it('repeats what the full build said', async () => {
    const place = await remembered();
    const whole = (await place.json([...BUILD, '--rehash'])).value;
    const { value, status } = await place.json(BUILD);
    expect(status).toBe(0);
    expect(value).toEqual({ ...whole, hashed: 0, cached: 2 });
  });

  it('is not taken where a listed program is none any more: it stays listed, and is looked at', async () => {
    const place = await remembered();
    place.write('dist/tool', '#!/bin/sh\n');
    expect((await place.json(BUILD)).value).toMatchObject({ files: 3 });
    settle();
    expect((await place.json(BUILD)).value).toMatchObject({ files: 3, unchanged: true });
    place.write('dist/tool', 'one text');
    const changed = [...BUILD, '--allow-changed', 'tool', '--reason', 'is a text now'];
    expect((await place.json(changed)).value).toMatchObject({ files: 3, uncovered: [], published: true });
    expect((await place.json(BUILD)).value).toMatchObject({ files: 3, uncovered: [], unchanged: true });
    expect((await place.json(BUILD)).value).toMatchObject({ files: 3, uncovered: [], unchanged: true });
    place.write('dist/tool', 'another!');
    expect((await place.json(BUILD)).value).toMatchObject({ error: { code: 'BYTES_CHANGED' } });
  });

  it('is not taken if the signature is gone or different', async () => {
    const place = await remembered();
    const signatures = `dist/signatures/${String((await place.json(BUILD)).value['sha256'])}.asc`;
    const good = place.read(signatures);
    const damage = () => {
      place.write(signatures, good.toString().replace(/\n[A-Za-z0-9+/]{4}/, '\nAAAA'));
    };
    damage();
    expect((await place.json(BUILD)).value).toMatchObject({ unchanged: true });
    expect(place.read(signatures).equals(good)).toBe(true);
    damage();
    place.write('dist/packages.plist.asc', place.read(signatures));
    expect((await place.json(BUILD)).value).toMatchObject({ error: { code: 'PREVIOUS_INVALID' } });
    place.remove(signatures);
    place.remove('dist/packages.plist.asc');
    expect((await place.json(BUILD)).value).toMatchObject({ error: { code: 'PREVIOUS_INVALID' } });
    place.write(signatures, good);
    expect((await place.json(BUILD)).value).toMatchObject({ unchanged: true });
  });

  it('is not taken if keys.asc is different', async () => {
    const place = await remembered();
    await place.packsign([
      'key',
      'generate',
      '--user-id',
      'B <b@example.org>',
      '--no-passphrase',
      '--output',
      'b.asc',
    ]);
    place.write('dist/keys.asc', place.read('b.pub.asc'));
    expect((await place.json(BUILD)).value).toMatchObject({ error: { code: 'PREVIOUS_INVALID' } });
  });

  it('is not taken if the database was edited', async () => {
    const place = await remembered();
    place.write('dist/packages.plist', place.text('dist/packages.plist').replace('a 1.0', 'a 2.0'));
    expect((await place.json(BUILD)).value).toMatchObject({ error: { code: 'PREVIOUS_INVALID' } });
  });

  it('is not taken if the database was edited in place, with the same size and time', async () => {
    const place = await remembered();
    const path = place.path('dist/packages.plist');
    const { mtime } = statSync(path);
    const good = place.read('dist/packages.plist');
    place.write('dist/packages.plist', good.toString().replace('a 1.0', 'a 2.0'));
    utimesSync(path, mtime, mtime);
    expect((await place.json(BUILD)).value).toMatchObject({ error: { code: 'PREVIOUS_INVALID' } });
    place.remove('dist/packages.plist');
    place.write('elsewhere', good.toString().replace('a 1.0', 'a 2.0'));
    symlinkSync(place.path('elsewhere'), path);
    expect((await place.json(BUILD)).value).toMatchObject({ error: { code: 'PREVIOUS_INVALID' } });
    place.write('elsewhere', good);
    settle();
    expect((await place.json(BUILD)).value).toMatchObject({ unchanged: true });
    place.write('elsewhere', good.toString().replace('a 1.0', 'a 2.0'));
    expect((await place.json(BUILD)).value).toMatchObject({ error: { code: 'PREVIOUS_INVALID' } });
  });

  it('is not taken if a file was touched, even with the same size and time', async () => {
    const place = await remembered();
    writeFileSync(place.path('dist/a-1.0.zip'), emptyZip('BYTES OF A'));
    utimesSync(place.path('dist/a-1.0.zip'), new Date(0), new Date(0));
    expect((await place.json(BUILD)).value).toMatchObject({ error: { code: 'BYTES_CHANGED' } });
  });

  it('is not taken if a file came or went', async () => {
    const place = await remembered();
    place.write('dist/c-1.0.zip', emptyZip('bytes of c'));
    expect(await place.json([...BUILD, '--check'])).toMatchObject({
      status: 1,
      value: { added: ['c-1.0.zip'] },
    });
    place.remove('dist/c-1.0.zip');
    place.remove('dist/b-1.0.zip');
    expect(await place.json([...BUILD, '--check'])).toMatchObject({
      status: 1,
      value: { withdrawn: ['b-1.0.zip'] },
    });
  });

  it('is not taken if settings changed', async () => {
    const place = await remembered();
    expect(await place.json([...BUILD, '--check', '--description', 'other'])).toMatchObject({ status: 1 });
    expect(await place.json([...BUILD, '--check', '--no-pack-man'])).toMatchObject({ status: 1 });
  });

  it('is not taken if there would be a new warning', async () => {
    const place = await remembered();
    place.write('dist/un safe-1.0.zip', emptyZip('x'));
    expect((await place.json(BUILD)).value['warnings']).toContainEqual(
      expect.objectContaining({ code: 'UNSAFE_NAME' }),
    );
  });

  it('is not taken if the cache or the notes of the last build are damaged or gone', async () => {
    const place = await remembered();
    for (const name of ['facts', 'last-build']) {
      const path = `dist/.packsign/${name}`;
      const bytes = place.read(path);
      const damaged = Buffer.from(bytes);
      damaged[damaged.length - 10] = (damaged[damaged.length - 10] ?? 0) ^ 1;
      place.write(path, damaged);
      expect((await place.json(BUILD)).value).toMatchObject({ unchanged: true, files: 2 });
      rmSync(place.path(path));
      expect((await place.json(BUILD)).value).toMatchObject({ unchanged: true, files: 2 });
    }
  });

  it('is not taken if the database is due to be signed again', async () => {
    const place = await remembered();
    const issued = new Date(String((await place.json(BUILD)).value['issued'])).getTime() / 1000;
    const env = { SOURCE_DATE_EPOCH: String(issued + 121 * 86_400) };
    const { value } = await place.json(BUILD, { env });
    expect(value).toMatchObject({ unchanged: false, published: true });
  });
});

test('an answer does not depend on files that only an earlier cache knew', async () => {
  const place = await remembered();
  for (let index = 10; index < 70; index += 1)
    place.write(`dist/n-${index}.zip`, emptyZip(`bytes of ${index}`));
  place.write('dist/sub/x-1.0.zip', emptyZip('bytes of x'));
  settle();
  const build = async () => (await place.json(BUILD)).value;
  expect([(await build())['unchanged'], (await build())['unchanged']]).toEqual([false, true]);
  renameSync(place.path('dist/sub'), place.path('elsewhere'));
  place.write('dist/y-1.0.zip', emptyZip('bytes of y'));
  settle();
  expect(await build()).toMatchObject({ added: ['y-1.0.zip'], withdrawn: ['sub/x-1.0.zip'] });
  place.remove('dist/y-1.0.zip');
  // The name of a folder changes nothing about its files.
  renameSync(place.path('elsewhere'), place.path('dist/sub'));
  expect(await build()).toMatchObject({ added: ['sub/x-1.0.zip'], withdrawn: ['y-1.0.zip'] });
});

test('a build still notices a secret key in an old file, and a clock that is behind', async () => {
  const place = await remembered();
  place.write('dist/note.txt', 'a note');
  for (const args of [BUILD, BUILD]) expect((await place.json(args)).value['unchanged']).toBe(true);
  place.write('dist/note.txt', place.read('key.asc'));
  expect((await place.json(BUILD)).value).toMatchObject({ error: { code: 'SECRET_IN_DIRECTORY' } });
  place.remove('dist/note.txt');
  place.write('dist/c-1.0.zip', emptyZip('bytes of c'));
  settle();
  const env = { SOURCE_DATE_EPOCH: String(Math.floor(Date.now() / 1000) + 3600) };
  expect((await place.json(BUILD, { env })).value).toMatchObject({ unchanged: false, published: true });
  expect((await place.json(BUILD)).value).toMatchObject({ error: { code: 'CLOCK_BEHIND' } });
});

test('the notes of the last build are discarded as a whole if any bit is damaged', async () => {
  const place = await remembered();
  const path = 'dist/.packsign/last-build';
  const whole = (await place.json(BUILD)).value;
  const bytes = place.read(path);
  for (let bit = 0; bit < bytes.length * 8; bit += 401) {
    const damaged = Buffer.from(bytes);
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    place.write(path, damaged);
    expect((await place.json(BUILD)).value).toEqual(whole);
  }
});

test('a new file is read once', async () => {
  const place = await remembered();
  place.write('dist/o-1.0.zip', emptyZip('bytes of o'));
  settle();
  const hashed = async () => {
    const { value, run } = await place.json(BUILD);
    expect(value, run.stderr).not.toHaveProperty('error');
    return [value['hashed'], value['unchanged']];
  };
  expect([await hashed(), await hashed()]).toEqual([
    [1, false],
    [0, true],
  ]);
});

test('publishes nothing new if two packages share a name and a hand-written address', async () => {
  const place = await remembered();
  const settings = { Packages: { 'a-1.0.zip': { Name: 'b', 'Download-URL': 'b-1.0.zip' } } };
  place.write('dist/packsign.json', JSON.stringify(settings));
  expect((await place.json(BUILD)).value).toMatchObject({ unchanged: false });
  for (const args of [[], ['--rehash'], []]) {
    expect((await place.json([...BUILD, ...args])).value).toMatchObject({ unchanged: true });
  }
});

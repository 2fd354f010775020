import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { takeLock } from '../../src/disk/lock.js';
import { lockPlace } from '../disk/lock-place.js';
import { newKey, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { given, needTools, skip } from '../tools.js';
import {
  PATIENCE_MS,
  drop,
  endAll,
  eventually,
  expectSound,
  gpgvState,
  leftovers,
  listed,
  published,
  sleep,
  startWatch,
  watchedPlace,
} from './watching.js';
import type { Line, Watching } from './watching.js';

// Every test here runs the compiled program on real files with a real key, and has a directory of its own.

afterAll(endAll);

/** A short settle time, for tests of something else. */
const KEY = ['--key', 'key.asc', '--settle', '300ms'] as const;
/** No file ever counts as stable in this time, so that a signed file must have arrived complete. */
const ONLY_WHOLE = ['--key', 'key.asc', '--settle', '1h'] as const;

const hasProc = given(
  existsSync('/proc/self/fdinfo'),
  'this system does not show the open files of a process',
);

/** A cycle of the watch may hold the lock for long on a busy machine. */
const PATIENT = ['--wait', '1min'] as const;

const A = 'a-1.0.tar.gz';
const B = 'b-1.0.tar.gz';

/** A watch of a directory with one published file. */
async function watchOfOne(args: readonly string[] = KEY): Promise<{ place: Place; watching: Watching }> {
  const { place } = await watchedPlace();
  drop(place, `dist/${A}`, sdist('a', '1.0'));
  const watching = startWatch(place, args);
  await watching.until({ event: 'signed', paths: [A] });
  await watching.until({ event: 'ready' });
  return { place, watching };
}

async function endWell(place: Place, watching: Watching): Promise<void> {
  expect(await watching.stop(), watching.stderr()).toBe(0);
  expect(watching.lines.at(-1)?.event).toBe('stopped');
  expect(leftovers(place.path('dist'))).toEqual([]);
  await expectSound(place);
}

describe.concurrent('files that come and go', { timeout: 4 * PATIENCE_MS }, () => {
  test('are added, renamed and withdrawn, in sub-folders and with whole folders', async () => {
    const { place } = await watchedPlace();
    const watching = startWatch(place, KEY);
    await watching.until({ event: 'held', code: 'NOTHING_TO_LIST' });
    await watching.until({ event: 'ready' });

    drop(place, `dist/${A}`, sdist('a', '1.0'));
    const first = await watching.until({ event: 'signed', paths: [A] });
    expect(first.issued).not.toBeNull();
    drop(place, 'dist/x/y/b-1.0.tar.gz', sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: ['x/y/b-1.0.tar.gz'] });
    // The watch covers a new folder too.
    drop(place, 'dist/x/y/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'signed', paths: ['x/y/c-1.0.tar.gz'] });

    drop(place, 'moved/d-1.0.tar.gz', sdist('d', '1.0'));
    drop(place, 'moved/deep/e-1.0.tar.gz', sdist('e', '1.0'));
    renameSync(place.path('moved'), place.path('dist/moved'));
    await eventually('the folder is listed', () => listed(place).includes('moved/deep/e-1.0.tar.gz'));
    expect(listed(place)).toContain('moved/d-1.0.tar.gz');

    renameSync(place.path(`dist/${A}`), place.path('dist/x/a-1.0.tar.gz'));
    await watching.until({ event: 'signed', paths: [A, 'x/a-1.0.tar.gz'] });
    place.remove('dist/x/y/c-1.0.tar.gz');
    await watching.until({ event: 'signed', paths: ['x/y/c-1.0.tar.gz'] });
    place.remove('dist/moved');
    await eventually('the folder is gone', () => listed(place).length === 2);
    expect(listed(place)).toEqual(['x/a-1.0.tar.gz', 'x/y/b-1.0.tar.gz']);
    // The watch covers a sub-folder that took the name of another too.
    drop(place, 'other/b-2.0.tar.gz', sdist('b', '2.0'));
    renameSync(place.path('dist/x/y'), place.path('old'));
    renameSync(place.path('other'), place.path('dist/x/y'));
    await eventually('the other folder is listed', () => listed(place).includes('x/y/b-2.0.tar.gz'));
    drop(place, 'dist/x/y/b-3.0.tar.gz', sdist('b', '3.0'));
    await watching.until({ event: 'signed', paths: ['x/y/b-3.0.tar.gz'] });
    await endWell(place, watching);
  });

  test('with other bytes are refused, do not stop the others, and are listed under a new name', async () => {
    const { place, watching } = await watchOfOne();
    const before = place.read('dist/packages.plist');
    drop(place, `dist/${A}`, sdist('a', '1.0', 'x = 2\n'));
    const refused = await watching.until({ event: 'refused', code: 'BYTES_CHANGED', paths: [A] });
    expect(refused.hint).toContain('--allow-changed');
    expect(place.read('dist/packages.plist').equals(before)).toBe(true);

    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    expect(listed(place)).toEqual([A, B]);
    expect((await place.json(['verify', 'dist', '--keys', 'pub.asc'])).value['findings']).toMatchObject([
      { kind: 'altered', path: A },
    ]);

    drop(place, 'dist/a-1.1.tar.gz', sdist('a', '1.1', 'x = 2\n'));
    await watching.until({ event: 'signed', paths: ['a-1.1.tar.gz'] });
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    await sleep(1000);
    // It was reported once, however many cycles there were.
    expect(watching.lines.filter(({ code }) => code === 'BYTES_CHANGED')).toHaveLength(1);
    await endWell(place, watching);
  });

  test('overwritten in place are refused like those swapped by rename', async () => {
    const { place, watching } = await watchOfOne();
    writeFileSync(place.path(`dist/${A}`), sdist('a', '1.0', 'x = 3\n'));
    await watching.until({ event: 'refused', code: 'BYTES_CHANGED', paths: [A] });
    writeFileSync(place.path(`dist/${A}`), sdist('a', '1.0'));
    await watching.until({ event: 'unchanged' });
    await endWell(place, watching);
  });

  test('written in pieces, with pauses of a second, are signed once and complete', async () => {
    const { place, watching } = await watchOfOne(['--key', 'key.asc', '--settle', '2s']);
    const bytes = sdist('b', '1.0', `x = '${'b'.repeat(30_000)}'\n`);
    for (const [from, to] of [
      [0, 10_000],
      [10_000, 20_000],
      [20_000, bytes.length],
    ] as const) {
      appendFileSync(place.path(`dist/${B}`), bytes.subarray(from, to));
      // Meanwhile a file that is moved in does not wait.
      if (from === 0) drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
      if (to < bytes.length) await sleep(1000);
    }
    await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
    await watching.until({ event: 'signed', paths: [B] });
    expect(published(place).Files.get(B)?.Size).toBe(bytes.length);
    expect(watching.lines.map(({ event }) => event)).toEqual(['signed', 'ready', 'signed', 'signed']);
    await endWell(place, watching);
  });

  test('that appear by rename, hard link or swap count at once, whatever the settle time', async () => {
    const { place, watching } = await watchOfOne(ONLY_WHOLE);
    const old = place.write('elsewhere', sdist('b', '1.0'));
    await sleep(50);
    linkSync(old, place.path(`dist/${B}`));
    await watching.until({ event: 'signed', paths: [B] });
    await sleep(50);
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0', 'other\n'));
    await watching.until({ event: 'refused', code: 'BYTES_CHANGED', paths: ['c-1.0.tar.gz'] });
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'unchanged' });
    await endWell(place, watching);
  });

  test('take few cycles if two thousand come at once, and all of them are signed', async () => {
    const { place, watching } = await watchOfOne();
    const count = 2000;
    for (let index = 0; index < count; index += 1) {
      place.write(`stage/b-1.${index}.tar.gz`, sdist('b', `1.${index}`));
    }
    await sleep(50);
    for (let index = 0; index < count; index += 1) {
      const name = `b-1.${index}.tar.gz`;
      renameSync(place.path(`stage/${name}`), place.path(`dist/${name}`));
    }
    await eventually('all are listed', () => listed(place).length === count + 1);
    const cycles = watching.lines.filter(({ event }) => event === 'signed').length;
    expect(cycles).toBeLessThanOrEqual(20);
    await endWell(place, watching);
  });

  test('that cannot be listed are reported once, and again when they come back', async () => {
    const { place, watching } = await watchOfOne();
    drop(place, 'dist/a (1)-1.0.tar.gz', sdist('a', '1.0'));
    const unsafe = await watching.until({ event: 'unchanged' });
    expect(unsafe.warnings).toMatchObject([{ code: 'UNSAFE_NAME', path: 'a (1)-1.0.tar.gz' }]);
    expect((await watching.until({ event: 'uncovered' })).uncovered).toEqual([
      { path: 'a (1)-1.0.tar.gz', reason: 'name' },
    ]);
    symlinkSync('nowhere', place.path('dist/link-1.0.tar.gz'));
    expect((await watching.until({ event: 'unchanged' })).warnings).toMatchObject([{ code: 'NOT_REGULAR' }]);
    expect(await watching.until({ event: 'uncovered' })).toMatchObject({
      uncovered: [{ path: 'link-1.0.tar.gz', reason: 'link' }],
      total: 2,
    });
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    expect((await watching.until({ event: 'signed', paths: [B] })).warnings).toEqual([]);
    place.remove('dist/a (1)-1.0.tar.gz');
    await sleep(1500);
    drop(place, 'dist/a (1)-1.0.tar.gz', sdist('a', '1.0'));
    expect((await watching.until({ event: 'unchanged' })).warnings).toMatchObject([{ code: 'UNSAFE_NAME' }]);
    expect(await watching.stop()).toBe(0);
  });

  test('that cannot be read keep the published database as it is, until they can', async () => {
    const { place } = await watchedPlace();
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    // Root can read everything, so the watch runs as another user then.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) execFileSync('chown', ['-R', '65534:65534', place.root]);
    const watching = startWatch(place, KEY, isRoot ? { uid: 65534 } : {});
    await watching.until({ event: 'ready' });
    const before = place.read('dist/packages.plist');
    chmodSync(place.path(`dist/${B}`), 0);
    const error = await watching.until({ event: 'error', code: 'LISTED_FILE_UNREADABLE' });
    expect(error.message).toContain(B);
    await sleep(2000);
    expect(place.read('dist/packages.plist').equals(before)).toBe(true);
    chmodSync(place.path(`dist/${B}`), 0o644);
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
    expect(watching.lines.filter(({ event }) => event === 'error')).toHaveLength(1);
    await endWell(place, watching);
  });
});

describe.concurrent('the directory itself', { timeout: 4 * PATIENCE_MS }, () => {
  test('removed and made again with the same files: the chain continues, byte for byte', async () => {
    const { place, watching } = await watchOfOne();
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    place.remove(`dist/${B}`);
    await watching.until({ event: 'signed', paths: [B] });
    const names = ['packages.plist', 'packages.plist.asc', 'keys.asc', 'keys.gpg'];
    const before = names.map((name) => place.text(`dist/${name}`));
    const last = published(place);
    expect(last.Packsign.History?.has(B)).toBe(true);

    const archive = place.read(`dist/${A}`);
    rmSync(place.path('dist'), { recursive: true });
    mkdirSync(place.path('dist'));
    writeFileSync(place.path(`dist/${A}`), archive);
    await eventually('it is put back', () => names.every((name) => place.has(`dist/${name}`)));
    expect(names.map((name) => place.text(`dist/${name}`))).toEqual(before);
    await expectSound(place);

    // The next database continues it, and hints work in the new directory.
    const previous = createHash('sha256').update(place.read('dist/packages.plist')).digest('hex');
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
    const next = published(place);
    expect(next.Packsign.Previous).toBe(previous);
    expect(next.Packsign.History).toEqual(last.Packsign.History);
    expect(next.Files.get(A)).toEqual(last.Files.get(A));
    await endWell(place, watching);
  });

  test('removed and filled again slowly: nothing is withdrawn meanwhile', async () => {
    const { place } = await watchedPlace();
    const names = ['a', 'b', 'c', 'd'].map((name) => `${name}-1.0.tar.gz`);
    for (const name of names) drop(place, `dist/${name}`, sdist(name.slice(0, 1), '1.0'));
    const watching = startWatch(place, ['--key', 'key.asc', '--settle', '2s']);
    await watching.until({ event: 'ready' });
    const before = place.read('dist/packages.plist');
    renameSync(place.path('dist'), place.path('old'));
    await watching.until({ event: 'error', code: 'DIRECTORY_UNREADABLE' });
    mkdirSync(place.path('dist'));
    for (const name of names) {
      cpSync(place.path(`old/${name}`), place.path(`dist/${name}`));
      await sleep(700);
    }
    await watching.until({ event: 'unchanged' });
    expect(place.read('dist/packages.plist').equals(before)).toBe(true);
    expect(watching.lines.filter(({ event }) => event === 'signed')).toHaveLength(1);
    await endWell(place, watching);
  });

  test('swapped by rename for the next release: the database continues from the last', async () => {
    const { place, watching } = await watchOfOne();
    const since = published(place).Files.get(A)?.Since;
    mkdirSync(place.path('next'));
    cpSync(place.path(`dist/${A}`), place.path(`next/${A}`));
    drop(place, `next/${B}`, sdist('b', '1.0'));
    renameSync(place.path('dist'), place.path('old'));
    renameSync(place.path('next'), place.path('dist'));
    await watching.until({ event: 'signed', paths: [B] });
    expect(published(place).Files.get(A)?.Since).toEqual(since);
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
    await endWell(place, watching);
  });

  test('DIRECTORY_UNREADABLE: never there, probably a typing error', async () => {
    const { place } = await watchedPlace();
    const { status, stderr } = await place.packsign(['watch', 'nowhere', ...KEY]);
    expect([status, stderr.split('\n')[0]]).toEqual([2, 'packsign: error: there is no directory nowhere']);
    expect(place.has('nowhere')).toBe(false);
  });

  test('not there yet: with --wait-for-directory the watch waits for it, and does not make it', async () => {
    const { place } = await watchedPlace();
    rmSync(place.path('dist'), { recursive: true });
    const watching = startWatch(place, [...KEY, '--wait-for-directory']);
    await watching.until({ event: 'error', code: 'DIRECTORY_UNREADABLE' });
    await watching.until({ event: 'ready' });
    await sleep(1000);
    expect(place.has('dist')).toBe(false);
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    await watching.until({ event: 'signed', paths: [A] });
    await endWell(place, watching);
  });

  test('behind a symbolic link: the watch follows the link when it changes', async () => {
    const { place } = await watchedPlace();
    rmSync(place.path('dist'), { recursive: true });
    drop(place, `v1/${A}`, sdist('a', '1.0'));
    cpSync(place.path('v1'), place.path('v2'), { recursive: true });
    symlinkSync('v1', place.path('dist'));
    const watching = startWatch(place, ONLY_WHOLE);
    await watching.until({ event: 'ready' });
    drop(place, `v1/${B}`, sdist('b', '1.0'));
    await eventually('it is listed', () => listed(place).includes(B));
    symlinkSync('v2', place.path('turned'));
    drop(place, 'v2/c-1.0.tar.gz', sdist('c', '1.0'));
    cpSync(place.path(`v1/${B}`), place.path(`v2/${B}`));
    for (const name of ['packages.plist', 'keys.asc', 'keys.gpg', 'signatures'])
      cpSync(place.path(`v1/${name}`), place.path(`v2/${name}`), { recursive: true });
    renameSync(place.path('turned'), place.path('dist'));
    await eventually('it goes on', () => listed(place).includes('c-1.0.tar.gz'));
    drop(place, 'v2/d-1.0.tar.gz', sdist('d', '1.0'));
    await watching.until({ event: 'signed', paths: ['d-1.0.tar.gz'] });
    expect(await watching.stop()).toBe(0);
    await expectSound(place);
  });
});

describe.concurrent('without hints from the system', { timeout: 4 * PATIENCE_MS }, () => {
  test('--poll finds everything', async () => {
    const { place, watching } = await watchOfOne([...KEY, '--poll']);
    drop(place, `dist/x/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [`x/${B}`] });
    place.remove(`dist/x/${B}`);
    await watching.until({ event: 'signed', paths: [`x/${B}`] });
    await endWell(place, watching);
  });

  test('out of inotify watches it says so and looks on a timer', async (context) => {
    // Root can lower the limit inside a user namespace of its own, and nowhere else.
    const script = 'echo 3 > /proc/sys/user/max_inotify_watches && exec "$@"';
    const through = ['unshare', '-Ur', 'sh', '-c', script, 'sh'] as const;
    const [program, ...rest] = through;
    needTools(context, 'unshare');
    if (spawnSync(program, [...rest, 'true']).status !== 0)
      skip(context, 'there are no user namespaces to lower the limit of inotify watches in');
    const { place } = await watchedPlace();
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f'])
      drop(place, `dist/${name}/${name}-1.0.tar.gz`, sdist(name, '1.0'));
    const watching = startWatch(place, KEY, { through });
    await watching.until({ event: 'ready' });
    drop(place, 'dist/f/g-1.0.tar.gz', sdist('g', '1.0'));
    await watching.until({ event: 'signed', paths: ['f/g-1.0.tar.gz'] });
    expect(watching.stderr()).toMatch(/^packsign: warning: .*ENOSPC.*: checking on a timer from now on$/m);
    expect(watching.stderr().match(/checking on a timer/g)).toHaveLength(1);
    await endWell(place, watching);
  });
});

describe.concurrent('what waits for a person', { timeout: 4 * PATIENCE_MS }, () => {
  test('NAME_MISMATCH: held with a hint, signed once packsign.json names it and a person signs', async () => {
    const { place, watching } = await watchOfOne();
    drop(place, 'dist/odd-2.0.tar.gz', sdist('b', '1.0'));
    const held = await watching.until({ event: 'held', code: 'NAME_MISMATCH', paths: ['odd-2.0.tar.gz'] });
    expect(held.hint).toContain('packsign.json');
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    expect(listed(place)).toEqual([A, B]);

    const settings = { Packages: { 'odd-2.0.tar.gz': { Name: 'odd', Version: '2.0' } } };
    place.write('dist/packsign.json', JSON.stringify(settings));
    await watching.until({ event: 'held', code: 'SETTINGS_CHANGED' });
    expect((await place.json(['build', 'dist', ...PATIENT])).status).toBe(0);
    expect((await place.json(['sign', 'dist', ...PATIENT, '--key', 'key.asc'])).value).toMatchObject({
      published: true,
    });
    expect(listed(place)).toEqual([A, B, 'odd-2.0.tar.gz']);
    // From now on cycles use the settings that the person signed.
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
    expect(listed(place)).toEqual([A, B, 'c-1.0.tar.gz', 'odd-2.0.tar.gz']);
    expect(published(place).Files.get('odd-2.0.tar.gz')).toMatchObject({ Name: 'odd', Version: '2.0' });
    expect(watching.lines.filter(({ code }) => code === 'SETTINGS_CHANGED')).toHaveLength(1);
    await endWell(place, watching);
  });

  test('NAME_MISMATCH of the only file: nothing is published', async () => {
    const { place } = await watchedPlace();
    drop(place, 'dist/odd-2.0.tar.gz', sdist('b', '1.0'));
    const watching = startWatch(place, KEY);
    await watching.until({ event: 'held', code: 'NAME_MISMATCH' });
    await watching.until({ event: 'ready' });
    expect(place.has('dist/packages.plist')).toBe(false);
    expect(await watching.stop()).toBe(0);
  });

  test('T39, DAMAGED: an upload that pauses is signed once, whole, and others are signed meanwhile', async () => {
    const { place, watching } = await watchOfOne();
    const bytes = sdist('b', '1.0', 'y = 1\n'.repeat(1000));
    const quarter = Math.ceil(bytes.length / 4);
    for (let part = 0; part < 4; part += 1) {
      appendFileSync(place.path(`dist/${B}`), bytes.subarray(part * quarter, (part + 1) * quarter));
      if (part === 0) {
        const held = await watching.until({ event: 'held', code: 'DAMAGED', paths: [B] });
        expect(held.message).toMatch(/^damaged: ends early/);
        expect(held.hint).toContain('--allow-damaged');
      }
      if (part < 3) {
        drop(place, `dist/c-1.${part}.tar.gz`, sdist('c', `1.${part}`));
        await watching.until({ event: 'signed', paths: [`c-1.${part}.tar.gz`] });
        await sleep(700);
      }
    }
    await watching.until({ event: 'signed', paths: [B] });
    const of = (code: string) => watching.lines.filter((line) => line.code === code);
    expect(of('DAMAGED')).toHaveLength(1);
    expect(of('BYTES_CHANGED')).toEqual([]);
    expect(published(place).Packsign.History).toBeUndefined();
    await endWell(place, watching);
  });

  test('T39, DAMAGED: over a published file nothing changes until the upload is whole', async () => {
    const { place, watching } = await watchOfOne();
    const before = published(place).Files.get(A);
    const bytes = place.read(`dist/${A}`);
    writeFileSync(place.path(`dist/${A}`), bytes.subarray(0, 500));
    await watching.until({ event: 'held', code: 'DAMAGED', paths: [A] });
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    expect(published(place).Files.get(A)).toEqual(before);
    appendFileSync(place.path(`dist/${A}`), bytes.subarray(500));
    await watching.during(1500);
    expect(watching.lines.filter(({ code }) => code === 'BYTES_CHANGED')).toEqual([]);
    await endWell(place, watching);
  });

  test('T39, DAMAGED: signed once a person says so', async () => {
    const { place, watching } = await watchOfOne();
    drop(place, `dist/${B}`, sdist('b', '1.0').subarray(0, 500));
    await watching.until({ event: 'held', code: 'DAMAGED', paths: [B] });
    const allowed = ['build', 'dist', '--key', 'key.asc', '--allow-damaged', `dist/${B}`];
    expect((await place.json(allowed)).value).toMatchObject({ published: true, warnings: [] });
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
    expect(listed(place)).toEqual([A, B, 'c-1.0.tar.gz']);
    expect(watching.lines.filter(({ code }) => code === 'DAMAGED')).toHaveLength(1);
    await endWell(place, watching);
  });

  test.runIf(hasProc)(
    'T39, FILE_OPEN: a file that a program still writes is signed once that ends',
    async () => {
      const { place, watching } = await watchOfOne();
      const writer = spawn('sh', [
        '-c',
        'exec 7>>"$0"; echo half >&7; read go; echo rest >&7',
        place.path('dist/x.sh'),
      ]);
      drop(place, `dist/${B}`, sdist('b', '1.0'));
      await watching.until({ event: 'signed', paths: [B] });
      drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
      await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
      await watching.during(1500);
      expect(listed(place)).not.toContain('x.sh');
      writer.stdin.end('go\n');
      await watching.until({ event: 'signed', paths: ['x.sh'] });
      expect(published(place).Files.get('x.sh')?.Size).toBe('half\nrest\n'.length);
      await endWell(place, watching);
    },
  );

  test('settings that change while it runs: new files are signed with the old ones', async () => {
    const { place, watching } = await watchOfOne();
    place.write('dist/packsign.json', JSON.stringify({ Description: 'new words', Exclude: ['z-*'] }));
    const held = await watching.until({ event: 'held', code: 'SETTINGS_CHANGED' });
    expect(held.hint).toContain('packsign build');
    drop(place, 'dist/z-1.0.tar.gz', sdist('z', '1.0'));
    await watching.until({ event: 'signed', paths: ['z-1.0.tar.gz'] });
    expect(published(place).Description).toBe('');

    place.write('dist/packsign.json', '{ "Description": ');
    await watching.until({ event: 'error', code: 'SETTINGS_INVALID' });
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });

    place.write('dist/packsign.json', JSON.stringify({ Description: 'new words', Exclude: ['z-*'] }));
    await watching.until({ event: 'held', code: 'SETTINGS_CHANGED' });
    expect((await place.json(['build', 'dist', ...PATIENT, '--key', 'key.asc'])).value).toMatchObject({
      published: true,
    });
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
    expect(published(place).Description).toBe('new words');
    expect(listed(place)).toEqual([A, B, 'c-1.0.tar.gz']);
    // The accepted settings exclude it.
    drop(place, 'dist/z-2.0.tar.gz', sdist('z', '2.0'));
    const after = await watching.during(1500);
    expect(after.filter(({ event }) => event !== 'unchanged')).toEqual([]);
    expect(await watching.stop()).toBe(0);
  });

  test('settings that leave no trace in a database count too once a person has published', async () => {
    const { place, watching } = await watchOfOne();
    place.write('dist/packsign.json', JSON.stringify({ Validity: '30 days' }));
    await watching.until({ event: 'held', code: 'SETTINGS_CHANGED' });
    drop(place, 'dist/odd-2.0.tar.gz', sdist('b', '1.0'));
    await watching.until({ event: 'held', code: 'NAME_MISMATCH' });
    expect((await place.json(['build', 'dist', ...PATIENT, '--key', 'key.asc'])).value).toMatchObject({
      published: true,
    });
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    const { Issued, Expires } = published(place).Packsign;
    expect(Expires!.getTime() - Issued.getTime()).toBe(30 * 86_400_000);
    await endWell(place, watching);
  });

  test('settings that changed before it started: held, and published texts stay as they are', async () => {
    const { place } = await watchedPlace();
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    const settings = {
      Description: 'first',
      Trusts: [
        {
          URL: 'https://example.org/packages.plist',
          Fingerprints: ['0123456789ABCDEF0123456789ABCDEF01234567'],
          Include: true,
        },
      ],
      Packages: {
        a: { 'Home-page': 'https://example.org/a' },
        tool: { Name: 'tool', Description: 'no archive' },
      },
    };
    place.write('dist/packsign.json', JSON.stringify(settings));
    expect((await place.json(['build', 'dist', ...PATIENT, '--key', 'key.asc'])).value).toMatchObject({
      published: true,
    });
    const before = published(place);

    const others = {
      Description: 'second',
      Trusts: [],
      Packages: {
        a: { 'Install-test': 'import os; os.system("true")' },
        evil: { Name: 'evil', 'Install-test': 'import os; os.system("true")' },
      },
    };
    place.write('dist/packsign.json', JSON.stringify(others));
    const watching = startWatch(place, KEY);
    await watching.until({ event: 'held', code: 'SETTINGS_CHANGED' });
    await watching.until({ event: 'ready' });
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    const after = published(place);
    expect(after.Description).toBe('first');
    expect(after.Include).toEqual(before.Include);
    expect(after.Packsign.Trusts).toEqual(before.Packsign.Trusts);
    expect(after.Packages.filter(({ Name }) => Name !== 'b')).toEqual(before.Packages);

    expect((await place.json(['build', 'dist', ...PATIENT, '--key', 'key.asc'])).value).toMatchObject({
      published: true,
    });
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
    expect(published(place).Description).toBe('second');
    expect(published(place).Packages.map(({ Name }) => Name)).toEqual(['a', 'b', 'c', 'evil']);
    await endWell(place, watching);
  });

  test('a second signature: the watch makes one, and keeps it while it waits for the other', async () => {
    const { place, key } = await watchedPlace();
    const bob = await newKey('Bob');
    place.write('bob.asc', bob.secret);
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    const signers = ['--signers', key.fingerprint, '--signers', bob.fingerprint, '--threshold', '2'];
    const both = ['--key', 'key.asc', '--key', 'bob.asc'];
    expect((await place.json(['build', 'dist', ...PATIENT, ...signers, ...both])).value).toMatchObject({
      published: true,
    });
    const watching = startWatch(place, KEY);
    await watching.until({ event: 'ready' });
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    const held = await watching.until({ event: 'held', code: 'SIGNATURES_MISSING', paths: [B] });
    expect(held.hint).toBe(`the other signer signs it: packsign sign dist --key ${bob.fingerprint}`);
    const waiting = place.read('dist/packages.unsigned.plist');
    expect(listed(place)).toEqual([A]);
    // A cycle with the same result keeps the database that others may be about to sign.
    await sleep(1500);
    place.write('dist/packsign.json', '{');
    await watching.until({ event: 'error', code: 'SETTINGS_INVALID' });
    expect(place.read('dist/packages.unsigned.plist').equals(waiting)).toBe(true);
    place.remove('dist/packsign.json');
    expect((await place.json(['sign', 'dist', ...PATIENT, '--key', 'bob.asc'])).value).toMatchObject({
      published: true,
    });
    expect(listed(place)).toEqual([A, B]);
    expect(await watching.stop()).toBe(0);
  });

  test('a second signature: a watch that starts again adds its own to the one of the other', async () => {
    const { place, key } = await watchedPlace();
    const bob = await newKey('Bob');
    place.write('bob.asc', bob.secret);
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    const signers = ['--signers', key.fingerprint, '--signers', bob.fingerprint, '--threshold', '2'];
    await place.json(['build', 'dist', ...PATIENT, ...signers, '--key', 'key.asc', '--key', 'bob.asc']);
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await place.json(['build', 'dist', ...PATIENT, '--key', 'bob.asc']);
    const waiting = place.read('dist/packages.unsigned.plist');
    const watching = startWatch(place, KEY);
    await watching.until({ event: 'signed', paths: [B] });
    expect(place.read('dist/packages.plist').equals(waiting)).toBe(true);
    await endWell(place, watching);
  });
});

describe.concurrent('others in the same directory', { timeout: 4 * PATIENCE_MS }, () => {
  test('a person publishes meanwhile: it continues from there', async () => {
    const { place, watching } = await watchOfOne();
    drop(place, `dist/${A}`, sdist('a', '1.0', 'x = 2\n'));
    await watching.until({ event: 'refused', code: 'BYTES_CHANGED' });
    const allowed = ['--allow-changed', A, '--reason', 'a flaw in packing'];
    expect(
      (await place.json(['build', 'dist', ...PATIENT, '--key', 'key.asc', ...allowed])).value,
    ).toMatchObject({
      published: true,
    });
    const previous = createHash('sha256').update(place.read('dist/packages.plist')).digest('hex');
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    expect(published(place).Packsign.Previous).toBe(previous);
    expect(published(place).Packsign.History?.get(A)).toMatchObject([{ Reason: 'a flaw in packing' }]);
    await endWell(place, watching);
  });

  test('PREVIOUS_INVALID: it builds nothing on a tampered database, and continues once that is restored', async () => {
    const { place, watching } = await watchOfOne();
    const good = place.text('dist/packages.plist');
    const bad = good.replace('<string>1.0</string>', '<string>1.1</string>');
    place.write('dist/packages.plist', bad);
    // It notices that without any other change.
    await watching.until({ event: 'refused', code: 'PREVIOUS_INVALID' });
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    expect(await watching.during(1500)).toEqual([]);
    expect(place.text('dist/packages.plist')).toBe(bad);
    place.write('dist/packages.plist', good);
    await watching.until({ event: 'signed', paths: [B] });
    await endWell(place, watching);
  });

  test('PREVIOUS_INVALID: it does not continue an older database, even one that was published once', async () => {
    const { place, watching } = await watchOfOne();
    const older = place.read('dist/packages.plist');
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    const newer = place.read('dist/packages.plist');
    place.write('dist/packages.plist', older);
    const refused = await watching.until({ event: 'refused', code: 'PREVIOUS_INVALID' });
    expect(refused.message).toContain('older');
    place.write('dist/packages.plist', newer);
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
    await endWell(place, watching);
  });

  test('keys.asc of somebody else: it builds nothing, and restores its own when that one is gone', async () => {
    const { place, watching } = await watchOfOne();
    const keys = place.read('dist/keys.asc');
    place.write('dist/keys.asc', (await newKey('Mallory')).certificate);
    await watching.until({ event: 'refused', code: 'PREVIOUS_INVALID' });
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await sleep(1000);
    expect(listed(place)).toEqual([A]);
    place.remove('dist/keys.asc');
    await watching.until({ event: 'signed', paths: [B] });
    expect(place.read('dist/keys.asc').equals(keys)).toBe(true);
    await endWell(place, watching);
  });

  test('packages.plist or its signature removed: it restores them', async () => {
    const { place, watching } = await watchOfOne();
    const before = place.snapshot();
    place.remove('dist/packages.plist');
    await watching.until({ event: 'unchanged' });
    expect(place.snapshot()).toEqual(before);
    place.remove('dist/signatures');
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    await endWell(place, watching);
  });

  test('SECRET_IN_DIRECTORY: refused while a secret key is there, signed when it is gone', async () => {
    const { place, watching } = await watchOfOne();
    place.write('dist/notes/backup.txt', place.text('key.asc'));
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    const refused = await watching.until({ event: 'refused', code: 'SECRET_IN_DIRECTORY' });
    expect(refused.message).toContain('notes/backup.txt');
    expect(listed(place)).toEqual([A]);
    place.remove('dist/notes/backup.txt');
    await watching.until({ event: 'signed', paths: [B] });
    await endWell(place, watching);
  });

  test('LOCKED: it waits while another living process holds the lock', async () => {
    const { place, watching } = await watchOfOne();
    const held = await takeLock(lockPlace(place.path('dist/.packsign')));
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    const error = await watching.until({ event: 'error', code: 'LOCKED' });
    expect(error.message).toContain(String(process.pid));
    await sleep(2000);
    expect(listed(place)).toEqual([A]);
    held.release();
    await watching.until({ event: 'signed', paths: [B] });
    expect(watching.lines.filter(({ code }) => code === 'LOCKED')).toHaveLength(1);
    await endWell(place, watching);
  });

  test('a full disk: it goes on, and what is published stays', async (context) => {
    const { place } = await watchedPlace();
    const small = place.path('small');
    mkdirSync(small);
    needTools(context, 'mount');
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', small]);
    if (mounted.status !== 0) skip(context, 'no small file system can be mounted here to be filled');
    try {
      for (let index = 0; index < 6; index += 1)
        writeFileSync(join(small, `a-1.${index}.tar.gz`), sdist('a', `1.${index}`));
      const fill = () => {
        const fd = openSync(join(small, 'filler'), 'a');
        try {
          for (;;) appendFileSync(fd, Buffer.alloc(4096));
        } catch {
          closeSync(fd);
        }
      };
      fill();
      const watching = startWatch(place, ['small', ...KEY]);
      await watching.until({ event: 'error', code: 'FILE_UNWRITABLE' });
      await watching.until({ event: 'ready' });
      expect(existsSync(join(small, 'packages.plist'))).toBe(false);
      rmSync(join(small, 'filler'));
      await watching.until({ event: 'signed' });
      const before = readFileSync(join(small, 'packages.plist'));
      writeFileSync(join(small, 'b-1.0.tar.gz'), sdist('b', '1.0'));
      fill();
      await watching.until({ event: 'error', code: 'FILE_UNWRITABLE' });
      expect(readFileSync(join(small, 'packages.plist')).equals(before)).toBe(true);
      expect(gpgvState(small)).toBe('good');
      rmSync(join(small, 'filler'));
      await watching.until({ event: 'signed', paths: ['b-1.0.tar.gz'] });
      expect(await watching.stop()).toBe(0);
      expect(leftovers(small)).toEqual([]);
      await expectSound(place, 'small');
    } finally {
      endOf(small);
    }
  });
});

/** Unmounts a file system, even if a watch still uses it. */
function endOf(folder: string): void {
  spawnSync('umount', ['-l', folder]);
}

describe.concurrent('time', { timeout: 4 * PATIENCE_MS }, () => {
  test('the database is signed again before it expires, every time', async () => {
    const { place, watching } = await watchOfOne([...KEY, '--validity', '9s']);
    const since = published(place).Files.get(A)?.Since;
    for (let times = 0; times < 2; times += 1) {
      const { Expires } = published(place).Packsign;
      const refreshed = await watching.until({ event: 'refreshed' });
      expect(new Date(refreshed.at).getTime()).toBeLessThan(Expires!.getTime());
      expect(refreshed.paths).toEqual([]);
    }
    expect(published(place).Files.get(A)?.Since).toEqual(since);
    await endWell(place, watching);
  });

  test('KEY_EXPIRED: a key that expires meanwhile no longer signs, and what is published stays', async () => {
    const born = new Date();
    const { place } = await watchedPlace({ born, lifeSeconds: 25 });
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    const watching = startWatch(place, [...KEY, '--validity', '2s']);
    await watching.until({ event: 'signed', paths: [A] });
    const refused = await watching.until({ event: 'refused' });
    expect(['EXPIRES_AFTER_KEY', 'KEY_EXPIRED']).toContain(refused.code);
    await sleep(born.getTime() + 26_000 - Date.now());
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await eventually('it is said', () => watching.lines.some(({ code }) => code === 'KEY_EXPIRED'));
    expect(listed(place)).toEqual([A]);
    expect(await watching.stop()).toBe(0);
  });

  test('--settle says how long a file must stay unchanged', async () => {
    const { place, watching } = await watchOfOne(['--key', 'key.asc', '--settle', '4s']);
    const wroteMs = Date.now();
    writeFileSync(place.path(`dist/${B}`), sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    expect(Date.now() - wroteMs).toBeGreaterThanOrEqual(3900);
    await endWell(place, watching);
  });

  test('files that packsign writes itself never wake it', async () => {
    const { place, watching } = await watchOfOne();
    const before = place.snapshot();
    expect(await watching.during(5000)).toEqual([]);
    expect(place.snapshot()).toEqual(before);
    await endWell(place, watching);
  });
});

describe.concurrent('the end of a watch', { timeout: 4 * PATIENCE_MS }, () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s while a large file is hashed: the watch ends at once and publishes nothing, exit 0',
    async (signal) => {
      const { place, watching } = await watchOfOne();
      const before = place.read('dist/packages.plist');
      // Hashing it takes far longer than a test waits.
      const big = place.write('big', '');
      truncateSync(big, 200 * 1024 * 1024 * 1024);
      renameSync(big, place.path('dist/big-1.0.img'));
      await sleep(1500);
      expect(await watching.stop(signal)).toBe(0);
      expect(watching.lines.map(({ event }) => event).slice(2)).toEqual(['stopped']);
      expect(place.read('dist/packages.plist')).toEqual(before);
      expect(leftovers(place.path('dist'))).toEqual([]);
      expect(place.has('dist/.packsign/lock')).toBe(false);
      expect(gpgvState(place.path('dist'))).toBe('good');
    },
  );

  test('SIGTERM while a command signs: the command is ended, and nothing is published', async () => {
    const { place } = await watchedPlace();
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    const args = ['dist', '--key', `exec:sh -c 'echo $$ > pid; exec sleep 1000'`, '--certificate', 'pub.asc'];
    const watching = startWatch(place, args);
    await eventually('the command runs', () => place.has('pid') && place.text('pid').endsWith('\n'));
    expect(await watching.stop()).toBe(0);
    // It says that it stopped, although it only tried out the key.
    expect(watching.lines.map(({ event }) => event)).toEqual(['stopped']);
    const isRunning = () => existsSync(`/proc/${place.text('pid').trim()}/stat`);
    await eventually('the command ended', () => !isRunning());
    expect([place.has('dist/packages.plist'), place.has('dist/.packsign/lock')]).toEqual([false, false]);
  });

  test('SIGTERM before the first cycle: nothing is published, exit 0 or the status of the signal', async () => {
    const { place } = await watchedPlace();
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    for (const ms of [0, 150, 300, 450, 600]) {
      const watching = startWatch(place, KEY);
      await sleep(ms);
      // Before packsign listens, the signal ends Node; before it watches, packsign exits with 143.
      expect([0, 143, null]).toContain(await watching.stop());
      expect(['good', 'none']).toContain(gpgvState(place.path('dist')));
    }
  });

  test('kill -9 in the middle of cycles: the invariant holds, and the next watch repairs the rest', async () => {
    const { place } = await watchedPlace();
    const dist = place.path('dist');
    let added = 0;
    // On a slow machine the first watches are killed before they publish anything.
    const isLate = (round: number) => round < 50 && gpgvState(dist) === 'none';
    for (let round = 0; round < 8 || isLate(round); round += 1) {
      const watching = startWatch(place, ONLY_WHOLE);
      const endMs = Date.now() + 700 + round * 130;
      while (Date.now() < endMs) {
        drop(place, `dist/b-1.${added}.tar.gz`, sdist('b', `1.${added}`));
        added += 1;
        await sleep(7);
      }
      await watching.stop('SIGKILL');
      expect(['good', 'none']).toContain(gpgvState(dist));
    }
    expect(gpgvState(dist)).toBe('good');
    await sleep(50);
    const last = await place.process(['watch', 'dist', ...KEY, '--once', '--json']);
    expect(last.status, last.stderr).toBe(0);
    expect(listed(place)).toHaveLength(added);
    expect(leftovers(dist)).toEqual([]);
    await expectSound(place);
  });
});

describe.concurrent('--once', { timeout: 4 * PATIENCE_MS }, () => {
  /** Events of a run, and its exit status. */
  async function once(place: Place, args: readonly string[] = []): Promise<readonly unknown[]> {
    const { status, stdout } = await place.process(['watch', 'dist', ...KEY, '--once', '--json', ...args]);
    const lines = stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
    return [status, ...lines.map(({ event, code }) => (code === null ? event : `${event} ${code}`))];
  }

  test('ends with 0 when all is signed, with 1 when something waits, with 2 when it could not be done', async () => {
    const { place } = await watchedPlace();
    expect(await once(place)).toEqual([1, 'held NOTHING_TO_LIST', 'ready', 'stopped']);
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    expect(await once(place)).toEqual([0, 'signed', 'ready', 'stopped']);
    expect(await once(place)).toEqual([0, 'unchanged', 'ready', 'stopped']);
    drop(place, 'dist/odd-2.0.tar.gz', sdist('b', '1.0'));
    expect(await once(place)).toEqual([1, 'held NAME_MISMATCH', 'ready', 'stopped']);
    drop(place, `dist/${B}`, sdist('b', '1.0').subarray(0, 500));
    expect(await once(place)).toEqual([1, 'held DAMAGED', 'held NAME_MISMATCH', 'ready', 'stopped']);
    drop(place, `dist/${A}`, sdist('a', '1.0', 'x = 2\n'));
    expect((await once(place))[0]).toBe(1);
    for (const name of ['keys.asc', 'packages.plist.asc']) place.remove(`dist/${name}`);
    place.write('dist/packages.plist', 'not a database');
    expect((await once(place))[0]).toBe(2);
    rmSync(place.path('dist'), { recursive: true });
    const watch = ['watch', 'dist', ...KEY, '--once'];
    expect(await place.json(watch)).toMatchObject({
      status: 2,
      value: { error: { code: 'DIRECTORY_UNREADABLE' } },
    });
    expect(place.has('dist')).toBe(false);
  });

  test('waits for a file that somebody is writing', async () => {
    const { place } = await watchedPlace();
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    writeFileSync(place.path(`dist/${B}`), sdist('b', '1.0'));
    expect((await once(place, ['--settle', '3s']))[0]).toBe(2);
    const { status } = await place.process(['watch', 'dist', '--key', 'key.asc', '--settle', '3s', '--once']);
    expect(status).toBe(0);
    expect(listed(place)).toEqual([A, B]);
  });

  test.runIf(hasProc)('does not wait for a file that a program has open, and says so', async () => {
    const { place } = await watchedPlace();
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    const writer = spawn('sh', ['-c', 'exec 7>>"$0"; echo open; read end', place.path(`dist/${B}`)]);
    await new Promise((done) => writer.stdout.once('data', done));
    expect(await once(place)).toEqual([1, 'held FILE_OPEN', 'signed', 'ready', 'stopped']);
    expect(listed(place)).toEqual([A]);
    writer.kill();
  });

  test('KEY_NOT_PUBLISHED, NO_KEY: fails before the first cycle if it could never sign', async () => {
    const { place } = await watchedPlace();
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    expect((await place.json(['watch', 'dist'])).value).toMatchObject({ error: { code: 'NO_KEY' } });
    expect((await place.packsign(['build', 'dist', '--key', 'key.asc'])).status).toBe(0);
    place.write('other.asc', (await newKey('Mallory')).secret);
    const { status, value } = await place.json(['watch', 'dist', '--key', 'other.asc']);
    expect([status, value]).toMatchObject([1, { error: { code: 'KEY_NOT_PUBLISHED' } }]);
  });
});

test(
  'a person reads one calm line for each event, and on stderr what to do',
  { timeout: 2 * PATIENCE_MS },
  async () => {
    const { place } = await watchedPlace();
    drop(place, `dist/${A}`, sdist('a', '1.0'));
    const watching = startWatch(place, KEY, { human: true });
    const lines = () => watching.stdout().split('\n').length - 1;
    await eventually('it is ready', () => lines() === 2);
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await eventually('one is signed', () => lines() === 3);
    drop(place, `dist/${A}`, sdist('a', '1.0', 'x = 2\n'));
    await eventually('it is refused', () => watching.stderr().includes('hint'));
    for (const name of ['c', 'd', 'e']) drop(place, `stage/${name}-1.0.tar.gz`, sdist(name, '1.0'));
    renameSync(place.path('stage'), place.path('dist/more'));
    await eventually('three are signed', () => lines() === 4);
    drop(place, 'dist/odd\u001b[31m-2.0.tar.gz', 'x');
    await eventually('it is named', () => lines() === 5);
    rmSync(place.path(`dist/${B}`));
    await eventually('it is withdrawn', () => lines() === 6);
    expect(await watching.stop('SIGINT')).toBe(0);
    const calm = (text: string) =>
      text
        .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<date>')
        .replace(/[\d,]+ ms/g, '<n> ms')
        .replace(/[0-9a-f]{64}/g, '<sha256>');
    expect(calm(watching.stdout())).toBe(
      [
        '<date> signed a-1.0.tar.gz, <n> ms',
        '<date> watching dist',
        '<date> signed b-1.0.tar.gz, <n> ms',
        '<date> signed more/c-1.0.tar.gz and 2 others, <n> ms',
        '<date> nothing to sign, <n> ms',
        '<date> signed without b-1.0.tar.gz, <n> ms',
        '<date> stopped',
        '',
      ].join('\n'),
    );
    expect(calm(watching.stderr())).toBe(
      [
        '<date> refused a-1.0.tar.gz BYTES_CHANGED (other bytes than before: sha256 was <sha256>, is <sha256>)',
        'packsign: hint: give the new bytes a new version and name, or say why: packsign build dist --allow-changed a-1.0.tar.gz --reason TEXT --key key.asc',
        'packsign: warning: odd\\u{1b}[31m-2.0.tar.gz: left out: a name may hold letters, digits and . _ + ~ = @ , ! - and begins with a letter, digit or _ (UNSAFE_NAME)',
        '',
      ].join('\n'),
    );
  },
);

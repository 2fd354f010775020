import { existsSync, readFileSync, utimesSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { endAll, startWatch } from '../watch/watching.js';

const THIEF = JSON.stringify({
  ...{ pid: 12, started: '1', boot: 'x', namespace: 'pid:[1]', host: 'build-7' },
  ...{ since: '2026-11-27T00:00:00.000Z', token: 'a'.repeat(32) },
});

/** Signs, and lets another machine take the lock over meanwhile, once: one that ends soon, or is at work still. */
const SIGNER = `
import { existsSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { readSecretKey } from '${pathToFileURL(resolve('dist/src/signers/secret-key.js')).href}';
import { joinSignatures } from '${pathToFileURL(resolve('dist/src/pgp/signatures.js')).href}';
const date = new Date();
const signer = await readSecretKey(readFileSync('ann.asc'), { passphrase: async () => null, date });
if (existsSync('dist/.packsign/lock') && !existsSync('stolen')) {
  writeFileSync('stolen', '${THIEF}');
  if (process.argv[2] === 'ended') utimesSync('stolen', 0, 0);
  renameSync('stolen', 'dist/.packsign/lock');
  writeFileSync('stolen', '');
}
process.stdout.write(joinSignatures([await signer.sign(readFileSync(0), { date, deterministic: false })]));
`;

const keyOf = (mode: string) => [
  ...['--key', `exec:${process.execPath} thief.mjs ${mode}`],
  ...['--certificate', 'ann.pub.asc'],
];

afterAll(endAll);

async function newScene(): Promise<Place> {
  const ann = await newKey('Ann');
  const place = newPlace();
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  place.write('thief.mjs', SIGNER);
  place.write('ann.asc', ann.signing);
  place.write('ann.pub.asc', ann.certificate);
  return place;
}

const lockOf = (place: Place) => place.path('dist/.packsign/lock');

test('LOCK_LOST: a build that another machine overtook publishes nothing and leaves its lock alone', async () => {
  const place = await newScene();
  const { status, stderr } = await place.packsign(['build', 'dist', ...keyOf('at-work')]);
  expect([status, stderr]).toEqual([
    2,
    expect.stringMatching(
      /^packsign: error: packsign with process number 12 on build-7 took over the work here, because this one was stopped for too long\npacksign: hint: run the same command again: it finishes what is missing\n$/,
    ),
  ]);
  expect(readFileSync(lockOf(place), 'utf8')).toBe(THIEF);
  for (const name of ['packages.plist', 'keys.asc', 'keys.gpg'])
    expect(place.has(`dist/${name}`)).toBe(false);
  const left = await place.packsign(['status', 'dist']);
  expect(left.stdout).toContain(
    '\n  packsign with process number 12 on build-7 has been at work here since 2026-11-27T00:00:00Z; if you are sure that it is gone: rm dist/.packsign/lock\n',
  );
  expect((await place.json(['status', 'dist'])).value['lock']).toEqual({
    ...{ file: 'dist/.packsign/lock', pid: 12, host: 'build-7' },
    ...{ since: '2026-11-27T00:00:00Z', state: 'held' },
  });
});

test('LOCK_LOST: a watch says so, and its next cycle takes the lock anew', async () => {
  const place = await newScene();
  const watching = startWatch(place, keyOf('ended'));
  await watching.until({ event: 'error', code: 'LOCK_LOST' });
  await watching.until({ event: 'signed' });
  expect(existsSync(lockOf(place))).toBe(false);
  expect((await place.json(['verify', 'dist'])).value).toMatchObject({ status: 'authentic' });
});

test('status says that nobody is at work, that a lock is left over, and what is in its place', async () => {
  const place = await newScene();
  expect((await place.json(['status', 'dist'])).value['lock']).toBe(null);
  place.write('dist/.packsign/lock', THIEF);
  utimesSync(lockOf(place), 0, 0);
  expect((await place.json(['status', 'dist'])).value['lock']).toMatchObject({ state: 'dead' });
  expect((await place.packsign(['status', 'dist'])).stdout).toContain(
    'and is gone: the next command that writes here takes over its lock\n',
  );
  place.remove('dist/.packsign/lock');
  place.write('dist/.packsign/lock/file', '');
  const { status, stdout } = await place.packsign(['status', 'dist']);
  expect([status, stdout]).toEqual([
    1,
    expect.stringContaining('next: if no packsign is at work here, remove dist/.packsign/lock\n'),
  ]);
});

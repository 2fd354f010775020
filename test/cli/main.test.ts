import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { PROGRAM } from '../run.js';

/** Says when a file of OpenPGP.js is opened, with or without compiled code. */
const TELLTALE = `
const fs = require('node:fs');
for (const name of ['readFileSync', 'openSync']) {
  const original = fs[name];
  fs[name] = (path, ...rest) => {
    if (String(path).includes('openpgp')) fs.writeSync(2, 'LOADS OPENPGP\\n');
    return original(path, ...rest);
  };
}`;

describe('OpenPGP.js, which takes as long to load as all the rest, is loaded', () => {
  let place: Place;
  const run = (...args: readonly string[]) => {
    const node = ['--require', place.path('telltale.cjs'), PROGRAM, ...args];
    return spawnSync(process.execPath, node, { cwd: place.path('.'), encoding: 'utf8' });
  };

  beforeAll(async () => {
    place = newPlace();
    place.write('telltale.cjs', TELLTALE);
    place.write('key.asc', (await newKey('Ann')).signing);
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  });

  test('by a build that signs, and not by one in which nothing changed', async () => {
    const build = ['build', 'dist', '--key', 'key.asc', '--json'];
    const loads = expect.stringContaining('LOADS OPENPGP') as string;
    expect(run(...build)).toMatchObject({ status: 0, stderr: loads });
    // Files touched a moment ago are not remembered: their times could hide a later write.
    await sleep(2100);
    expect(run(...build)).toMatchObject({ status: 0, stderr: loads });
    const again = run(...build);
    expect(again).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(again.stdout)).toMatchObject({ unchanged: true, cached: 1 });
  });

  test.each(['build', 'publish', 'verify', 'get'])('not by %s --help', (command) => {
    expect(run(command, '--help')).toMatchObject({ status: 0, stderr: '' });
  });
});

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, linkSync, lstatSync, openSync, renameSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { identityOf } from '../../src/disk/identities.js';
import { openForWriting } from '../../src/watch/open-files.js';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { given } from '../tools.js';

const hasProc = given(
  existsSync('/proc/self/fdinfo'),
  'this system does not show the open files of a process',
);

let place: Place;
let running: ChildProcess[] = [];

beforeEach(() => {
  place = newPlace();
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running = [];
});

/** Starts a process that has a file open (`>>`, `<`, `<>`), and waits until it has. */
async function hold(name: string, how: string): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', `exec 7${how}"$0"; echo open; read end`, place.path(name)]);
  running.push(child);
  await new Promise((done) => child.stdout.once('data', done));
  return child;
}

/** Those of some files that are open, as a scan would name them. */
function open(names: readonly string[], proc?: string): readonly string[] {
  const files = names.map((path) => {
    const stats = lstatSync(place.path(path), { bigint: true });
    return { path, identity: identityOf(stats) };
  });
  return Array.from(openForWriting(files, proc)).sort();
}

describe.runIf(hasProc)('files that a process has open', () => {
  test('for writing, or for both, and not only for reading', async () => {
    for (const name of ['a/x.zip', 'b/x.zip', 'c.zip', 'd.zip']) place.write(name, 'bytes');
    const child = await hold('a/x.zip', '>>');
    await hold('c.zip', '<>');
    await hold('d.zip', '<');
    expect(open(['a/x.zip', 'b/x.zip', 'c.zip', 'd.zip'])).toEqual(['a/x.zip', 'c.zip']);
    expect(open(['b/x.zip'])).toEqual([]);
    child.stdin?.end('\n');
    await new Promise((done) => child.once('close', done));
    expect(open(['a/x.zip', 'c.zip'])).toEqual(['c.zip']);
  });

  test('under the name that it has by now', async () => {
    place.write('part', 'bytes');
    await hold('part', '>>');
    renameSync(place.path('part'), place.path('x.zip'));
    expect(open(['x.zip'])).toEqual(['x.zip']);
  });

  test('are other files than one that took their name', async () => {
    place.write('x.zip', 'bytes');
    await hold('x.zip', '>>');
    renameSync(place.path('x.zip'), place.path('old.zip'));
    place.write('x.zip', 'other bytes');
    expect(open(['x.zip'])).toEqual([]);
    linkSync(place.path('old.zip'), place.path('new.zip'));
    expect(open(['old.zip', 'new.zip'])).toContain('old.zip');
  });

  test('are not those of this process', () => {
    const fd = openSync(place.write('x.zip', 'bytes'), 'a');
    expect(open(['x.zip'])).toEqual([]);
    closeSync(fd);
  });
});

test('nothing is known where the system does not say', () => {
  place.write('x.zip', 'bytes');
  expect(open(['x.zip'], place.path('nowhere'))).toEqual([]);
});

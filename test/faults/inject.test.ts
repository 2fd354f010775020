import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEY_MADE, copyOf, makeWorkshop, start, succeed, writeSdist } from '../real.js';
import type { Workshop } from '../real.js';
import { PROGRAM } from '../run.js';
import { hasTool } from '../tools.js';
import { canInject, preloaded, readCalls } from './inject.js';
import { makeLane } from './lane.js';

// The other tests here rely on fault.c: it must see every change that the kernel sees.

let workshop: Workshop;

beforeAll(async () => {
  workshop = await makeWorkshop();
});

afterAll(() => {
  rmSync(workshop.folder, { recursive: true, force: true });
});

/** Calls that change a disk, or make a change survive a crash, in strace's families of calls. */
const CHANGING =
  '/^(f|fd|sync_file_|m)?sync|rename|unlink|^rmdir|^mkdir|^mknod|link|^p?write|truncate|fallocate|chmod|chown|^open|^creat|utime|setxattr|copy_file_range|sendfile|splice|^io_uring';

/** Calls that only read, or have nothing to do with files. */
const LOOKING = /^(?:readlink|openat2?$|open$|sync$)/;

describe.runIf(canInject() && hasTool('strace'))('fault.c', () => {
  it('counts every change that strace sees, in order; packsign removes the waiting database last (docs/FORMAT.md §1)', async () => {
    const directory = join(workshop.folder, 'start', 'dist');
    mkdirSync(directory, { recursive: true });
    writeSdist(join(directory, 'adder-1.0.tar.gz'), { name: 'adder', version: '1.0' });
    writeFileSync(join(directory, 'packsign.json'), '{ "Page": true }');
    await succeed(workshop, ['build', directory, '--key', workshop.key], KEY_MADE + 100);
    writeSdist(join(directory, 'boa-1.0.tar.gz'), { name: 'boa', version: '1.0' });
    await succeed(workshop, ['build', directory], KEY_MADE + 200);
    const lane = makeLane(workshop, copyOf(directory, '../copy/dist'));

    const [trace, log] = [join(workshop.folder, 'trace'), join(workshop.folder, 'log')];
    const variables = Object.entries({ ...preloaded(lane), FAULT_LOG: log });
    const line = [
      ...['strace', '-f', '-qq', '-y', '-s', '16', '-o', trace, '-e', `trace=${CHANGING}`],
      ...['env', ...variables.map(([name, value]) => `${name}=${value}`)],
      ...[process.execPath, PROGRAM, 'sign', lane.directory, '--key', workshop.key],
    ];
    const { status, stderr } = await start(lane, line, KEY_MADE + 200);
    expect(status, stderr).toBe(0);

    const seen = readFileSync(trace, 'utf8')
      .split('\n')
      .flatMap((text) => changeIn(text, lane.folder));
    expect(readCalls(log).map(({ name, path }) => `${name} ${path}`)).toEqual(seen);
    expect(seen.length).toBeGreaterThan(30);
    const firstOf = (what: RegExp) => seen.findIndex((text) => what.test(text));
    const page = firstOf(/^rename .*index\.html$/);
    expect(page).toBeGreaterThan(firstOf(/^rename .*packages\.plist$/));
    expect(firstOf(/^unlink .*packages\.unsigned\.plist$/)).toBeGreaterThan(page);
  });
});

/** `rename /new/path` from a line of strace, if it is a change below the folder. */
function changeIn(line: string, folder: string): readonly string[] {
  const [, call = '', rest = ''] = /^\d+ +(\w+)\((.*)$/.exec(line) ?? [];
  const isOpening = call.startsWith('open') || call === 'creat';
  if (isOpening ? !/O_CREAT|O_TRUNC/.test(rest) : LOOKING.test(call)) return [];
  // Of two paths the last is the new one; a descriptor is followed by its path in angle brackets.
  const given = rest.replace(/\) += .*$/, '');
  const paths = Array.from(
    given.matchAll(/"(\/[^"]*)"|<(\/[^>]*)>/g),
    ([, named, open]) => named ?? open ?? '',
  );
  const path = paths.at(-1) ?? '';
  return path.startsWith(`${folder}/`) || path === folder ? [`${familyOf(call)} ${path}`] : [];
}

/** The kernel's name of a call in the spelling of fault.c. */
function familyOf(call: string): string {
  if (call.startsWith('open') || call === 'creat') return 'open';
  if (/^p?writev?(?:64)?2?$/.test(call)) return 'write';
  return call.replace(/at2?$/, '');
}

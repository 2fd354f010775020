import { truncateSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { makeProgress } from '../../src/cli/progress.js';
import type { Outside } from '../../src/cli/streams.js';
import { serve } from '../consume/scene.js';
import { newKey, newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { atTerminal } from '../terminal.js';
import { hasTool } from '../tools.js';

const MIB = 1024 * 1024;
const SIGN = ['build', 'dist', '--key', 'key.asc'];
const OFTEN = { progressEveryMs: 2 };

let place: Place;

beforeEach(async () => {
  place = newPlace();
  place.write('key.asc', (await newKey('Ann')).secret);
});

/** One large file, of which the disk holds nothing. */
function writeLarge(bytes: number): void {
  truncateSync(place.write('dist/lantern-1.0.img', 'x'), bytes);
}

/** The lines of work, without the figures. */
function worksIn(stderr: string): readonly string[] {
  const lines = stderr
    .split('\n')
    .flatMap(
      (line) => /^packsign: ([a-z ]+) (?:[\d,]+ of [\d,]+ files, )?[\d.]+ \w+ of /.exec(line)?.[1] ?? [],
    );
  return Array.from(new Set(lines)).sort();
}

describe.runIf(hasTool('script'))('at a terminal', () => {
  test('bytes count inside one large file, on one line, which is cleared at the end', async () => {
    writeLarge(1024 * MIB);
    const { status, seen } = await atTerminal(place, SIGN);
    expect(status).toBe(0);
    const figures = Array.from(seen.matchAll(/hashing ([\d.]+ \w+) of 1\.1 GB/g), ([, figure]) => figure);
    expect(new Set(figures).size).toBeGreaterThan(2);
    // The first line does not wait for the spinner, which hides the cursor.
    const before = seen.slice(0, seen.indexOf('\u001b[?25l'));
    expect(before).toContain('hashing');
    expect(before).toContain('\r\u001b[K');
    const after = seen.slice(seen.lastIndexOf('hashing'));
    expect(after).toContain('\u001b[0K');
    expect(after).toContain('\u001b[?25h');
  });

  test('it moves on a terminal that does not know its width', async () => {
    writeLarge(512 * MIB);
    const { status, seen } = await atTerminal(place, SIGN, { columns: 0 });
    const figures = Array.from(seen.matchAll(/hashing ([\d.]+ \w+) of 537 MB/g), ([, figure]) => figure);
    expect([status, new Set(figures).size > 2]).toEqual([0, true]);
  });

  test.each([{ TERM: 'dumb' }, { CI: 'true' }])('where lines cannot move, none does: %j', async (env) => {
    writeLarge(256 * MIB);
    const { status, seen } = await atTerminal(place, SIGN, { env });
    expect([status, seen]).toEqual([0, expect.not.stringContaining('\u001b')]);
  });

  test('--quiet shows nothing that moves', async () => {
    writeLarge(256 * MIB);
    const { status, seen } = await atTerminal(place, [...SIGN, '--quiet']);
    expect([status, seen.trim()]).toEqual([0, '']);
  });
});

describe('without a terminal', () => {
  test('a long work is told of now and then, on standard error alone', async () => {
    writeLarge(256 * MIB);
    const { value, run } = await place.json(SIGN, OFTEN);
    expect(value['ok']).toBe(true);
    expect(run.stderr).toMatch(/^packsign: hashing [\d.]+ \w+ of 268 MB$/m);
    expect(run.stderr).not.toContain('\u001b');
  });

  test('--quiet says nothing of it, and a short work is not worth a line', async () => {
    writeLarge(64 * MIB);
    expect((await place.packsign([...SIGN, '--quiet'], OFTEN)).stderr).toBe('');
    expect((await place.packsign([...SIGN, '--rehash'], { progressEveryMs: 600_000 })).stderr).toBe('');
  });

  test('files that are checked, uploaded and downloaded count as well', async () => {
    const { url } = await serve(place.path('dist'));
    writeLarge(96 * MIB);
    place.write('www/x', '');
    place.write('other/x', '');
    const worksOf = async (...args: string[]) => {
      const { status, stderr } = await place.packsign(args, OFTEN);
      expect([status, worksIn(stderr).length > 0 ? '' : stderr]).toEqual([0, '']);
      return worksIn(stderr);
    };
    expect(await worksOf(...SIGN)).toEqual(['hashing']);
    expect(await worksOf('verify', 'dist')).toEqual(['checking']);
    expect(await worksOf('publish', 'dist', 'www')).toEqual(['checking', 'uploading']);
    const { stderr } = await place.packsign(['publish', 'dist', 'other'], OFTEN);
    expect(stderr).toMatch(/^packsign: uploading \d of [5-9] files, [\d.]+ MB of 101 MB/m);
    const keys = ['--keys', 'dist/keys.asc'];
    expect(await worksOf('verify', url, '--files', ...keys)).toEqual(['checking']);
    expect(await worksOf('get', 'lantern-1.0.img', '--from', url, ...keys)).toEqual(['downloading']);
    expect(await worksOf('verify', 'lantern-1.0.img', '--database', 'dist/packages.plist', ...keys)).toEqual([
      'checking',
    ]);
  });
});

describe('the time that is left', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setInterval'] }));
  afterEach(() => void vi.useRealTimers());

  const SMALL = 1000;
  /** What is said after ten seconds in which so many files and bytes were done. */
  function said(
    files: { readonly count: number; readonly done: number },
    bytes: number,
    ...[done = 0, before = 0]: readonly number[]
  ): string {
    let printed = '';
    const stderr = { isTTY: false, write: (text: string) => (printed += text) };
    const outside = { stderr, environment: {}, progressEveryMs: 10_000 } as unknown as Outside;
    const progress = makeProgress(outside, { quiet: false });
    const now = { files: 0, bytes: before };
    const counted = { count: files.count, done: () => now.files };
    progress.say({ doing: 'uploading', bytes, done: () => now.bytes, files: counted });
    [now.files, now.bytes] = [files.done, done];
    vi.advanceTimersByTime(10_000);
    return printed;
  }

  test('is that of files where each takes its time, and the bytes come in a large one at the end', () => {
    expect(said({ count: 1001, done: 100 }, SMALL * 1000 + 50_000_000, SMALL * 100)).toBe(
      'packsign: uploading 100 of 1,001 files, 100 kB of 51 MB, 10 kB/s, 91 s left\n',
    );
  });

  test('is that of bytes where files are long', () => {
    expect(said({ count: 4, done: 0 }, 400_000_000, 50_000_000)).toBe(
      'packsign: uploading 0 of 4 files, 50 MB of 400 MB, 5.0 MB/s, 70 s left\n',
    );
    expect(said({ count: 1, done: 0 }, 400_000_000, 50_000_000)).toBe(
      'packsign: uploading 50 MB of 400 MB, 5.0 MB/s, 70 s left\n',
    );
  });

  test('comes without a speed where bytes are taken back, to be sent again', () => {
    expect(said({ count: 3, done: 1 }, 400_000, 0, 100_000)).toBe(
      'packsign: uploading 1 of 3 files, 0 bytes of 400 kB, 20 s left\n',
    );
  });

  test('is not known while nothing comes', () => {
    expect(said({ count: 4, done: 0 }, 400, 0)).toBe(
      'packsign: uploading 0 of 4 files, 0 bytes of 400 bytes\n',
    );
  });
});

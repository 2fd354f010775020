import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import { hasTool } from '../tools.js';

/** The files of a publication with a signature, as docs/FORMAT.md §1 lists them. */
const FILES = /\/dist\/(packages\.plist(?:\.asc)?|keys\.(?:asc|gpg)|signatures\/[0-9a-f]{64}\.asc)>/;

test.runIf(hasTool('strace'))(
  'a build that publishes opens each published file once before it replaces the database, and at most once after',
  async () => {
    const ann = await newKey('Ann');
    const place = newPlace();
    place.write('ann.asc', ann.signing);
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    const build = ['build', 'dist', '--key', 'ann.asc'];
    expect((await place.packsign(build)).status).toBe(0);
    place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
    const by = ['strace', '-f', '-qq', '-y', '-o', place.path('trace'), '-e', 'trace=open,openat,rename'];
    const { status, stderr } = await place.process(build, { by });
    expect(status, stderr).toBe(0);

    const lines = readFileSync(place.path('trace'), 'utf8').split('\n');
    const replaced = lines.findIndex((line) => /rename\(.*dist\/packages\.plist"\)/.test(line));
    expect(replaced).toBeGreaterThan(0);
    const opened = (some: readonly string[]) =>
      some
        .filter((line) => / open(?:at)?\(/.test(line) && !line.includes('O_WRONLY'))
        .flatMap((line) => FILES.exec(line)?.[1] ?? [])
        .sort();
    const before = opened(lines.slice(0, replaced));
    expect(before).toEqual([...new Set(before)]);
    expect(before).toHaveLength(5);
    const after = opened(lines.slice(replaced));
    expect(after).toEqual([...new Set(after)]);
  },
);

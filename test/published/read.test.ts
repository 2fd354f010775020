import { readFileSync, utimesSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readPublished } from '../../src/published/read.js';
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

describe('a directory that is read again', () => {
  const published = () => {
    const place = newPlace();
    place.write('dist/packages.plist', 'the database');
    place.write('dist/keys.asc', 'the keys');
    const before = readPublished(place.path('dist'), place.path('dist/.packsign'));
    expect(before.identity()).not.toBeNull();
    expect(before.bytes('keys.asc')?.toString()).toBe('the keys');
    return { place, before };
  };

  test('keeps bytes and hashes of files that have the same bytes, also if they were written anew', () => {
    const { place, before } = published();
    place.write('dist/packages.plist', 'the database');
    place.write('dist/keys.asc', 'the keys');
    const again = before.again();
    expect(again.content()).toBe(before.content());
    expect(again.bytes('keys.asc')).toBe(before.bytes('keys.asc'));
    expect(again.identity()).not.toEqual(before.identity());
    expect(again.again().content()).toBe(before.content());
  });

  test.each([
    ['other bytes', 'a database, other'],
    ['other bytes of the same length', 'The database'],
    ['more bytes', 'the database and more'],
    ['fewer bytes', 'the data'],
    ['no bytes', ''],
    ['the same first 256 KiB', `${'x'.repeat(2 ** 18)}b`, `${'x'.repeat(2 ** 18)}a`],
  ])('sees a database with %s', (_, next, first = 'the database') => {
    const { place, before: empty } = published();
    place.write('dist/packages.plist', first);
    const before = empty.again();
    expect(before.bytes('packages.plist')?.toString()).toBe(first);
    place.write('dist/packages.plist', next);
    const again = before.again();
    expect(again.bytes('packages.plist')?.toString()).toBe(next);
    expect(again.sha256()).not.toBe(before.sha256());
    expect(before.bytes('packages.plist')?.toString()).toBe(first);
  });

  test('sees a change in place that keeps length and time of modification', () => {
    const { place, before } = published();
    const file = place.path('dist/packages.plist');
    const second = new Date(1_700_000_000_000);
    utimesSync(file, second, second);
    const dated = before.again();
    expect(dated.identity()).not.toBeNull();
    place.write('dist/packages.plist', 'The database');
    utimesSync(file, second, second);
    expect(dated.again().bytes('packages.plist')?.toString()).toBe('The database');
  });

  test('sees what was removed, and what came', () => {
    const { place, before } = published();
    place.remove('dist/packages.plist');
    place.remove('dist/keys.asc');
    const gone = before.again();
    expect([gone.sha256(), gone.identity(), gone.bytes('keys.asc')]).toEqual([null, null, null]);
    place.write('dist/keys.asc', 'new keys');
    expect(gone.again().bytes('keys.asc')?.toString()).toBe('new keys');
  });

  test('takes what a writer wrote from the value only as far as the file says the same', () => {
    const { place, before } = published();
    const written = Buffer.from('written');
    const next = before.with({ 'packages.plist': written });
    place.write('dist/packages.plist', 'written');
    expect(next.again().bytes('packages.plist')).toBe(written);
    place.write('dist/packages.plist', 'by others');
    expect(next.again().bytes('packages.plist')?.toString()).toBe('by others');
  });

  test('parses keys once, for as long as keys.asc stays the same', async () => {
    const { certificate } = await newKey('Ann');
    const { place, before } = published();
    place.write('dist/keys.asc', certificate);
    const first = before.again();
    const [ann] = await first.certificates();
    const [same] = await first
      .with({ 'keys.gpg': Buffer.from('other') })
      .again()
      .certificates();
    expect(same).toBe(ann);
    place.write('dist/keys.asc', `${certificate}\n`);
    const [anew] = await first.again().certificates();
    expect(anew?.fingerprint).toBe(ann?.fingerprint);
    expect(anew).not.toBe(ann);
  });
});

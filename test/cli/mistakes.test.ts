import { hostname } from 'node:os';
import { beforeEach, describe, expect, test } from 'vitest';
import { epoch, newKey, newPlace, sdist } from '../packsign.js';
import type { Place, Run } from '../packsign.js';
import { serve } from '../consume/scene.js';

/** Usual mistakes: each is answered in the user's own words, and what the hint says to type works. */
let place: Place;
let url: string;

beforeEach(async () => {
  place = newPlace();
  ({ url } = await serve(place.path('dist')));
  const ann = await newKey('Ann');
  place.write('key.asc', ann.secret);
  place.write('key.pub.asc', ann.certificate);
  place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0'));
});

const SIGN = ['build', 'dist', '--key', 'key.asc', '--quiet'];

async function succeed(...args: readonly string[]): Promise<void> {
  expect(await place.packsign(args)).toMatchObject({ status: 0 });
}

/** The message and the hint of a command that fails. */
async function mistake(args: readonly string[], options = {}): Promise<{ said: string; hint: string }> {
  const { status, stderr } = await place.packsign(args, options);
  expect(status).toBeGreaterThan(0);
  const said = /^packsign: error: ([^]*?)(?=\npacksign: |\n$)/m.exec(stderr)?.[1] ?? '';
  return { said, hint: /^packsign: hint: (.*)$/m.exec(stderr)?.[1] ?? '' };
}

/** Runs the first command in a hint, up to where the hint goes on in words. */
async function paste(hint: string): Promise<Run> {
  const [, line = ''] = /packsign (.*?)(?:; |, |$| shows )/.exec(hint) ?? [];
  const words = Array.from(
    line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g),
    ([, one, two, three]) => one ?? two ?? three ?? '',
  );
  expect(words, hint).not.toEqual([]);
  expect(line, hint).not.toMatch(/\b(?:DIRECTORY|FILE|KEY|PATH|URL|NAME|DIR)\b/);
  return await place.packsign(words);
}

describe('a usual mistake is named, and what the hint says works:', () => {
  test('a misspelt directory', async () => {
    const { said } = await mistake(['build', 'dits']);
    expect(said).toBe('there is no directory dits; did you mean dist?');
  });

  test('no key', async () => {
    const { said, hint } = await mistake(['build', 'dist', '--sign']);
    expect(said).toBe('no key to sign with');
    expect(hint).toContain('packsign build dist --key');
  });

  test('a misspelt path of a key', async () => {
    const { said } = await mistake(['build', 'dist', '--key', 'kye.asc']);
    expect(said).toBe('there is no key file kye.asc; did you mean key.asc?');
  });

  test('a public key to sign with', async () => {
    const { said, hint } = await mistake(['build', 'dist', '--key', 'key.pub.asc']);
    expect(said).toContain('key.pub.asc: key file holds a public key');
    expect(hint).toMatch(/--key [0-9A-F]{40}$/);
  });

  test('a published file that was altered', async () => {
    await succeed(...SIGN);
    place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0', 'x = 2\n'));
    const { said, hint } = await mistake(['build', 'dist', '--key', 'key.asc']);
    expect(said).toContain('lantern-1.0.tar.gz');
    expect(hint).toContain(
      'packsign build dist --allow-changed lantern-1.0.tar.gz --reason TEXT --key key.asc',
    );
    expect((await paste(hint)).stdout).toContain('signed and published');
  });

  test('--allow-changed without a --reason', async () => {
    await succeed(...SIGN);
    place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0', 'x = 2\n'));
    const allow = ['--allow-changed', 'lantern-1.0.tar.gz'];
    const { said, hint } = await mistake(['build', 'dist', '--key', 'key.asc', ...allow]);
    expect(said).toBe('each --allow-changed needs a --reason');
    expect((await paste(hint)).stdout).toContain('signed and published');
  });

  test.each(['two\nlines', 'red\u001b[31m', 'x'.repeat(1025)])('the --reason %j', async (reason) => {
    await succeed(...SIGN);
    place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0', 'x = 2\n'));
    const because = ['--allow-changed', 'lantern-1.0.tar.gz', '--reason', reason];
    const { status, stderr } = await place.packsign(['build', 'dist', '--key', 'key.asc', ...because]);
    expect(status).toBe(2);
    expect(stderr).toContain(
      '--reason must be one line of at most 1024 characters, without control characters',
    );
  });

  test('a damaged file, with options that say what is listed and signed', async () => {
    place.write('dist/internal-only.sh', '#!/bin/sh\n');
    place.write('dist/tool-1.0.tar.gz', Buffer.from('1f8b', 'hex'));
    const { hint } = await mistake([
      ...['build', 'dist', '--exclude', 'internal-*', '--validity', '30 days'],
      ...['--base-url', 'https://example.org/', '--no-pack-man', '--key', 'key.asc'],
    ]);
    expect(hint).toMatch(
      / packsign build dist --allow-damaged tool-1\.0\.tar\.gz --key key\.asc --base-url \S+ --validity '30 days' --no-pack-man --exclude 'internal-\*'$/,
    );
    expect(await paste(hint)).toMatchObject({ status: 0 });
    const published = place.read('dist/packages.plist').toString();
    expect(published).toContain('tool-1.0.tar.gz');
    expect(published).toContain('https://example.org/');
    expect(published).not.toContain('internal-only.sh');
  });

  test('a damaged file and an altered one', async () => {
    await succeed(...SIGN);
    place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0', 'x = 2\n'));
    place.write('dist/tool-1.0.tar.gz', Buffer.from('1f8b', 'hex'));
    const first = await mistake(['build', 'dist', '--key', 'key.asc']);
    const second = await mistake([
      ...['build', 'dist', '--allow-damaged', 'tool-1.0.tar.gz', '--key', 'key.asc'],
    ]);
    expect(first.hint).toContain('packsign build dist --allow-damaged tool-1.0.tar.gz --key key.asc');
    expect(second.hint).toContain('--allow-changed lantern-1.0.tar.gz --reason TEXT --key key.asc');
    expect(await paste(second.hint)).toMatchObject({ status: 0 });
  });

  test('two files that may change, and one reason', async () => {
    const { hint } = await mistake([
      ...['build', 'dist', '--allow-changed', 'a.sh', '--allow-changed', 'b.sh', '--reason', 'a typo'],
    ]);
    expect(hint).toBe(
      "packsign build dist --allow-changed a.sh --reason 'a typo' --allow-changed b.sh --reason TEXT",
    );
  });

  test('a database that has expired', async () => {
    expect(await place.packsign([...SIGN, '--validity', '1d'], { env: epoch('2025-02-01') })).toMatchObject({
      status: 0,
    });
    place.write('www/x', '');
    place.write('dist/packsign.json', '{ "Key": "../key.asc" }');
    const { said, hint } = await mistake(['publish', 'dist', 'www']);
    expect(said).toContain('expired at 2025-02-02');
    expect((await paste(hint)).status).toBe(0);
  });

  test('a wrong passphrase', async () => {
    place.write('locked.asc', (await newKey('Bob', { passphrase: 'right' })).secret);
    const { said } = await mistake(['build', 'dist', '--key', 'locked.asc'], {
      env: { PACKSIGN_PASSPHRASE: 'wrong' },
    });
    expect(said).toContain('passphrase');
  });

  test('a comma too many in packsign.json', async () => {
    place.write('dist/packsign.json', '{\n  "Description": "Lamps",\n}\n');
    const { said } = await mistake(['build', 'dist']);
    expect(said).toBe(
      'dist/packsign.json, line 3, column 1: there is a comma before this }, and nothing behind it\n  3 | }\n      ^',
    );
  });

  test('a misspelt setting', async () => {
    place.write('dist/packsign.json', '{ "Descripton": "Lamps" }');
    const { said } = await mistake(['status', 'dist']);
    expect(said).toBe('dist/packsign.json: Descripton: is not a setting; did you mean "Description"?');
  });

  test('verify of an address without a key', async () => {
    await succeed(...SIGN);
    const run = await place.packsign(['verify', url]);
    expect(run.status).toBe(1);
    expect(run.stdout).toContain('unauthenticated (🔓 open padlock)');
    expect(run.stdout).toContain(`packsign trust add ${url}`);
  });

  test('a misspelt package', async () => {
    await succeed(...SIGN);
    await succeed('trust', 'add', url, '--keys', 'key.pub.asc', '--name', 'ann', '--threshold', '1');
    const { said, hint } = await mistake(['get', 'lantren']);
    expect(said).toBe('there is no package lantren; did you mean "lantern"?');
    expect((await paste(hint)).stdout).toContain('as signed');
  });

  test('publish before anything is signed', async () => {
    place.write('www/x', '');
    place.write('dist/packsign.json', '{ "Key": "../key.asc" }');
    const { said, hint } = await mistake(['publish', 'dist', 'www']);
    expect(said).toBe('nothing is signed in dist');
    expect((await paste(hint)).stdout).toContain('signed and published');
  });

  test('sign before build', async () => {
    const { said, hint } = await mistake(['sign', 'dist', '--key', 'key.asc']);
    expect(said).toBe('there is no dist/packages.unsigned.plist to sign');
    expect((await paste(hint)).status).toBe(0);
    await succeed('sign', 'dist', '--key', 'key.asc');
  });

  test('another packsign at work', async () => {
    const lock = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
    place.write('dist/.packsign/lock', JSON.stringify(lock));
    const { said, hint } = await mistake(['build', 'dist', '--wait', '0']);
    expect(said).toContain('another packsign');
    expect(hint).not.toBe('');
  });
});

describe('what a build without a key says to type signs what was built:', () => {
  test.each([
    ['--checksums', 'SHA256SUMS.asc'],
    ['--include', '*.txt'],
    ['--exclude', 'internal-*'],
    ['--allow-damaged', 'tool-1.0.tar.gz'],
  ])('after %s', async (option, value) => {
    place.write('dist/notes.txt', 'x');
    place.write('dist/internal-only.sh', '#!/bin/sh\n');
    if (option === '--allow-damaged') place.write('dist/tool-1.0.tar.gz', Buffer.from('1f8b', 'hex'));
    const words = option === '--checksums' ? [option] : [option, value];
    const built = await place.packsign(['build', 'dist', ...words]);
    const [, command = ''] = /^ {2}(packsign sign .*)$/m.exec(built.stdout) ?? [];
    expect(command).toContain(`packsign sign dist --key FILE ${option}`);
    const waiting = place.read('dist/packages.unsigned.plist');
    expect(await paste(command.replace('FILE', 'key.asc'))).toMatchObject({ status: 0 });
    expect(place.read('dist/packages.plist')).toEqual(waiting);
    if (option === '--checksums') expect(place.has(`dist/${value}`)).toBe(true);
  });
});

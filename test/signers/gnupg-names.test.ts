import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { newPlace } from '../packsign.js';
import type { Place } from '../packsign.js';
import { needTools } from '../tools.js';

async function offeredFor(place: Place, words: readonly string[], path: string): Promise<readonly string[]> {
  const { status, stdout, stderr } = await place.packsign(['--complete', ...words], { env: { PATH: path } });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trimEnd().split('\n');
}

/** A place with a home of GnuPG and a gpg that prints this. */
function withGpg(script: string): { readonly place: Place; readonly path: string } {
  const place = newPlace();
  mkdirSync(place.path('home/.gnupg'), { mode: 0o700 });
  chmodSync(place.write('bin/gpg', `#!/bin/sh\n${script}\n`), 0o755);
  return { place, path: `${place.path('bin')}:${process.env['PATH'] ?? ''}` };
}

const KEY = 'A'.repeat(40);
const OTHER = 'B'.repeat(40);

function listing(capabilities: string, fingerprint: string, ...uids: readonly (readonly [string, string])[]) {
  return [
    `sec:u:255:22:0123456789ABCDEF:1700000000:::u:::${capabilities}:::+::ed25519:::0:`,
    `fpr:::::::::${fingerprint}:`,
    ...uids.map(([validity, uid]) => `uid:${validity}::::1700000000::HASH::${uid}::::::::::0:`),
    `ssb:u:255:22:0123456789ABCDEE:1700000000::::::s:::+::ed25519::`,
    `fpr:::::::::${'C'.repeat(40)}:`,
  ].join('\n');
}

function printing(...listings: readonly string[]): string {
  return `cat <<'END'\n${listings.join('\n')}\nEND`;
}

test('a shell is offered the keys of GnuPG that can sign, by fingerprint and address', async (context) => {
  needTools(context, 'gpg', 'gpgconf');
  const place = newPlace();
  mkdirSync(place.path('home/.gnupg'), { mode: 0o700 });
  const env = { PATH: process.env['PATH'], HOME: place.path('home') };
  const gpg = (...args: readonly string[]) =>
    spawnSync('gpg', ['--batch', ...args], { env, encoding: 'utf8' });
  try {
    const generate = [
      '--quick-generate-key',
      '--passphrase',
      '',
      'Ann <ann@example.org>',
      'ed25519',
      'sign',
      '2y',
    ];
    expect(gpg(...generate).status).toBe(0);
    const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(gpg('--list-keys', '--with-colons').stdout)?.[1] ?? '';
    const offered = await offeredFor(place, ['build', '--key', ''], env.PATH ?? '');
    expect(offered).toEqual(['keys', `${fingerprint}\tann@example.org`, `ann@example.org\t${fingerprint}`]);
  } finally {
    spawnSync('gpgconf', ['--kill', 'all'], { env });
  }
});

test('only addresses and fingerprints are offered, of what can sign now', async () => {
  const { place, path } = withGpg(
    printing(
      listing(
        'scESC',
        KEY,
        ['u', 'Ann <ann@example.org>'],
        ['u', 'bare@example.org'],
        ['r', 'Old <old@example.org>'],
      ),
      listing('cC', OTHER, ['u', 'Bob <bob@example.org>']),
    ),
  );
  const all = [`${KEY}\tann@example.org`, `ann@example.org\t${KEY}`, `bare@example.org\t${KEY}`];
  expect(await offeredFor(place, ['build', '--key', ''], path)).toEqual(['keys', ...all]);
  expect(await offeredFor(place, ['sign', '--key=an'], path)).toEqual([
    'keys',
    `--key=ann@example.org\t${KEY}`,
  ]);
  expect(await offeredFor(place, ['sign', '--key', './'], path)).toEqual(['keys']);
  expect(await offeredFor(place, ['key', 'extend', ''], path)).toEqual(['keys']);
});

test('a user id that a shell would act on is not offered', async () => {
  const hostile = [
    'Eve <$(id)@example.org>',
    'Eve <`id`@x>',
    'Eve <a b@x>',
    'Eve <-\\x0a@x>',
    'Eve',
    "Eve <'@x>",
  ];
  const { place, path } = withGpg(
    printing(listing('scSC', KEY, ...hostile.map((uid) => ['u', uid] as const))),
  );
  expect(await offeredFor(place, ['build', '--key', ''], path)).toEqual(['keys', KEY]);
});

test.each([
  ['that fails', 'echo broken >&2; exit 2'],
  ['that prints no listing', 'echo sec; echo fpr; printf "\\0"'],
  ['that hangs', 'exec sleep 600'],
])('a gpg %s is silent', async (_, script) => {
  const { place, path } = withGpg(script);
  expect(await offeredFor(place, ['build', '--key', ''], path)).toEqual(['keys']);
});

test('without gpg, or without its home, there is nothing, and no home is made', async () => {
  const { place } = withGpg('exit 0');
  expect(await offeredFor(place, ['build', '--key', ''], place.path('nowhere'))).toEqual(['keys']);
  const { place: bare, path } = withGpg(printing(listing('scSC', KEY)));
  bare.remove('home/.gnupg');
  expect(await offeredFor(bare, ['build', '--key', ''], path)).toEqual(['keys']);
  expect(existsSync(bare.path('home/.gnupg'))).toBe(false);
});

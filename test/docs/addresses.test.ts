import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { once } from '../../src/model/once.js';
import KNOWN from './addresses.json' with { type: 'json' };

/** Kinds of text that send people, or programs, to something that somebody else may own. */
const PATTERNS: readonly RegExp[] = [
  /\b[a-z][a-z0-9+.-]*:\/\/(?:[^\s/@"'`<>]*@)?([a-z0-9.-]*[a-z0-9])/gi, // the host of an address
  /\b((?:[a-z0-9-]+\.)+(?:com|org|net|io))\b/gi, // a host alone
  /\b(?:npx|(?:npm|pnpm|yarn|pip3?|brew|apt(?:-get)?|dnf|gem|cargo|docker) (?:install|i|add|exec|dlx|pull)) (?:--?[a-z-]+ )*([@\w./][@\w./:+-]*)/g,
  /^ *-? *(?:uses|image): *(\S+)/gm,
  /^FROM (\S+)/gm,
];

/** Every file that is packed, and what it is made from. */
const shipped = once((): readonly string[] => {
  const pack = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const packed = spawnSync('npm', pack, { encoding: 'utf8', maxBuffer: 1e8 });
  const [{ files }] = JSON.parse(packed.stdout) as [{ files: readonly { path: string }[] }];
  const sources = spawnSync('git', ['ls-files', 'src', 'bin', 'templates', 'docs', 'examples', '*.md'], {
    encoding: 'utf8',
  });
  const all = new Set([...files.map(({ path }) => path), ...sources.stdout.trim().split('\n')]);
  return Array.from(all).filter((path) => !/\.(?:png|map)$/.test(path));
});

function found(text: string): readonly string[] {
  return PATTERNS.flatMap((pattern) =>
    Array.from(text.matchAll(pattern), ([, name = '']) => name.toLowerCase()),
  );
}

test('nothing that ships names an address or a package but those of test/docs/addresses.json', () => {
  const where = new Map<string, string>();
  for (const path of shipped()) {
    for (const name of found(readFileSync(path, 'utf8'))) if (!where.has(name)) where.set(name, path);
  }
  const unknown = Array.from(where).filter(([name]) => !(name in KNOWN));
  expect(Object.fromEntries(unknown)).toEqual({});
  // A line that is needed no more may hide the next mistake.
  expect(Object.keys(KNOWN).filter((name) => !where.has(name))).toEqual([]);
});

test('the search finds what it is for', () => {
  const texts = {
    'unpkg.com': '"$schema": "https://unpkg.com/packsign/x.json"',
    'www.npmjs.com': 'see www.npmjs.com/package/packsign',
    'packsign@latest': 'npm install --global packsign@latest',
    packsign: 'npx packsign verify',
    'packsign/sign@v1': '      - uses: packsign/sign@v1',
    'node:22': 'FROM node:22 AS build',
    'example.net': 'git+ssh://git@example.net/x.git',
  };
  for (const [name, text] of Object.entries(texts)) expect(found(text)).toContain(name);
});

test('the address of the project is the one in package.json, wherever it is written', () => {
  const { repository } = JSON.parse(readFileSync('package.json', 'utf8')) as { repository: { url: string } };
  const wrong = shipped()
    .filter((path) => !path.startsWith('dist/'))
    .flatMap((path) => readFileSync(path, 'utf8').match(/git\+https?:[^\s"'`)]+/g) ?? [])
    .filter((address) => address !== repository.url);
  expect(wrong).toEqual([]);
});

import { symlinkSync, writeFileSync, mkdirSync, chmodSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { coverageIn } from '../../src/places/coverage.js';
import { NO_GLOBS, scanDirectory } from '../../src/places/scan.js';
import { databaseOf, archive } from '../model/databases.js';
import { newPlace } from '../packsign.js';

function directoryWith(files: Readonly<Record<string, string>>) {
  const place = newPlace();
  for (const [name, text] of Object.entries(files)) place.write(`dist/${name}`, text);
  return { place, dist: place.path('dist') };
}

const SIGNATURE = `signatures/${'a'.repeat(64)}.asc`;

test('every file is listed, own, a companion, hidden, excluded or named with the reason', () => {
  const { dist } = directoryWith({
    'a-1.0.tar.gz': 'a',
    'A-1.0.tar.gz': 'the same where case does not count',
    'a-1.0.tar.gz.asc': 'a companion',
    SHA256SUMS: 'a companion',
    'SHA256SUMS.exe': 'a program by its name',
    tool: '#!/bin/sh\n',
    'tool.sig': '#!/bin/sh\n',
    'notes.txt': 'x',
    'my file.zip': 'x',
    'packsign.json': '{}',
    'keys.asc': 'own',
    'sub/keys.asc': 'not own there',
    [SIGNATURE]: 'own',
    'signatures/old.asc': 'not own',
    'assets/packsign-0123456789ab/page.js': 'own',
    'assets/logo.png': 'not own',
    '.hidden': 'x',
    '.git/config': 'x',
    'left-out.zip': 'x',
    'late.zip': 'x',
  });
  symlinkSync('notes.txt', join(dist, 'latest'));
  execFileSync('mkfifo', [join(dist, 'pipe')]);
  writeFileSync(Buffer.concat([Buffer.from(`${dist}/caf`), Buffer.from([0xe9]), Buffer.from('.zip')]), 'x');
  mkdirSync(Buffer.concat([Buffer.from(`${dist}/f`), Buffer.from([0xff])]));
  const globs = { include: ['assets/logo.png'], exclude: ['left-out.*'] };
  const { files } = scanDirectory(dist, { globs });
  const paths = files.map(({ path }) => path);
  expect(paths).toEqual(
    ['A-1.0.tar.gz', 'SHA256SUMS.exe', 'assets/logo.png', 'late.zip', 'tool', 'tool.sig'].sort(),
  );
  const listed = paths.filter((path) => path !== 'late.zip');
  const database = databaseOf(Object.fromEntries(listed.map((path) => [path, archive()])));
  expect(coverageIn(dist, database, { globs })).toEqual({
    uncovered: [
      { path: 'a-1.0.tar.gz', reason: 'case' },
      { path: 'a-1.0.tar.gz.asc', reason: 'kind' },
      { path: 'caf\\xE9.zip', reason: 'name' },
      { path: 'f\\xFF', reason: 'name' },
      { path: 'late.zip', reason: 'new' },
      { path: 'latest', reason: 'link' },
      { path: 'my file.zip', reason: 'name' },
      { path: 'notes.txt', reason: 'kind' },
      { path: 'pipe', reason: 'special' },
      { path: 'signatures/old.asc', reason: 'kind' },
      { path: 'sub/keys.asc', reason: 'kind' },
    ],
    companions: 1,
  });
});

test('C11: a good name is not taken for another one that is no UTF-8 and looks the same', () => {
  const { dist } = directoryWith({
    'f\ufffd/a.zip': 'a',
    'g\ufffd.txt': 'g',
    'odd folder/a.zip': '',
    'odd folder/b': '',
  });
  mkdirSync(Buffer.concat([Buffer.from(`${dist}/f`), Buffer.from([0xff])]));
  writeFileSync(Buffer.concat([Buffer.from(`${dist}/g`), Buffer.from([0xff]), Buffer.from('.txt')]), 'x');
  mkdirSync(join(dist, 'real'));
  symlinkSync('real', join(dist, 'folder link'));
  symlinkSync('real', join(dist, 'assets'));
  symlinkSync('real', join(dist, 'signatures'));
  expect(scanDirectory(dist, { globs: NO_GLOBS }).rest).toEqual([
    { path: 'assets', reason: 'link' },
    { path: 'f\\xFF', reason: 'name' },
    { path: 'folder link', reason: 'link' },
    { path: 'f\ufffd/a.zip', reason: 'name' },
    { path: 'g\\xFF.txt', reason: 'name' },
    { path: 'g\ufffd.txt', reason: 'kind' },
    { path: 'odd folder/a.zip', reason: 'name' },
    { path: 'odd folder/b', reason: 'kind' },
    { path: 'signatures', reason: 'link' },
  ]);
});

test('Exclude wins over Include, and Include lists everything but hidden files and links', () => {
  const { dist } = directoryWith({ 'a.txt': '', 'b.md': '', 'sub/c': '', '.d': '', '.e/f.zip': '' });
  symlinkSync('a.txt', join(dist, 'link.zip'));
  const { files, rest } = scanDirectory(dist, { globs: { include: ['**'], exclude: ['b.*'] } });
  expect([files.map(({ path }) => path), rest]).toEqual([
    ['a.txt', 'sub/c'],
    [{ path: 'link.zip', reason: 'link' }],
  ]);
});

test('what cannot be read is named, also a folder', { skip: process.getuid?.() === 0 }, () => {
  const { dist } = directoryWith({ 'locked/a.zip': '', secret: '' });
  chmodSync(join(dist, 'locked'), 0);
  chmodSync(join(dist, 'secret'), 0);
  expect(scanDirectory(dist, { globs: NO_GLOBS }).rest).toEqual([
    { path: 'locked', reason: 'unreadable' },
    { path: 'secret', reason: 'unreadable' },
  ]);
});

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isArchiveName,
  isNamedAfter,
  namesAgree,
  readPath,
  splitFileName,
} from '../../src/model/file-name.js';
import { hasTool } from '../tools.js';

describe('archive names', () => {
  it.each(
    [
      '.tar.gz .tgz .tar.bz2 .tbz2 .tar.bz .tar.xz .txz .tar.zst .tar .tar.Z .taz .zip .whl .egg .TAR.GZ .Whl',
      '.deb .udeb .rpm .gem .crate .conda .nupkg .vsix .jar .apk',
    ]
      .join(' ')
      .split(' '),
  )('end in %s', (extension) => {
    expect(isArchiveName(`demo-1.0${extension}`)).toBe(true);
    expect(isArchiveName(`demo-1.0${extension}.asc`)).toBe(false);
    expect(isArchiveName(extension)).toBe(false);
  });

  it.each(['demo', 'demo.gz', 'demo-1.0.exe', 'demotgz', 'demo.tar.lz', 'demo.zip\n', ''])(
    'do not end as %j does',
    (name) => {
      expect(isArchiveName(name)).toBe(false);
    },
  );
});

const TABLE = readFileSync(new URL('names.tsv', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t'));

describe('the path of a file', () => {
  // Readings that are all right are separated by `|`; the first is preferred.
  it.each(TABLE)('%s is %s %s %s', (path = '', ...readings) => {
    const { name, version, platform } = readPath(path);
    const right = [name, version, platform].map((found, at) =>
      (readings[at] ?? '').split('|').includes(found ?? ''),
    );
    expect([{ name, version, platform }, ...right]).toEqual([{ name, version, platform }, true, true, true]);
  });

  it('is read in at least 230 real names', () => {
    expect(new Set(TABLE.map(([path]) => path)).size).toBeGreaterThanOrEqual(230);
  });

  it.each([
    ['demo-1.0.TAR.GZ', 'demo', '1.0', null],
    ['my-demo-v2.tgz', 'my-demo', '2', null],
    ['demo-2-1.0.zip', 'demo', '2-1.0', null],
    ['demo-3d-1.0.tar.xz', 'demo-3d', '1.0', null],
    ['demo-1rc1.tar', 'demo', '1rc1', null],
    ['demo-1.0.0-beta.2+x.tgz', 'demo', '1.0.0-beta.2+x', null],
    ['my_demo-1.0-1-py3-none-any.whl', 'my_demo', '1.0', 'py3-none-any'],
    ['my_demo-1.0_1-py3.11.egg', 'my_demo', '1.0_1', null],
    ['R-4.3.2.pkg', 'R', '4.3.2', null],
    // What follows the version and is no part of it makes another package, which nobody gets by the name of this one.
    ['lantern-1.2.0-docs.zip', 'lantern-docs', '1.2.0', null],
    ['lantern-1.2.0-cuda12-linux-x64.zip', 'lantern-cuda12', '1.2.0', 'linux-x64'],
  ])('%s is %s %s %s', (...[path, name, version, platform]) => {
    expect(readPath(path)).toEqual({ name, version, platform });
  });

  it.each([
    'demo.tar.gz',
    'demo-latest.tar.gz',
    'v1.2.0/demo-latest.tar.gz',
    '-1.0.tar.gz',
    '1.0.tar.gz',
    'release-1.4.5.tar.gz',
    'demo-1.0.txt',
    'demo-1.0.txt.gz',
    'demo.whl',
    'demo-py3-none-any.whl',
    'dé-1.0.tar.gz',
    'x264.tar.gz',
    'sha256.zip',
    'base64.tar.gz',
    'python3.12',
  ])('%s has no version or no plain name', (path) => {
    expect(splitFileName(path)).toBeNull();
  });

  it.each([
    '2024/demo.tar.gz',
    'v1/demo.zip',
    'ubuntu/22.04/demo_amd64.deb',
    'python/3.12/demo.tar.gz',
    'lantern-1.2.0/demo.zip',
    'debian-12.5/demo.zip',
  ])('%s lies in a folder that is called after the version of something else', (path) => {
    expect(splitFileName(path)).toBeNull();
  });

  it('never throws, and has names as a database takes them', () => {
    const word = fc.constantFrom(
      ...[
        'demo',
        'linux',
        'amd64',
        'x86_64',
        'v1.2',
        '3',
        'rc1',
        'py3',
        'none',
        'any',
        'archive',
        '2024-01-02',
        'é',
      ],
      ...[
        '-',
        '_',
        '.',
        ' ',
        '/',
        '.tar',
        '.gz',
        '.deb',
        '.rpm',
        '.whl',
        '.jar',
        '.nupkg',
        '.exe',
        '@',
        '%3a',
      ],
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string({ maxLength: 4 })), { maxLength: 14 }), (parts) => {
        const { name, version, platform } = readPath(parts.join(''));
        expect(name ?? 'x').toMatch(/^[!-~]+$/);
        expect(version ?? 'x').toMatch(/^[!-~]+$/);
        expect(platform ?? 'x').toMatch(/^[A-Za-z0-9._+-]{1,128}$/);
      }),
      { numRuns: 2000 },
    );
  });

  it.each(['-1', 'a-', '1.', 'a1.', '.linux', '1a', 'a_1-', 'x86_64-'])(
    'of 10,000 characters %j is no file of a database',
    (part) => {
      const long = part.repeat(10_000 / part.length);
      for (const path of [`${long}.tar.gz`, `${long}.x86_64.rpm`, `${long}/demo-1.0.zip`]) {
        expect(readPath(path)).toEqual({ name: null, version: null, platform: null });
      }
    },
  );
});

describe('agreement of metadata and file name', () => {
  it.each([
    ['My.Demo', '1.0', 'my_demo', '1.0'],
    ['my-demo', '1.0.0', 'My__Demo', '1'],
    ['demo', '1.0-1', 'demo', '1.0_1'],
    ['demo', '1.0.post1', 'demo', '1.0_1'],
    ['demo', '1.0+ubuntu.1', 'demo', '1.0+ubuntu_1'],
    ['demo', 'v1.0', 'demo', '1.0'],
    ['demo', '1.0-ALPHA-01', 'demo', '1.0a1'],
    ['@scope/name', '1.0.0', 'scope-name', '1.0.0'],
    ['@scope/name', '1.0.0', 'name', '1.0.0'],
    ['demo', 'release_7', 'demo', 'release_7'],
    ['demo-2', '1.0', 'demo', '2-1.0'],
  ])('%s %s agrees with %s-%s', (...[name, version, fileName, fileVersion]) => {
    expect(namesAgree({ name, version }, { name: fileName, version: fileVersion })).toBe(true);
  });

  it.each([
    ['demo', '1.0', 'demos', '1.0'],
    ['demo', '1.0', 'demo', '1.1'],
    ['demo', '1.0', 'demo', '1.0rc1'],
    ['demo', '1.0', 'demo', '1!1.0'],
    ['demo', '10', 'demo', '1'],
    ['@scope/name', '1.0', 'scope', '1.0'],
    ['@scope/name', '1.0', 'other-name', '1.0'],
    ['name', '1.0', 'scope-name', '1.0'],
    ['demo', '2004d', 'demo', '2004D'],
  ])('%s %s does not agree with %s-%s', (...[name, version, fileName, fileVersion]) => {
    expect(namesAgree({ name, version }, { name: fileName, version: fileVersion })).toBe(false);
  });

  it.each([
    ['libcgi-fast-perl', '1:2.15-1', 'deb', 'libcgi-fast-perl_2.15-1_all.deb'],
    ['libcgi-fast-perl', '1:2.15-1', 'deb', 'libcgi-fast-perl_1%3a2.15-1_all.deb'],
    ['bash', '5.2.26-1.fc39', 'rpm', 'bash-5.2.26-1.fc39.x86_64.rpm'],
    ['@types/node', '20.11.5', 'npm', 'types-node-20.11.5.tgz'],
    ['Newtonsoft.Json', '13.0.3', 'nupkg', 'newtonsoft.json.13.0.3.nupkg'],
    ['Serilog', '3.1.0', 'nupkg', 'Serilog.3.1.nupkg'],
    ['sqlite3', '2.8.1', 'gem', 'sqlite3-2.8.1-x86_64-linux-gnu.gem'],
    ['windows-sys', '0.52.0', 'crate', 'windows-sys-0.52.0.crate'],
    ['serde', '1.0.0+x.1', 'crate', 'serde-1.0.0+x.1.crate'],
    ['lantern', '1.2.0+build', 'helm', 'lantern-1.2.0+build.tgz'],
    ['numpy', '1.26.4', 'conda', 'numpy-1.26.4-py312h8753938_0.conda'],
    ['numpy', '1.26.4', 'conda', 'numpy-1.26.4-py312h8753938_0.tar.bz2'],
    ['redhat.java', '1.26.0', 'vsix', 'java-1.26.0@linux-x64.vsix'],
    ['java', '1.26.0', 'vsix', 'java-linux-x64-1.26.0.vsix'],
    ['org.slf4j.api', '2.0.9', 'jar', 'slf4j-api-2.0.9.jar'],
    [
      'netty-transport-native-epoll',
      '4.1.51.Final',
      'jar',
      'netty-transport-native-epoll-4.1.51.Final-linux-x86_64.jar',
    ],
    ['linux', '6.6.8.arch1-1', 'pacman', 'linux-6.6.8.arch1-1-x86_64.pkg.tar.zst'],
    ['nginx', '1:1.24.0-1', 'pacman', 'nginx-1.24.0-1-x86_64.pkg.tar.zst'],
    ['busybox', '1.36.1-r15', 'alpine', 'busybox-1.36.1-r15.apk'],
  ] as const)('%s %s of a %s agrees with %s', (...[name, version, kind, path]) => {
    expect(namesAgree({ name, version, kind }, splitFileName(path)!)).toBe(true);
  });

  it('always holds between a file name and its own parts', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,30}$/), (text) => {
        const parts = splitFileName(`${text}.tar.gz`);
        return parts === null || namesAgree(parts, parts);
      }),
    );
  });

  it.each([
    ['demo-1.0.tar.gz', 'demo', '1.0', true],
    ['a-2-1.0.TGZ', 'a-2', '1.0', true],
    ['demo-1.0.1.tar.gz', 'demo', '1.0', false],
    ['demo-1.0.tar.gz', 'demo', '1.0.tar', false],
    ['demo-1.0', 'demo', '1.0', true],
    ['Demo-1.0.zip', 'demo', '1.0', false],
    ['demo-1.0.txt', 'demo', '1.0', false],
    ['demo-1.0.deb', 'demo', '1.0', true],
  ])('%s is called just as %s %s says: %s', (...[fileName, name, version, isSo]) => {
    expect(isNamedAfter(fileName, { name, version })).toBe(isSo);
  });

  const hasPackaging = hasTool('python3:pip._vendor.packaging');
  it.runIf(hasPackaging)('calls the same versions equal as the packaging module of Python', () => {
    const number = fc.constantFrom('', '0', '1', '01', '2');
    const separator = fc.constantFrom('', '', '.', '-', '_');
    const optional = (words: readonly string[]) =>
      fc.oneof(
        fc.constant(''),
        fc.tuple(separator, fc.constantFrom(...words), separator, number).map((all) => all.join('')),
      );
    const version = fc
      .tuple(
        fc.constantFrom('', '', 'v', '0!', '1!'),
        fc.constantFrom('1', '1.0', '1.0.0', '01.0', '1.0.1', '1.1'),
        optional(['a', 'alpha', 'b', 'BETA', 'rc', 'c', 'pre', 'preview']),
        fc.oneof(optional(['post', 'rev', 'r']), fc.constantFrom('-0', '-1')),
        optional(['dev', 'DEV']),
        fc.constantFrom('', '', '+a.1', '+A_01', '+a-1', '+1'),
      )
      .map((all) => all.join(''));
    const pairs = fc.sample(fc.tuple(version, version), { numRuns: 20_000, seed: 11 });
    const script = `
from pip._vendor.packaging.version import Version, InvalidVersion
import json, sys
def key(text):
    try: return Version(text)
    except InvalidVersion: return text
print(json.dumps([key(a) == key(b) for a, b in json.load(sys.stdin)]))`;
    const answers = JSON.parse(
      execFileSync('python3', ['-c', script], {
        input: JSON.stringify(pairs),
        encoding: 'utf8',
        maxBuffer: 1 << 26,
      }),
    ) as boolean[];
    for (const [at, [a, b]] of pairs.entries()) {
      // The `_` of a wheel's file name may also stand for `-`, which makes more of them equal.
      if (b.includes('_')) continue;
      expect(namesAgree({ name: 'demo', version: a }, { name: 'demo', version: b }), `${a} ${b}`).toBe(
        answers[at],
      );
    }
    expect(answers.filter(Boolean).length).toBeGreaterThan(50);
  });
});

import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isArchiveName, isNamedAfter, namesAgree, splitFileName } from '../../src/model/file-name.js';
import { hasTool } from '../tools.js';

describe('archive names', () => {
  it.each(
    '.tar.gz .tgz .tar.bz2 .tbz2 .tar.bz .tar.xz .txz .tar.zst .tar .tar.Z .taz .zip .whl .egg .TAR.GZ .Whl'.split(
      ' ',
    ),
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

describe('splitting a file name', () => {
  it.each([
    ['demo-1.0.tar.gz', 'demo', '1.0'],
    ['demo-1.0.TAR.GZ', 'demo', '1.0'],
    ['my-demo-v2.tgz', 'my-demo', 'v2'],
    ['demo-2-1.0.zip', 'demo', '2-1.0'],
    ['demo-3d-1.0.tar.xz', 'demo-3d', '1.0'],
    ['demo-1.0rc1.tar', 'demo', '1.0rc1'],
    ['demo-1rc1.tar', 'demo', '1rc1'],
    ['demo-1.0.0-beta.2+x.tgz', 'demo', '1.0.0-beta.2+x'],
    ['demo-2024.tar.Z', 'demo', '2024'],
    ['my_demo-1.0-py3-none-any.whl', 'my_demo', '1.0'],
    ['my_demo-1.0-1-py3-none-any.whl', 'my_demo', '1.0'],
    ['my_demo-1.0_1-py3.11.egg', 'my_demo', '1.0_1'],
  ])('%s is %s %s', (fileName, name, version) => {
    expect(splitFileName(fileName)).toEqual({ name, version });
  });

  it.each([
    'demo.tar.gz',
    'demo-latest.tar.gz',
    'demo-1x.tar.gz',
    '-1.0.tar.gz',
    '1.0.tar.gz',
    'demo-1.0.txt',
    'demo.whl',
    'demo-py3-none-any.whl',
    'dé-1.0.tar.gz',
    'a b-1.0.tar.gz',
  ])('%s has no version or no plain name', (fileName) => {
    expect(splitFileName(fileName)).toBeNull();
  });

  it('never throws', () => {
    expect(splitFileName(`${'-1'.repeat(120)}!.tar.gz`)).toMatchObject({ name: '-1' });
    fc.assert(
      fc.property(fc.string(), (text) => {
        splitFileName(`${text}.tar.gz`);
      }),
    );
  });
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
    ['demo-1.0', 'demo', '1.0', false],
    ['Demo-1.0.zip', 'demo', '1.0', false],
    ['demo-1.0-1.egg', 'demo', '1.0-1', false],
    ['demo-1.0.whl', 'demo', '1.0', false],
  ])('%s is called just as %s %s says: %s', (...[fileName, name, version, isSo]) => {
    expect(isNamedAfter(fileName, { name, version })).toBe(isSo);
  });

  it('holds for every file that is called exactly as in its metadata', () => {
    const part = fc.stringMatching(/^(?:[a-z0-9.+_-]|\.tar|\.gz){1,6}$/);
    const extension = fc.constantFrom(
      '.tar.gz',
      '.tar',
      '.tgz',
      '.zip',
      '.whl',
      '.egg',
      '.gz',
      '.tar.tar',
      '',
    );
    fc.assert(
      fc.property(part, part, extension, (...[name, version, end]) => {
        const fileName = `${name}-${version}${end}`;
        const parts = splitFileName(fileName);
        return (
          !isNamedAfter(fileName, { name, version }) || parts === null || namesAgree({ name, version }, parts)
        );
      }),
      { numRuns: 3000 },
    );
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

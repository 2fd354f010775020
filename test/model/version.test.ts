import { describe, expect, test } from 'vitest';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { compare as compareByLibrary } from '@renovatebot/pep440';
import semver from 'semver';
import {
  compareNatural,
  comparePython,
  compareSemver,
  isComparable,
  isFinalNatural,
  versionOrder,
} from '../../src/model/version.js';
import type { VersionOrder } from '../../src/model/version.js';
import { hasTool } from '../tools.js';

/** Each is earlier than all behind it. */
function expectAscending(versions: readonly string[], compare: VersionOrder): void {
  for (const [index, version] of versions.entries()) {
    expect(compare(version, version), version).toBe(0);
    for (const later of versions.slice(index + 1)) {
      expect(Math.sign(compare(version, later)), `${version} < ${later}`).toBe(-1);
      expect(Math.sign(compare(later, version)), `${later} > ${version}`).toBe(1);
    }
  }
}

describe('versions by PEP 440', () => {
  test('are in the order of its summary', () => {
    expectAscending(
      [
        ...[
          '1.dev0',
          '1.0.dev456',
          '1.0a1',
          '1.0a2.dev456',
          '1.0a12.dev456',
          '1.0a12',
          '1.0b1.dev456',
          '1.0b2',
        ],
        ...[
          '1.0b2.post345.dev456',
          '1.0b2.post345',
          '1.0rc1.dev456',
          '1.0rc1',
          '1.0',
          '1.0+abc.5',
          '1.0+abc.7',
        ],
        ...['1.0+5', '1.0.post456.dev34', '1.0.post456', '1.0.15', '1.1.dev1', '1.9', '1.10', '1!0.1'],
      ],
      comparePython,
    );
  });

  test.each([
    ['1.0', '1'],
    ['1.0.0', '1'],
    ['v1.0', '1.0'],
    ['1.0-alpha.1', '1.0a1'],
    ['1.0c1', '1.0rc1'],
    ['1.0-1', '1.0.post1'],
    ['1.0+ubuntu-1', '1.0+ubuntu.1'],
    ['01.02', '1.2'],
    ['0.0', '0'],
  ])('%s is %s', (a, b) => {
    expect(comparePython(a, b)).toBe(0);
  });

  test('numbers count beyond 2^53', () => {
    expectAscending(['1.9007199254740992', '1.9007199254740993', '1.90071992547409930'], comparePython);
  });

  test('text that is not a version comes first', () => {
    expectAscending(['latest', 'unknown', '0.1.dev1'], comparePython);
  });
});

describe('versions by semver', () => {
  test('are in the order of its section 11', () => {
    expectAscending(
      [
        ...[
          '1.0.0-1',
          '1.0.0-2',
          '1.0.0-11',
          '1.0.0-alpha',
          '1.0.0-alpha.1',
          '1.0.0-alpha.beta',
          '1.0.0-beta',
        ],
        ...['1.0.0-beta.2', '1.0.0-beta.11', '1.0.0-rc.1', '1.0.0', '1.0.1', '1.9.0', '1.10.0'],
      ],
      compareSemver,
    );
  });

  test('decides for npm packages, or if one of the versions does not conform to PEP 440', () => {
    // By PEP 440 1.0.0-1 is a post-release, by semver it comes before 1.0.0.
    expect(versionOrder(['1.0.0', '1.0.0-1'], { isNpm: true })('1.0.0-1', '1.0.0')).toBeLessThan(0);
    expect(versionOrder(['1.0.0', '1.0.0-1'], { isNpm: false })('1.0.0-1', '1.0.0')).toBeGreaterThan(0);
    expect(versionOrder(['1.0.0', '1.0.0-1-x'], { isNpm: false })('1.0.0-1-x', '1.0.0')).toBeLessThan(0);
    expect(versionOrder(['1.0', '1.0.0-1'], { isNpm: true })('1.0', '1.0.0-1')).toBeLessThan(0);
  });
});

/** Kind → package → some of its versions, as the package indexes and the projects have them. */
const LISTS = JSON.parse(readFileSync(new URL('versions.json', import.meta.url), 'utf8')) as Readonly<
  Record<'pypi' | 'npm' | 'natural', Readonly<Record<string, readonly string[]>>>
>;

function pairsOf(kind: keyof typeof LISTS): (readonly [string, string])[] {
  return Object.values(LISTS[kind]).flatMap((list) =>
    list.flatMap((version, at) => list.slice(at + 1).map((other) => [version, other] as const)),
  );
}

describe('versions that were published', () => {
  test('are in the order of the libraries of npm and of PEP 440', () => {
    const python = pairsOf('pypi').filter((pair) => pair.every((version) => semver.valid(version) ?? true));
    const differing = [
      ...pairsOf('npm').filter(([a, b]) => Math.sign(compareSemver(a, b)) !== semver.compare(a, b)),
      ...python
        // Texts of pytz that are no versions.
        .filter((pair) =>
          pair.every((version) => !/^\d{4}[a-z](?!\d)/.test(version) && !version.startsWith('2004b')),
        )
        .filter(([a, b]) => Math.sign(comparePython(a, b)) !== Math.sign(compareByLibrary(a, b))),
    ];
    expect(differing).toEqual([]);
    expect(pairsOf('npm').length + python.length).toBeGreaterThan(2000);
  });

  test.each(Object.entries(LISTS.natural))('of %s follow each other in the natural order', (_, list) => {
    expectAscending(list, compareNatural);
    expectAscending(list, versionOrder(list, { isNpm: false }));
  });

  test.runIf(hasTool('dpkg'))('are compared as dpkg does it, where no mark says pre-release', () => {
    const status = readFileSync('/var/lib/dpkg/status', 'utf8');
    const versions = Array.from(status.matchAll(/^Version: (\S+)$/gm), ([, version = '']) => version)
      .filter((version) => /^\d/.test(version) && isFinalNatural(version) && !/[A-Z_]|post/.test(version))
      .slice(0, 120);
    const pairs = versions.flatMap(
      (version, at) =>
        [
          [version, versions[(at * 7 + 3) % versions.length] ?? version],
          [version, version.replace(/\d(?=\D*$)/, '$&0')],
          [version, version.replace(/-[^-]*$/, '')],
          [version, `${version}~x`],
          [version, `${version}+x`],
        ] as [string, string][],
    );
    const script =
      'while read -r a b; do if dpkg --compare-versions "$a" lt "$b"; then echo -1; elif dpkg --compare-versions "$a" eq "$b"; then echo 0; else echo 1; fi; done';
    const input = pairs.map((pair) => `${pair.join(' ')}\n`).join('');
    const answers = execFileSync('bash', ['-c', script], { input, encoding: 'utf8' }).trimEnd().split('\n');
    const ours = pairs.map(([a, b]) => String(Math.sign(compareNatural(a, b))));
    expect(pairs.filter((_, at) => ours[at] !== answers[at])).toEqual([]);
    expect(pairs.length).toBeGreaterThan(100);
  });

  test.each([
    ['1.0rc1', '1.0'],
    ['1.0-SNAPSHOT', '1.0'],
    ['1.0.0.M2', '1.0.0.RC1'],
    ['1.0-beta_2', '1.0-1'],
    ['1.0', '1.0.post1'],
    ['1.0.post1', '1.0.1'],
    ['1.0+dfsg', '1.0.1'],
    ['v1.9', '1.10'],
    ['2:0.1', '3:0.0'],
  ])('%s precedes %s in the natural order', (a, b) => {
    expectAscending([a, b], compareNatural);
  });

  test.each(['latest', 'el7-3', 'FRP-6075', 'unknown', 'r3222'])('%s cannot be compared', (version) => {
    expect(isComparable(version)).toBe(false);
  });
});

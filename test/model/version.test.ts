import { describe, expect, test } from 'vitest';
import { comparePython, compareSemver, versionOrder } from '../../src/model/version.js';
import type { VersionOrder } from '../../src/model/version.js';

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
    expect(versionOrder(['1.0.0', '1.0.0-alpha.beta'], { isNpm: false })).toBe(compareSemver);
    expect(versionOrder(['1.0', '1.0.0-1'], { isNpm: true })).toBe(comparePython);
  });
});

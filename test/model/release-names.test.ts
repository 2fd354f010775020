import { describe, expect, test } from 'vitest';
import {
  COMPANION_ENDINGS,
  RELEASE_ENDINGS,
  isCompanion,
  isReleaseName,
} from '../../src/model/release-names.js';

describe('the names of files that people download', () => {
  const endings = Object.values(RELEASE_ENDINGS).flat();

  test('are these, whatever their case', () => {
    for (const [kind, list] of Object.entries(RELEASE_ENDINGS)) console.log(`${kind}: ${list.join(' ')}`);
    for (const ending of endings) {
      expect(isReleaseName(`lantern-1.0${ending}`), ending).toBe(true);
      expect(isReleaseName(`LANTERN${ending.toUpperCase()}`), ending).toBe(true);
    }
    expect(new Set(endings).size).toBe(endings.length);
  });

  test.each([
    ...[
      'lantern',
      'README.md',
      'latest.yml',
      'gz',
      '.gz',
      '.tar.gz',
      'lantern.tar.gz.asc',
      'lantern-1.0.tgz.sig',
    ],
    ...['lantern.deb.sha256', 'lantern.gz2', 'debug', 'a.txt', 'lantern.zip.', 'lantern.zip ', 'SHA256SUMS'],
  ])('are not %j', (name) => {
    expect(isReleaseName(name)).toBe(false);
  });
});

describe('companions', () => {
  const isListed = (path: string) => ['a.tar.gz', 'sub/b'].includes(path);

  test.each(COMPANION_ENDINGS)('%s of a listed file, and of no other', (ending) => {
    expect(isCompanion(`a.tar.gz${ending}`, isListed)).toBe(true);
    expect(isCompanion(`sub/b${ending}`, isListed)).toBe(true);
    expect(isCompanion(`b${ending}`, isListed)).toBe(false);
    expect(isCompanion(`a.tar.gz${ending}.txt`, isListed)).toBe(false);
    expect(isCompanion(ending, isListed)).toBe(false);
  });

  test.each([
    ...['SHA1SUMS', 'SHA224SUMS', 'SHA256SUMS', 'SHA384SUMS', 'SHA512SUMS', 'MD5SUMS', 'CHECKSUMS'],
    ...['checksums.txt', 'lantern_1.0_checksums.txt', 'v1/SHA256SUMS', 'SHA256SUMS.asc', 'SHA256SUMS.sig'],
    ...['checksums.txt.gpg', 'lantern_1.0_checksums.txt.asc'],
  ])('%s, a list of checksums or its signature', (path) => {
    expect(isCompanion(path, () => false)).toBe(true);
  });

  test.each([
    ...[
      'sha256sums',
      'SHA256SUMS.txt',
      'my-checksums.txt',
      'SHA256SUMS.asc.asc',
      'XSHA256SUMS',
      'SHA256SUMS/a',
    ],
    ...['CHECKSUMS.md', 'checksums.txt.sha256'],
  ])('not %s', (path) => {
    expect(isCompanion(path, () => false)).toBe(false);
  });
});

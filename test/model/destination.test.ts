import { describe, expect, test } from 'vitest';
import { PacksignError } from '../../src/errors.js';
import { parseDestination } from '../../src/model/destination.js';

const refusal = (text: string): string => {
  try {
    parseDestination(text);
  } catch (error) {
    if (error instanceof PacksignError && error.code === 'USAGE') return error.message;
    throw error;
  }
  return '';
};

describe('a destination', () => {
  test.each(['/mnt/www', 'www', './a:b', '/srv/a:b', 'C:\\www', 'C:/www', ':odd', 'a/b:c'])(
    'is the folder %s',
    (path) => {
      expect(parseDestination(path)).toEqual({ kind: 'folder', path });
    },
  );

  test.each([
    ['www.example.org:/srv/dist', 'www.example.org', '/srv/dist'],
    ['ann@host:dist', 'ann@host', 'dist'],
    ['host:', 'host', ''],
    ['ann@[2001:db8::1]:/srv', 'ann@[2001:db8::1]', '/srv'],
    ['host:a:b', 'host', 'a:b'],
  ])('is a host behind ssh: %s', (target, host, path) => {
    expect(parseDestination(target)).toEqual({ kind: 'rsync', host, path, target });
  });

  test.each([
    ['rsync://host/module', 'module'],
    ['rsync://ann@host:8730/module/a/b', 'module/a/b'],
    ['host::module/a', 'module/a'],
  ])('is an rsync daemon: %s', (target, path) => {
    expect(parseDestination(target)).toEqual({ kind: 'rsync', host: null, path, target });
  });

  test.each([
    ['s3://bucket', ''],
    ['s3://bucket/', ''],
    ['s3://bucket/dist', 'dist/'],
    ['S3://bucket/a/b c/', 'a/b c/'],
  ])('is a bucket: %s', (text, prefix) => {
    expect(parseDestination(text)).toEqual({ kind: 'bucket', bucket: 'bucket', prefix });
  });

  test.each([
    ['-oProxyCommand=x:y', /begins with a dash/],
    ['', /is not a destination/],
    ['a\u0000b', /is not a destination/],
    ['rsync://host/', /names no module/],
    ['s3:///key', /names no bucket/],
    ['s3://bucket/../x', /is not a path/],
    ['s3://bucket/a//b', /is not a path/],
    ['https://github.com/ann/tool/releases', /has no folders/],
    ['ftp://example.org/dist', /cannot be written to through ftp:/],
  ])('is none of these: %s', (text, words) => {
    expect(refusal(text)).toMatch(words);
  });
});

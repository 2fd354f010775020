import { randomBytes } from 'node:crypto';
import { closeSync, openSync, truncateSync, writeSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { openDigests } from '../../src/workers/growing-digest.js';
import type { GrowingDigests } from '../../src/workers/growing-digest.js';
import { newPlace } from '../packsign.js';
import { sha256 } from '../threats/scene.js';

const BYTES = randomBytes(9_000_000);
let digests: GrowingDigests;

afterEach(() => digests.stop());

/** An open file with no bytes yet. */
function newFile(): { readonly path: string; readonly fd: number } {
  const path = newPlace().path('file');
  return { path, fd: openSync(path, 'wx+') };
}

describe.each([
  ['on this thread', 1000],
  ['on another thread', 100_000_000],
])('%s', (_, ofBytes) => {
  test('a digest is that of the bytes so far, in whatever steps they come', async () => {
    digests = openDigests(ofBytes);
    const files = [1_000_000, 4_500_000, BYTES.length].map((step) => ({ ...newFile(), step }));
    const ended = files.map(async ({ fd, step }) => {
      const digest = digests.open(fd);
      for (let at = 0; at < BYTES.length; at += step) {
        digest.grow(at + writeSync(fd, BYTES, at, Math.min(step, BYTES.length - at), at));
      }
      return await digest.end(BYTES.length);
    });
    expect(await Promise.all(ended)).toEqual(files.map(() => sha256(BYTES)));
    const [{ fd } = { fd: -1 }] = files;
    expect(await digests.open(fd).end(1000)).toBe(sha256(BYTES.subarray(0, 1000)));
    expect(await digests.open(fd).end(0)).toBe(sha256(Buffer.of()));
  });

  test('one that is given up does not count for the next', async () => {
    digests = openDigests(ofBytes);
    const { fd } = newFile();
    writeSync(fd, BYTES);
    const dropped = digests.open(fd);
    dropped.grow(BYTES.length);
    dropped.drop();
    writeSync(fd, 'other bytes', 0);
    const found = await digests.open(fd).end(11);
    expect(found).toBe(sha256(Buffer.from('other bytes')));
  });

  test('a file that became shorter has another digest, and one that cannot be read has none', async () => {
    digests = openDigests(ofBytes);
    const { path, fd } = newFile();
    writeSync(fd, BYTES);
    truncateSync(path, 1000);
    expect(await digests.open(fd).end(BYTES.length)).toBe(sha256(BYTES.subarray(0, 1000)));
    closeSync(fd);
    await expect(digests.open(fd).end(1000)).rejects.toThrow('EBADF');
  });
});

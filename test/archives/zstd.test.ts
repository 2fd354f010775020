import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { unzstd } from '../../src/archives/zstd.js';
import { hasTool } from '../tools.js';
import { program } from './samples.js';

const packed = (options: readonly string[], input: Buffer) =>
  execFileSync('zstd', ['-q', '-c', ...options], { input, maxBuffer: 1 << 28 });

async function unpack(bytes: Buffer, chunkBytes = 65_536): Promise<{ bytes: Buffer; fault: string | null }> {
  const pieces: Buffer[] = [];
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, at) =>
    bytes.subarray(at * chunkBytes, (at + 1) * chunkBytes),
  );
  try {
    for await (const piece of unzstd(chunks)) pieces.push(piece);
    return { bytes: Buffer.concat(pieces), fault: null };
  } catch (error) {
    if (!(error instanceof Error) || typeof error.cause !== 'string') throw error;
    return { bytes: Buffer.concat(pieces), fault: `${error.cause}: ${error.message}` };
  }
}

const SKIPPABLE = Buffer.from('502a4d1803000000616161', 'hex');

describe.runIf(hasTool('zstd'))('zstd', () => {
  const original = program();

  it.each(
    [['-1'], ['-19'], ['--ultra', '-22'], ['--long=27'], ['--no-check'], ['--no-content-size']].map(
      (options) => [options],
    ),
  )('unpacks what zstd packs with %j', async (options) => {
    const bytes = packed(options, original);
    for (const chunkBytes of [65_536, 977, 200_000]) {
      const tried = await unpack(bytes, chunkBytes);
      expect(tried.fault).toBeNull();
      expect(tried.bytes.equals(original)).toBe(true);
    }
  });

  it('unpacks several frames, also empty ones and such as are to be skipped', async () => {
    const empty = packed([], Buffer.alloc(0));
    expect(await unpack(empty)).toEqual({ bytes: Buffer.alloc(0), fault: null });
    const frames = [SKIPPABLE, packed([], original), empty, SKIPPABLE, packed(['-9'], original), SKIPPABLE];
    const tried = await unpack(Buffer.concat(frames));
    expect(tried.fault).toBeNull();
    expect(tried.bytes.equals(Buffer.concat([original, original]))).toBe(true);
  });

  it('refuses every cut, wrong bytes under a checksum, and whatever follows the end', async () => {
    const bytes = packed([], original);
    for (let turn = 0; turn < 50; turn += 1) {
      const at = Math.floor((bytes.length * turn) / 50);
      expect((await unpack(bytes.subarray(0, at))).fault).toMatch(/^damaged: ends early/);
      const spoilt = Buffer.from(bytes);
      spoilt[at] = (spoilt[at] ?? 0) ^ (1 << (turn % 8));
      const tried = await unpack(spoilt);
      if (tried.fault === null) expect(tried.bytes.equals(original)).toBe(true);
    }
    for (const behind of ['x', '\0', '\x28\xb5', 'a longer text behind the end']) {
      const { fault } = await unpack(Buffer.concat([bytes, Buffer.from(behind, 'latin1')]));
      expect(fault).toMatch(/^damaged/);
    }
  });

  it('reaches 100 MiB back, and does not look into larger windows', async () => {
    const start = Buffer.from(original.subarray(0, 100_000));
    const far = Buffer.concat([start, Buffer.alloc(100 * 1024 * 1024), start]);
    const tried = await unpack(packed(['--long=27'], far));
    expect(tried.fault).toBeNull();
    expect(tried.bytes.equals(far)).toBe(true);
    const larger = packed(['--long=28', '--no-content-size'], far);
    expect((await unpack(larger)).fault).toBe('unseen: needs more than 128 MiB of memory to unpack');
  });
});

import { closeSync, fstatSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readerOf } from '../../src/disk/files.js';
import { look, lookAtHead } from '../../src/archives/look.js';
import type { Inspect } from '../../src/model/inspection.js';

const HEAD_BYTES = 256 * 1024;

/** What both roads say of a file with that name: `sound`, or what is wrong. They must agree. */
export async function inspect(name: string, bytes: Buffer | string, how: Inspect = 'whole'): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'packsign-look-'));
  const path = join(folder, 'file');
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const options = { metadata: true, inspect: how };
    const whole = size <= HEAD_BYTES;
    const seen = await look(name, { read: readerOf(fd), size }, options);
    const early = lookAtHead(name, Buffer.from(bytes).subarray(0, HEAD_BYTES), { ...options, whole });
    if (early !== null) expect(early).toEqual(seen);
    const { inspection } = seen;
    return inspection.kind === 'sound' ? 'sound' : `${inspection.kind}: ${inspection.reason}`;
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
}

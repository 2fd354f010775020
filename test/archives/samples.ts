import { readFileSync } from 'node:fs';

/** Machine code and text of some 800 kB, the same for all tests of a run. */
export function program(): Buffer {
  const bytes = readFileSync(process.execPath).subarray(9_000_000, 9_600_000);
  const text = readFileSync('package-lock.json').subarray(0, 200_000);
  return Buffer.concat([bytes, text]);
}

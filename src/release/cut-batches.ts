import { createHash } from 'node:crypto';
import type { AskedObject } from '../format/object-batch.js';

const MOST_OBJECTS = 64;
/** A batch of one object may have more. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Of 256 objects, so many end a batch: 32 to a batch on average. */
const ENDS = 8;

/**
 * Cuts objects, in the order of their paths, into batches that have few of them and few bytes. Where one ends depends on a
 * path: if others come or go, most batches stay as they are, and what has been done of them counts.
 */
export function cutBatches<T extends AskedObject>(objects: readonly T[]): readonly (readonly T[])[] {
  const batches: T[][] = [];
  let batch: T[] = [];
  let bytes = 0;
  for (const object of objects) {
    if (batch.length > 0 && bytes + object.size > MOST_BYTES) [batch, bytes] = [[], 0];
    if (batch.length === 0) batches.push(batch);
    batch.push(object);
    bytes += object.size;
    if (batch.length === MOST_OBJECTS || isEnd(object)) [batch, bytes] = [[], 0];
  }
  return batches;
}

function isEnd({ path }: AskedObject): boolean {
  return (createHash('sha256').update(path).digest()[0] ?? 0) < ENDS;
}

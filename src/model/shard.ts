import { createHash } from 'node:crypto';

/** One of several shares of the objects of a bucket, each for another machine: number `index` of `count`, from 1 on. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** Reads `2/4`; null if it is no such share. */
export function parseShard(text: string): Shard | null {
  const [, first = '', second = ''] = /^([1-9]\d{0,5})\/([1-9]\d{0,5})$/.exec(text) ?? [];
  const [index, count] = [Number(first), Number(second)];
  return first !== '' && index <= count ? { index, count } : null;
}

export function formatShard({ index, count }: Shard): string {
  return `${index}/${count}`;
}

/** Whether an object is in a share: its path alone says so, whatever else is in the bucket. */
export function isInShard(path: string, { index, count }: Shard): boolean {
  const number = createHash('sha256').update(path).digest().readUIntBE(0, 6);
  return number % count === index - 1;
}

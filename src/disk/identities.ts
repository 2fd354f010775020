import { lstatSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';

/** Identifies a version of a file: equal identities mean that nobody touched it. Times in nanoseconds. */
export interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
  readonly size: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

/** Many identities in one piece of memory, five numbers for each: cheap to keep, to compare and to share with threads. */
export interface FileIdentities {
  readonly numbers: BigInt64Array;
  /** The same memory. Comparing these halves of numbers makes no objects. */
  readonly words: Int32Array;
}

const FIELDS = 5;
const WORDS = FIELDS * 2;

/** How many bytes so many identities take. */
export function identitiesBytes(count: number): number {
  return count * FIELDS * BigInt64Array.BYTES_PER_ELEMENT;
}

export function identitiesIn(memory: ArrayBufferLike): FileIdentities {
  return { numbers: new BigInt64Array(memory), words: new Int32Array(memory) };
}

export function writeIdentity(into: FileIdentities, index: number, identity: FileIdentity): void {
  if (identity instanceof Placed) {
    copyWords(into, index, identity);
    return;
  }
  const at = index * FIELDS;
  const { numbers } = into;
  numbers[at] = identity.device;
  numbers[at + 1] = identity.inode;
  numbers[at + 2] = identity.size;
  numbers[at + 3] = identity.modified;
  numbers[at + 4] = identity.changed;
}

function copyWords(into: FileIdentities, index: number, { of, index: from }: Placed): void {
  for (let word = 0; word < WORDS; word += 1) {
    into.words[index * WORDS + word] = of.words[from * WORDS + word] ?? 0;
  }
}

/** One of many identities, valid until it is overwritten. */
export function identityAt(identities: FileIdentities, index: number): FileIdentity {
  return new Placed(identities, index);
}

/** The size in one of many identities, without making an object. */
export function sizeAt({ numbers }: FileIdentities, index: number): number {
  return Number(numbers[index * FIELDS + 2]);
}

/** Makes objects of its numbers only on demand. */
class Placed implements FileIdentity {
  readonly of: FileIdentities;
  readonly index: number;

  constructor(of: FileIdentities, index: number) {
    this.of = of;
    this.index = index;
  }

  get device(): bigint {
    return this.of.numbers[this.index * FIELDS] ?? 0n;
  }

  get inode(): bigint {
    return this.of.numbers[this.index * FIELDS + 1] ?? 0n;
  }

  get size(): bigint {
    return this.of.numbers[this.index * FIELDS + 2] ?? 0n;
  }

  get modified(): bigint {
    return this.of.numbers[this.index * FIELDS + 3] ?? 0n;
  }

  get changed(): bigint {
    return this.of.numbers[this.index * FIELDS + 4] ?? 0n;
  }
}

export function identityOf(stats: BigIntStats): FileIdentity {
  return {
    device: stats.dev,
    inode: stats.ino,
    size: stats.size,
    modified: stats.mtimeNs,
    changed: stats.ctimeNs,
  };
}

/** The identity of the file that a path leads to; null if there is none, or it cannot be read. */
export function identityBehind(path: string): FileIdentity | null {
  return identityAtPath(path, statSync);
}

/** The identity of what is at a path, be it a link; null if there is nothing, or it cannot be read. */
export function identityAtPath(path: string, look: typeof statSync = lstatSync): FileIdentity | null {
  try {
    return identityOf(look(path, { bigint: true }));
  } catch {
    return null;
  }
}

export function isSameIdentity(a: FileIdentity, b: FileIdentity): boolean {
  if (a === b) return true;
  if (a instanceof Placed) return isIdentityAt(a.of, a.index, b);
  return (
    a.device === b.device &&
    a.inode === b.inode &&
    a.size === b.size &&
    a.modified === b.modified &&
    a.changed === b.changed
  );
}

/** Whether one of many identities equals this one. */
export function isIdentityAt(identities: FileIdentities, index: number, identity: FileIdentity): boolean {
  if (!(identity instanceof Placed)) return isSameIdentity(identity, identityAt(identities, index));
  const { words } = identities;
  const other = identity.of.words;
  const ahead = (identity.index - index) * WORDS;
  for (let at = index * WORDS; at < (index + 1) * WORDS; at += 1) {
    if (words[at] !== other[at + ahead]) return false;
  }
  return true;
}

/** A text that is different for each identity. */
export function nameIdentity({ device, inode, size, modified, changed }: FileIdentity): string {
  return [device, inode, size, modified, changed].join(':');
}

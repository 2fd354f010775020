import type { Identity } from './scan.js';

/** Identities of files as numbers, five of each: how many of them are kept, or handed to threads, at little cost. */
export type Identities = BigInt64Array;

const FIELDS = 5;

/** Bytes that so many identities take. */
export function identitiesBytes(count: number): number {
  return count * FIELDS * BigInt64Array.BYTES_PER_ELEMENT;
}

export function writeIdentity(numbers: Identities, index: number, identity: Identity): void {
  const at = index * FIELDS;
  numbers[at] = identity.device;
  numbers[at + 1] = identity.inode;
  numbers[at + 2] = identity.size;
  numbers[at + 3] = identity.modified;
  numbers[at + 4] = identity.changed;
}

export function identityAt(numbers: Identities, index: number): Identity {
  const at = index * FIELDS;
  return {
    device: numbers[at] ?? 0n,
    inode: numbers[at + 1] ?? 0n,
    size: numbers[at + 2] ?? 0n,
    modified: numbers[at + 3] ?? 0n,
    changed: numbers[at + 4] ?? 0n,
  };
}

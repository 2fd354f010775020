import type { MetadataReading } from './metadata.js';

/**
 * The version of our readers, to be counted up when they find something else in the same file, or when the search for
 * secrets finds more: what another version found is not believed.
 */
export const READERS = 2;

/** How far files are looked through for damage: not, only their beginnings and ends, or to their last byte. */
export type Inspect = 'none' | 'ends' | 'whole';

/** What looking through a file found (docs/FORMAT.md §5, threat T39). */
export type Inspection =
  /** Nothing wrong, as far as its format lets us see. */
  | { readonly kind: 'sound'; readonly inspect: Inspect }
  /** The reason is for a person: `ends early: the gzip data is cut off`. */
  | { readonly kind: 'damaged'; readonly reason: string }
  /** Looking through it would take more than the limits allow. */
  | { readonly kind: 'unseen'; readonly reason: string };

export const NOT_INSPECTED: Inspection = { kind: 'sound', inspect: 'none' };

/** What a file's contents say. */
export interface Look {
  readonly reading: MetadataReading;
  readonly inspection: Inspection;
}

export const NOT_READ: MetadataReading = { kind: 'absent', reason: 'not looked into' };
/** Of an object whose hash the store has told: nobody read it. */
const NOT_FETCHED = 'only its hash is known';
export const HASH_ALONE: Look = {
  reading: { kind: 'absent', reason: NOT_FETCHED },
  inspection: { kind: 'unseen', reason: NOT_FETCHED },
};

/** Whether nothing but the hash of a file is known. */
export function isHashAlone({ inspection }: Pick<Look, 'inspection'>): boolean {
  return inspection.kind === 'unseen' && inspection.reason === NOT_FETCHED;
}

export const NO_LOOK: Look = { reading: NOT_READ, inspection: NOT_INSPECTED };

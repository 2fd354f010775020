import { lstatSync } from 'node:fs';
import { identitiesBytes, identitiesIn, identityAt, identityOf, writeIdentity } from '../disk/identities.js';
import type { FileIdentities, FileIdentity } from '../disk/identities.js';

/**
 * Asks for the status of many files. The answer has the identity of each, or null if it is not known; ask for that one
 * file to find out why.
 */
export type StatFiles = (
  directory: string,
  paths: readonly string[],
) => (index: number) => FileIdentity | null;

/** The files of one status table. */
export interface StatTable {
  readonly directory: string;
  readonly paths: readonly string[];
  readonly identities: FileIdentities;
}

/** A size that no file has. */
const UNKNOWN = -1n;

/** Asks for one file after the other, on this thread. */
export const statFiles: StatFiles = (directory, paths) => {
  const identities = identitiesIn(new ArrayBuffer(identitiesBytes(paths.length)));
  const table = { directory, paths, identities };
  statRange(table, 0, paths.length);
  return (index) => knownIdentity(table, index);
};

/** Fills in the files from `start` to before `end`. */
export function statRange({ directory, paths, identities }: StatTable, start: number, end: number): void {
  for (let index = start; index < end; index += 1) {
    writeIdentity(identities, index, statOf(`${directory}/${paths[index] ?? ''}`));
  }
}

/** Null if the file could not be looked at. */
export function knownIdentity({ identities }: StatTable, index: number): FileIdentity | null {
  const identity = identityAt(identities, index);
  return identity.size === UNKNOWN ? null : identity;
}

function statOf(path: string): FileIdentity {
  try {
    return identityOf(lstatSync(path, { bigint: true }));
  } catch {
    return { device: 0n, inode: 0n, size: UNKNOWN, modified: 0n, changed: 0n };
  }
}

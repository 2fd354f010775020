import { getFips } from 'node:crypto';
import type { DigestOptions } from './digest.js';
import type { HashTask } from './hash-tasks.js';
import { LANES } from './lanes.js';
import { inPieces } from '../model/lists.js';
import type { ScannedFile } from '../places/scan.js';

/** What a file needs besides SHA-256. */
export type Needs = Pick<DigestOptions, 'md5' | 'metadata'>;

export interface PlanOptions extends Needs {
  readonly threads: number;
  /** What each file needs of these; all of them if not given. */
  readonly needs?: (path: string) => Needs;
}

/** While this thread hashes eight smaller files, a signal waits 0.1 s. Leave larger ones to the others. */
const LARGE_BYTES = 8 * 1024 * 1024;
/** Below this size, opening a file costs more than its MD5. */
const TOGETHER_BYTES = 64 * 1024;
/** Below this many bytes, preparing the lanes costs more than they save. */
const WORTH_TOGETHER_BYTES = 64 * 1024 * 1024;
/** How many short files make a task: few enough that all threads finish at about the same time. */
const SHORT_FILES = 64;
/** Roughly how many nanoseconds a byte costs in SHA-256, in MD5 alone, and in a lane, which all others wait for. */
const SHA256_COST = 0.57;
const MD5_COST = 1.3;
const LANE_COST = 2.05;

export function isLarge({ identity }: ScannedFile): boolean {
  return identity.size >= LARGE_BYTES;
}

interface Numbered {
  readonly index: number;
  readonly bytes: number;
}

/** Files with the same needs. */
interface Alike {
  readonly needs: Needs;
  readonly long: Numbered[];
  readonly short: number[];
}

/**
 * Puts long tasks first, so that no thread is left alone with one at the end. With MD5, groups files of similar size to
 * read them together.
 */
export function planTasks(files: readonly ScannedFile[], options: PlanOptions): readonly HashTask[] {
  const kinds = sortByNeeds(files, options);
  const long = kinds.flatMap((alike) =>
    groupsOf(alike, options.threads).map((group) => ({ group, needs: alike.needs, bytes: totalOf(group) })),
  );
  long.sort((a, b) => b.bytes - a.bytes);
  return [
    ...long.map(({ group, needs }) => ({
      ...needs,
      files: group.map(({ index }) => index),
      isTogether: group.length > 1,
    })),
    ...kinds.flatMap(({ needs, short }) =>
      inPieces(short, SHORT_FILES).map((piece) => ({ ...needs, files: piece, isTogether: false })),
    ),
  ];
}

const ALL: Needs = { md5: true, metadata: true };

function sortByNeeds(
  files: readonly ScannedFile[],
  { md5, metadata, needs = () => ALL }: PlanOptions,
): readonly Alike[] {
  const kinds = [true, false].flatMap((wantsMd5) =>
    [true, false].map((wantsMetadata): Alike => ({
      needs: { md5: wantsMd5, metadata: wantsMetadata },
      long: [],
      short: [],
    })),
  );
  for (const [index, { path, identity }] of files.entries()) {
    const own = needs(path);
    const kind = (md5 && own.md5 ? 0 : 2) + (metadata && own.metadata ? 0 : 1);
    const bytes = Number(identity.size);
    if (bytes < TOGETHER_BYTES) kinds[kind]?.short.push(index);
    else kinds[kind]?.long.push({ index, bytes });
  }
  return kinds;
}

/** The files that are read together. */
function groupsOf({ needs, long }: Alike, threads: number): readonly (readonly Numbered[])[] {
  // If only approved algorithms are allowed, leave MD5 to OpenSSL, which refuses it.
  const isWorthIt = needs.md5 && totalOf(long) >= WORTH_TOGETHER_BYTES && getFips() === 0;
  return isWorthIt
    ? groupAlike(
        long.toSorted((a, b) => b.bytes - a.bytes),
        threads,
      )
    : long.map((one) => [one]);
}

/** Divides files, longest first, into equally many groups for each thread; a much longer file stays alone. */
function groupAlike(files: readonly Numbered[], threads: number): readonly (readonly Numbered[])[] {
  const rounds = Math.ceil(files.length / LANES / threads);
  const most = Math.ceil(files.length / (rounds * threads));
  const share = costAlone(files) / threads;
  const groups: (readonly Numbered[])[] = [];
  for (let at = 0; at < files.length; at += groups.at(-1)?.length ?? 1) {
    const group = files.slice(at, at + most);
    const isBetter = costTogether(group) <= Math.min(costAlone(group), share);
    groups.push(isBetter ? group : group.slice(0, 1));
  }
  return groups;
}

function costAlone(files: readonly Numbered[]): number {
  return totalOf(files) * (SHA256_COST + MD5_COST);
}

/** For files with the longest first. */
function costTogether(files: readonly Numbered[]): number {
  return totalOf(files) * SHA256_COST + (files[0]?.bytes ?? 0) * LANE_COST;
}

function totalOf(files: readonly Numbered[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

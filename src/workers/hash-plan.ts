import { getFips } from 'node:crypto';
import type { DigestOptions } from './digest.js';
import type { HashTask } from './hash-tasks.js';
import { LANES } from './lanes.js';
import type { ScannedFile } from '../places/scan.js';

export interface PlanOptions extends Pick<DigestOptions, 'md5' | 'metadata' | 'inspect' | 'secrets'> {
  readonly threads: number;
  /** What a file needs of MD5 and metadata; both if not given. */
  readonly needs?: (path: string) => Needs;
}

export type Needs = Pick<DigestOptions, 'md5' | 'metadata'>;

/**
 * From this size on, reading a file twice at once, for each digest, pays off if threads are idle. Other threads hash these
 * files, so that this one still receives signals. (While it hashes eight smaller ones, a signal waits 0.1 s.)
 */
const LARGE_BYTES = 8 * 1024 * 1024;
/** Below this size, opening a file costs more than its MD5. */
const TOGETHER_BYTES = 64 * 1024;
/** Below this many bytes, preparing the lanes costs more than they save. */
const WORTH_TOGETHER_BYTES = 64 * 1024 * 1024;
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

/**
 * Puts long tasks first, so that no thread is left alone with one at the end. With MD5, groups files of similar size to
 * read them together.
 */
export function planTasks(files: readonly ScannedFile[], options: PlanOptions): readonly HashTask[] {
  const numbered = files.map(({ identity }, index) => ({ index, bytes: Number(identity.size) }));
  const long = numbered.filter(({ bytes }) => bytes >= TOGETHER_BYTES).sort((a, b) => b.bytes - a.bytes);
  const needsOf = ({ index }: Numbered) => options.needs?.(files[index]?.path ?? '') ?? ALL;
  const optionsFor = (one: Numbered) => narrowed(options, needsOf(one));
  const groups = new Map<string, Numbered[]>();
  for (const one of long) {
    const { md5, metadata } = needsOf(one);
    const key = JSON.stringify({ md5, metadata });
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  const tasks = Array.from(groups).flatMap(([key, group]) =>
    longTasks(group, narrowed(options, JSON.parse(key) as Needs)),
  );
  return [
    ...tasks.sort((a, b) => b.bytes - a.bytes).map(({ task }) => task),
    ...numbered.filter(({ bytes }) => bytes < TOGETHER_BYTES).map((one) => wholeTask([one], optionsFor(one))),
  ];
}

const ALL: Needs = { md5: true, metadata: true };

function narrowed(options: PlanOptions, { md5, metadata }: Needs): PlanOptions {
  return { ...options, md5: options.md5 && md5, metadata: options.metadata && metadata };
}

interface LongTask {
  readonly bytes: number;
  readonly task: HashTask;
}

/** For files with the longest first. */
function longTasks(files: readonly Numbered[], options: PlanOptions): readonly LongTask[] {
  const groups = isWorthTogether(files, options)
    ? groupAlike(files, options.threads)
    : files.map((one) => [one]);
  return splitLast(groups, options);
}

function isWorthTogether(files: readonly Numbered[], { md5 }: PlanOptions): boolean {
  // If only approved algorithms are allowed, leave MD5 to OpenSSL, which refuses it.
  return md5 && totalOf(files) >= WORTH_TOGETHER_BYTES && getFips() === 0;
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

/** Splits the last large files, which do not occupy all threads, into one reading for each digest. */
function splitLast(groups: readonly (readonly Numbered[])[], options: PlanOptions): readonly LongTask[] {
  const alone = groups.filter((group) => group.length === 1 && totalOf(group) >= LARGE_BYTES);
  const split = new Set(options.md5 ? alone.slice(alone.length - (alone.length % options.threads)) : []);
  return groups.flatMap((group) => {
    const bytes = totalOf(group);
    const whole = wholeTask(group, options);
    return split.has(group)
      ? [
          { bytes, task: { ...whole, sha256: false, metadata: false, inspect: 'none', secrets: false } },
          { bytes, task: { ...whole, md5: false } },
        ]
      : [{ bytes, task: whole }];
  });
}

function wholeTask(files: readonly Numbered[], { md5, metadata, inspect, secrets }: PlanOptions): HashTask {
  return { files: files.map(({ index }) => index), sha256: true, md5, metadata, inspect, secrets };
}

function totalOf(files: readonly Numbered[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

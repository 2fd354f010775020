import { isDeepStrictEqual } from 'node:util';
import { isSameIdentity } from '../disk/identities.js';
import { PacksignError } from '../errors.js';
import { isOwnPath } from '../model/layout.js';
import type { Objects } from '../places/objects.js';
import type { Scan } from '../places/scan.js';
import { makeBell } from './bell.js';
import { makeInterruption } from './interruption.js';
import { GLANCE_MS, besideOf } from './stability.js';
import type { DirectoryState, StabilityOptions } from './stability.js';

export interface BucketStatesOptions extends Pick<
  StabilityOptions,
  'globs' | 'isListed' | 'nowMs' | 'dueMs' | 'kept' | 'isRefused' | 'once'
> {
  readonly signal: AbortSignal;
  /** How often the bucket is listed. */
  readonly pollMs: number;
  /** Called when packsign's own files there are others than in the list before, or gone. */
  readonly onOwnChanged: () => void;
}

/** A store that does not answer is asked again after this time, if not earlier. */
const RETRY_MS = 60_000;

/**
 * Yields the files of a bucket once at the start, then whenever a list of it shows a change, when a cycle is due, and
 * when the settings or what is published in the directory changed. An object appears whole, so nothing has to settle.
 */
export async function* bucketStates(
  directory: string,
  objects: Objects,
  options: BucketStatesOptions,
): AsyncGenerator<DirectoryState, void, void> {
  const { nowMs, dueMs, pollMs, onOwnChanged, once, signal } = options;
  const bell = makeBell(signal);
  let own: string | null = null;
  let taken: { readonly scan: Scan; readonly beside: ReturnType<typeof besideOf> } | null = null;
  for (let round = 0; ; round += 1) {
    const isDue = nowMs() >= dueMs();
    const scan = await listed(objects, options, round === 0);
    let isAwake = () => false;
    if (scan instanceof PacksignError) {
      yield { kind: 'unreadable', error: scan };
      // The next list is worth a cycle, after which this trouble is over.
      taken = null;
    } else {
      const before: string | null = own;
      own = ownIn(objects);
      if (before !== null && before !== own) onOwnChanged();
      const look = () => besideOf(directory, scan, options);
      const seen = look();
      const changed = taken === null || !isSameScan(taken.scan, scan);
      if (changed || isDue || !isDeepStrictEqual(taken?.beside, seen)) {
        yield { kind: 'seen', scan, unstable: new Set(), longOpen: [], changed };
        // A cycle reads the settings at its start; everything else it may have written itself.
        taken = { scan, beside: { ...look(), settings: seen.settings } };
      }
      isAwake = () => nowMs() >= dueMs() || !isDeepStrictEqual(taken?.beside, look());
    }
    if (once) return;
    const restMs = scan instanceof PacksignError ? Math.min(pollMs, RETRY_MS) : pollMs;
    for (let leftMs = restMs; leftMs > 0 && !isAwake(); leftMs -= GLANCE_MS) {
      if ((await bell.wait(Math.min(leftMs, GLANCE_MS))) === 'stop') return;
    }
  }
}

/** The files of a new list, or of the one that is there; or why there is none. */
async function listed(
  objects: Objects,
  { globs, isListed, signal }: BucketStatesOptions,
  isListedNow: boolean,
): Promise<Scan | PacksignError> {
  const how = { globs: globs(), isListed };
  try {
    if (!isListedNow) await makeInterruption(signal).end(objects.listAgain(how));
    return objects.scan(how);
  } catch (error) {
    if (error instanceof PacksignError) return error;
    throw error;
  }
}

/** Names packsign's own files in a bucket, and their versions. */
function ownIn(objects: Objects): string {
  const own = Array.from(objects.listing()).filter(([path]) => isOwnPath(path));
  return JSON.stringify(own);
}

function isSameScan(a: Scan, b: Scan): boolean {
  const isSameFile = ({ path, identity }: Scan['files'][number], index: number) => {
    const other = b.files[index];
    return other?.path === path && isSameIdentity(identity, other.identity);
  };
  return a.files.length === b.files.length && a.files.every(isSameFile) && isDeepStrictEqual(a.rest, b.rest);
}

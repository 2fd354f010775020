import { nameIdentity } from '../disk/identities.js';
import type { Scan } from '../places/scan.js';
import type { FileStabilityOptions, Stable } from './file-stability.js';

/** The database and the keys of a directory. */
export interface Publication {
  /** Text that changes whenever one of them does. */
  readonly published: string;
  /** Whether both are there. */
  readonly isWhole: boolean;
}

export interface Removals {
  /** When to look again, while files are going away; null if none are. */
  readonly untilMs: (scan: Scan, publication: Publication, stable: Stable) => number | null;
  readonly taken: (publication: Publication) => void;
}

/** A removal counts after this many settle times even if it goes on. */
const PATIENCE = 10;

/**
 * A user who removes files may be about to remove all of them, or to write them again: a removal counts when nothing more
 * went away for a settle time. If the database went away too, the user is making the directory again. Then all of it must
 * be stable, or we would withdraw files that are about to come back.
 */
export function trackRemovals({
  settleMs,
  nowMs,
}: Pick<FileStabilityOptions, 'settleMs' | 'nowMs'>): Removals {
  let wasWhole = false;
  let known = '';
  let sinceMs = 0;
  let firstMs: number | null = null;
  return {
    untilMs: ({ files }, { isWhole, published }, { gone, appeared }) => {
      const isRemade = wasWhole && !isWhole;
      // A rename removes one name and adds another: that is no reason to wait.
      if (!isRemade && (gone.length === 0 || appeared)) return (firstMs = null);
      const now = nowMs();
      const seen = [
        published,
        ...(isRemade ? files.map(({ path, identity }) => `${path} ${nameIdentity(identity)}`) : gone),
      ].join('\n');
      if (firstMs === null || firstMs > now) firstMs = now;
      if (firstMs === now || seen !== known || sinceMs > now) sinceMs = now;
      known = seen;
      const untilMs = Math.min(sinceMs + settleMs, firstMs + PATIENCE * settleMs);
      return untilMs > now ? untilMs : null;
    },
    taken: ({ isWhole }) => {
      wasWhole ||= isWhole;
      firstMs = null;
    },
  };
}

import type { Warning } from './model/finding.js';
import { STATE_FOLDER } from './model/layout.js';
import type { TrustPlace } from './model/trust.js';
import { DIRECT_NETWORK } from './net/transport.js';
import type { NetworkOptions } from './net/transport.js';

/** What one run of packsign is handed from outside. Made at the edge, handed down as it is. */
export interface Run {
  /** *Now* as a database says it: the clock when the run began, or SOURCE_DATE_EPOCH. */
  readonly now: Date;
  /** The real clock: what the cache may believe, when a watch has to act. */
  readonly clock: () => Date;
  /** Ends what goes on until it is stopped. */
  readonly signal: AbortSignal;
  readonly network: NetworkOptions;
  /** What the user trusts. */
  readonly trust: TrustPlace;
  /** Folder of working state of the directory that is worked on: the lock, the cache. */
  readonly stateFolder: string;
  /** Where this machine notes what it published; null keeps no note. */
  readonly notesFolder: string | null;
  /** Hears now and then how much is done. */
  readonly progress: (done: number, of: number) => void;
  /** Hears what a person should know and no result holds. */
  readonly warn: (warning: Warning) => void;
}

/** A run of which only what matters is said: it trusts nothing, keeps no note, and tells nobody how far it is. */
export function makeRun(given: Partial<Run> & Pick<Run, 'clock'>): Run {
  return {
    now: given.clock(),
    signal: new AbortController().signal,
    network: DIRECT_NETWORK,
    trust: { kind: 'none' },
    stateFolder: STATE_FOLDER,
    notesFolder: null,
    progress: () => undefined,
    warn: () => undefined,
    ...given,
  };
}

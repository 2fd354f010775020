import type { Warning } from '../model/finding.js';

/** What came of looking after a trust page. */
export interface MendedPage {
  /** Whether it was missing, damaged or of another database, and is right now. */
  readonly written: boolean;
  /** Somebody may be writing it: to be looked at again in a moment. */
  readonly again: boolean;
  readonly warnings: readonly Warning[];
}

export const PAGE_AS_IT_WAS: MendedPage = { written: false, again: false, warnings: [] };

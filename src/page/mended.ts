import type { Warning } from '../model/finding.js';

/** The result of repairing a trust page. */
export interface MendedPage {
  /** Whether the page was missing, damaged or of another database, and is right now. */
  readonly written: boolean;
  /** Look again in a moment: somebody may be writing the page. */
  readonly again: boolean;
  readonly warnings: readonly Warning[];
}

export const PAGE_AS_IT_WAS: MendedPage = { written: false, again: false, warnings: [] };

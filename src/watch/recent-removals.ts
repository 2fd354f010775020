import { refuseMassRemoval } from '../model/absence.js';
import type { AbsenceRule } from '../model/absence.js';
import type { Database } from '../model/database.js';
import type { Update } from '../model/update.js';

/** What one publication changed in the list. */
interface Step {
  readonly atMs: number;
  readonly added: readonly string[];
  readonly withdrawn: readonly string[];
}

/** Counts what was withdrawn within an hour. */
export interface RecentRemovals {
  /** Starts with a database that was there before the watch. */
  readonly start: (published: Database) => void;
  /** Forgets what was withdrawn: a person has published since. */
  readonly forget: () => void;
  readonly published: (update: Update) => void;
  /** Throws MASS_REMOVAL. */
  readonly refuse: (update: Update, rule: AbsenceRule) => void;
}

const SPAN_MS = 60 * 60 * 1000;

/**
 * Many small removals must not empty a directory that no single one could: a database is held against the one of an hour
 * ago, or the first that the watch knows (docs/FORMAT.md §5, `Absent`). Remembers only what changed since.
 */
export function trackRecentRemovals(nowMs: () => number): RecentRemovals {
  let steps: readonly Step[] = [];
  const recent = () => steps.filter(({ atMs }) => nowMs() - atMs < SPAN_MS);
  return {
    forget: () => (steps = []),
    start: (published) => (steps = stepsIn(published, nowMs() - SPAN_MS)),
    published: ({ files: { added, withdrawn } }) => {
      if (added.length + withdrawn.length > 0)
        steps = [...recent(), { atMs: nowMs(), added: [...added], withdrawn: [...withdrawn] }];
    },
    refuse: ({ before, next, files: { withdrawn } }, rule) => {
      if (before === null || withdrawn.length === 0) return;
      const gone = new Set(withdrawn);
      let listed = before.Files.size;
      for (const step of recent().toReversed()) {
        for (const path of step.added) gone.delete(path);
        for (const path of step.withdrawn) if (!next.Files.has(path)) gone.add(path);
        listed += step.withdrawn.length - step.added.length;
      }
      refuseMassRemoval({ gone: Array.from(gone).sort(), listed, isEmpty: next.Files.size === 0 }, rule);
    },
  };
}

/**
 * What went since a time, as far as a database itself tells, so that a new watch knows it too. It does not tell what
 * came: the files that it lists are the least that later ones are held against.
 */
function stepsIn({ Files, Packsign: { History } }: Database, sinceMs: number): readonly Step[] {
  const steps: Step[] = [];
  for (const [path, records] of History ?? []) {
    const atMs = records.at(-1)?.Until.getTime() ?? 0;
    if (atMs > sinceMs && !Files.has(path)) steps.push({ atMs, added: [], withdrawn: [path] });
  }
  return steps.sort((a, b) => a.atMs - b.atMs);
}

import { join } from 'node:path';
import { statsOf } from '../disk/files.js';
import type { Uncovered } from '../model/coverage.js';
import type { Warning } from '../model/finding.js';
import type { BuiltCandidate } from '../release/candidate.js';
import type { Run } from '../run.js';
import { uncoveredNotice } from './notices.js';
import type { Notice } from './notices.js';

/** What a watch has said already, and need not say in every cycle. */
export interface Said {
  /** Warnings about files left out. */
  said: ReadonlySet<string>;
  /** What is not covered. */
  uncovered: readonly Uncovered[];
  /** The last warnings about the page and the checksums, as JSON. */
  saidOfFollowers: string;
}

/** Somebody may still be writing a file that changed less than this ago. */
export const EDITING_MS = 2000;

export function nothingSaid(): Said {
  return { said: new Set(), uncovered: [], saidOfFollowers: '[]' };
}

/** Each cycle finds the same again. */
export function onceEach(warn: Run['warn']): Run['warn'] {
  const said = new Set<string>();
  return (warning) => {
    const text = JSON.stringify(warning);
    if (!said.has(text)) warn(warning);
    said.add(text);
  };
}

/** The warnings about files left out that we have not given yet. */
export function unsaid({ database, needsApproval, warnings }: BuiltCandidate, memory: Said): Warning[] {
  const waiting = new Set(needsApproval.map(({ path }) => path));
  const left = warnings.filter(
    ({ code, path }) =>
      path !== null &&
      !database.Files.has(path) &&
      !waiting.has(path) &&
      // Somebody is writing it; the next cycle will know more.
      code !== 'CHANGED_WHILE_READ',
  );
  const keys = left.map((warning) => JSON.stringify(warning));
  const fresh = left.filter((_, index) => !memory.said.has(keys[index] ?? ''));
  memory.said = new Set(keys);
  return fresh;
}

/**
 * Says what is not covered as soon as it is new, and once everything is. False if a file is so young that somebody may still be writing it under
 * the name of an upload: then ask again soon.
 */
export function sayUncovered(
  { coverage: { uncovered } }: BuiltCandidate,
  { directory, memory, run }: { readonly directory: string; readonly memory: Said; readonly run: Run },
  news: Notice[],
): boolean {
  const said = new Set(memory.uncovered.map(({ path }) => path));
  // A time in the future, of another clock, says nothing about age.
  const isYoung = (path: string) =>
    Math.abs(run.now.getTime() - changedMs(join(directory, path))) < EDITING_MS;
  const told = uncovered.filter(({ path }) => said.has(path) || !isYoung(path));
  const fresh = told.filter(({ path }) => !said.has(path));
  const isNowCovered = told.length === 0 && said.size > 0;
  if (fresh.length > 0 || isNowCovered) news.push(uncoveredNotice(fresh, told.length));
  memory.uncovered = told;
  return told.length === uncovered.length;
}

/** When a file last changed; long ago if nobody can tell. */
function changedMs(path: string): number {
  return statsOf(path)?.ctimeMs ?? -Infinity;
}

/** Warns once about a page or checksums that we leave alone, not in every cycle. */
export function unsaidOfFollowers(warnings: readonly Warning[], memory: Said): readonly Warning[] {
  const said = memory.saidOfFollowers;
  memory.saidOfFollowers = JSON.stringify(warnings);
  return memory.saidOfFollowers === said ? [] : warnings;
}

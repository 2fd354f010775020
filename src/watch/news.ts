import { kindOfDamage } from './notices.js';
import type { Notice } from './notices.js';

/** A notice as a watch gives it. */
export interface News extends Omit<Notice, 'reasons' | 'total'> {
  /** How many files it is about in all; `paths` names those that are new since it was given last. */
  readonly total: number;
}

/** What a cycle found. */
export interface Found {
  readonly news: readonly Notice[];
  /** Files that somebody is writing. */
  readonly writing: ReadonlySet<string>;
  /** Whether it failed before it came to all of them. */
  readonly isCut: boolean;
}

/** A trouble, its files, and what each has. */
type Known = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Gives each trouble once, and again only for other files: it lasts over many cycles. */
export function makeTeller(): (found: Found) => readonly News[] {
  let known: Known = new Map();
  return ({ news, writing, isCut }) => {
    const before = known;
    const now = new Map<string, ReadonlyMap<string, string>>();
    const told = news.flatMap((notice) => {
      if (!isTrouble(notice)) return [newsOf(notice, notice.paths)];
      const key = keyOf(notice);
      const files = new Map(notice.paths.map((path) => [path, kindOfDamage(reasonFor(notice, path))]));
      const said = before.get(key);
      const fresh = notice.paths.filter((path) => said?.get(path) !== files.get(path));
      now.set(key, new Map([...(now.get(key) ?? []), ...files]));
      return said === undefined || fresh.length > 0 ? [newsOf(notice, fresh)] : [];
    });
    for (const [key, files] of before) {
      // An upload with several pauses is damaged in each. A cycle that failed says nothing of the other troubles.
      const kept = Array.from(files).filter(([path]) => isCut || writing.has(path));
      if (isCut || kept.length > 0) now.set(key, new Map([...kept, ...(now.get(key) ?? [])]));
    }
    known = now;
    return told;
  };
}

/** Whether files of the publication were written: a new database, or what somebody removed or damaged. */
export function isPublication({
  event,
  message,
}: {
  readonly event: string;
  readonly message: string | null;
}): boolean {
  return event === 'signed' || event === 'refreshed' || (event === 'unchanged' && message !== null);
}

export function isTrouble({ event }: { readonly event: string }): boolean {
  return event === 'held' || event === 'refused' || event === 'error';
}

function newsOf({ reasons, ...notice }: Notice, paths: readonly string[]): News {
  const message = reasons.size === 0 ? notice.message : messageOf(reasons, paths);
  return { ...notice, paths, message, total: notice.total ?? notice.paths.length };
}

const reasonFor = ({ reasons }: Notice, path: string) => reasons.get(path) ?? '';

/** How many files a message gives a reason for. */
const REASON_LIMIT = 5;

/** The reason of all; where they differ, that of each file. */
function messageOf(reasons: Notice['reasons'], paths: readonly string[]): string | null {
  const messages = new Set(paths.map((path) => reasons.get(path)));
  if (messages.size < 2) return Array.from(messages)[0] ?? null;
  const each = paths.slice(0, REASON_LIMIT).map((path) => `${path}: ${reasons.get(path) ?? ''}`);
  const more = paths.length - each.length;
  return [...each, ...(more > 0 ? [`… and ${more} more`] : [])].join('; ');
}

/** The same for the same trouble: without the times that its message may hold. */
function keyOf({ event, code, paths, message }: Notice): string {
  const text = paths.length > 0 ? null : (message ?? '').replace(TIMES, '');
  return JSON.stringify([event, code, text]);
}

const TIMES = /\d{4}-\d\d-\d\dT[\d:.]+Z|\d[\d.,]* *(?:ms|s|min|h|d|seconds?|minutes?|hours?|days?)\b/g;

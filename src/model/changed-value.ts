import { formatInstant } from './time.js';

export interface ChangedValue {
  /** A file path, the address or name of a package, or nothing for the database itself. */
  readonly of: string;
  readonly key: string;
  readonly before: string | null;
  readonly after: string | null;
}

export function changedKeys(of: string, before: object, after: object): ChangedValue[] {
  const [old, now] = [before as Record<string, unknown>, after as Record<string, unknown>];
  const keys = Object.keys(old);
  for (const key of Object.keys(now)) if (!(key in old)) keys.push(key);
  const changes: ChangedValue[] = [];
  for (const key of keys) {
    // Most values are the same: then no text of them is made.
    if (isSame(old[key], now[key])) continue;
    const pair = { before: show(old[key]), after: show(now[key]) };
    if (pair.before !== pair.after) changes.push({ of, key, ...pair });
  }
  return changes;
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || (a instanceof Date && b instanceof Date && a.getTime() === b.getTime());
}

/** A value in one text: of several parts as JSON. */
export function show(value: unknown): string | null {
  if (value === undefined) return null;
  if (value instanceof Date) return formatInstant(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

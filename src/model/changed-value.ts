import { formatInstant } from './time.js';

export interface ChangedValue {
  /** A file path, the address or name of a package, or nothing for the database itself. */
  readonly of: string;
  readonly key: string;
  readonly before: string | null;
  readonly after: string | null;
}

export function changedKeys(of: string, before: object, after: object): ChangedValue[] {
  const [old, now] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  const keys = new Set([...old.keys(), ...now.keys()]);
  return Array.from(keys).flatMap((key) => {
    const pair = { before: show(old.get(key)), after: show(now.get(key)) };
    return pair.before === pair.after ? [] : [{ of, key, ...pair }];
  });
}

/** A value in one text: of several parts as JSON. */
export function show(value: unknown): string | null {
  if (value === undefined) return null;
  if (value instanceof Date) return formatInstant(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

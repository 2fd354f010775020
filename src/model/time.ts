/** The tolerance between clocks everywhere (docs/FORMAT.md, start). */
export const SLACK_MS = 10 * 60 * 1000;

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** `2026-11-22T14:05:09Z`: UTC, whole seconds. */
export function formatInstant(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}

/** The date that `formatInstant` writes exactly like this, or null: no 30 February, no local time. */
export function parseInstant(text: string): Date | null {
  if (!INSTANT.test(text)) return null;
  const date = new Date(text);
  return Number.isNaN(date.getTime()) || formatInstant(date) !== text ? null : date;
}

/** The same instant without its fraction of a second. */
export function wholeSeconds(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000);
}

/** The tolerance between clocks everywhere (docs/FORMAT.md, start). */
export const SLACK_MS = 10 * 60 * 1000;

/** The dates that a document can hold: the years 1970 to 9999, whose text has one length everywhere. */
const LATEST_MS = Date.UTC(9999, 11, 31, 23, 59, 59);

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** `2026-11-22T14:05:09Z`: UTC, whole seconds. */
export function formatInstant(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}

/** The same for milliseconds from elsewhere; the latest date that there is for all beyond it. */
export function formatTime(ms: number): string {
  return formatInstant(new Date(Math.min(ms, LATEST_MS)));
}

/** Whether a document can hold a date: of whole seconds, in the years 1970 to 9999 (docs/FORMAT.md §2). */
export function isInstant(date: Date): boolean {
  const time = date.getTime();
  return time >= 0 && time <= LATEST_MS && time % 1000 === 0;
}

/** The date that `formatInstant` writes exactly like this, or null: no 30 February, no local time, no year 1969. */
export function parseInstant(text: string): Date | null {
  if (!INSTANT.test(text)) return null;
  const date = new Date(text);
  return isInstant(date) && formatInstant(date) === text ? date : null;
}

/** The same instant without its fraction of a second. */
export function wholeSeconds(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000);
}

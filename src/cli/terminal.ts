import { formatInstant, harmless } from '../index.js';

export { harmless };

/**
 * A value as JSON, with the same characters in JSON's own escapes, and dates as a database writes them: on one line, or
 * on many with an indent.
 */
export function harmlessJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, instants, indent).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Replaces dates for JSON.stringify, which has made `value` a string by then. */
export function instants(this: unknown, key: string, value: unknown): unknown {
  const original = (this as Readonly<Record<string, unknown>>)[key];
  return original instanceof Date ? formatInstant(original) : value;
}

/** `12,345`. Node's own formatting takes longer to start than most commands run. */
export function formatInteger(number: number): string {
  return String(Math.round(number)).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 file`, `2 files`. */
export function count(number: number, noun: string): string {
  return `${formatInteger(number)} ${noun}${number === 1 ? '' : 's'}`;
}

/** A fingerprint as people compare it: ten groups of four, a gap in the middle. */
export function groupFingerprint(fingerprint: string): string {
  const groups = fingerprint.match(/.{1,4}/g) ?? [];
  return `${groups.slice(0, 5).join(' ')}  ${groups.slice(5).join(' ')}`;
}

/** Text as one word that people can paste into a shell: a path, or an address from elsewhere. */
export function shown(word: string, platform = process.platform): string {
  const text = harmless(word);
  if (platform === 'win32') return shownOnWindows(text);
  return /^[\w./@+~=,:-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;
}

/** Double quotes serve cmd.exe and PowerShell, but PowerShell acts on some characters between them. */
function shownOnWindows(text: string): string {
  if (/^[\w./\\@+~=:-]+$/.test(text)) return text;
  return /[$`"\u201c-\u201e]/.test(text) ? `'${text.replace(/['\u2018-\u201b]/g, '$&$&')}'` : `"${text}"`;
}

import { harmless } from './text.js';

/**
 * Quotes text as one word of a command line that people paste into a POSIX shell. An address from a database may hold
 * characters that a shell acts on (threat T18). For text without control characters.
 */
export function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** The same for a file of a directory; null for one with characters that nobody could paste. */
export function shellPath(directory: string, path: string): string | null {
  const file = `${directory.replace(/\/+$/, '')}/${path}`;
  return harmless(file) !== file || /['\ufffd]/.test(file) ? null : shellWord(file);
}

/**
 * The characters that no string of a database may contain (docs/FORMAT.md §2): controls but LF and TAB,
 * the line separators, surrogates, non-characters, and the bidirectional controls. As the inside of a
 * character class of a regular expression with the flag `u`.
 */
export const FORBIDDEN_CHARACTERS =
  '\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u2028\\u2029\\ufffe\\uffff\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\p{Surrogate}';

const FORBIDDEN = new RegExp(`[${FORBIDDEN_CHARACTERS}]`, 'gu');

/** Longest string of a database, in bytes of UTF-8 (docs/FORMAT.md §9). */
export const TEXT_LIMIT_BYTES = 64 * 1024;

/** Foreign text made fit for a database: a space for each forbidden character. */
export function cleanText(text: string): string {
  return text.replace(FORBIDDEN, ' ');
}

/** What most text has nothing of: characters to be looked at one by one, and spaces too many. */
const UNTIDY = /[^ -~]|^ | $| {2}/;

/** Foreign text on one line: white-space runs as one space, at most `limit` code points. */
export function oneLine(text: string, limit: number): string {
  if (text.length <= limit && !UNTIDY.test(text)) return text;
  const line = cleanText(text).replace(/\s+/g, ' ').trim();
  return line.length <= limit ? line : Array.from(line).slice(0, limit).join('').trimEnd();
}

/** Whether text can be a package's name or version: printable ASCII without spaces. */
export function isPlainWord(text: string): boolean {
  return /^[!-~]+$/.test(text);
}

/**
 * The characters that no string of a database may contain (docs/FORMAT.md §2): controls except LF and TAB, line
 * separators, surrogates, non-characters and bidirectional controls. The inside of a character class of a regular
 * expression with the flag `u`.
 */
export const FORBIDDEN_CHARACTERS =
  '\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u2028\\u2029\\ufffe\\uffff\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\p{Surrogate}';

const FORBIDDEN = new RegExp(`[${FORBIDDEN_CHARACTERS}]`, 'gu');

/** The longest string of a database, in bytes of UTF-8 (docs/FORMAT.md §9). */
export const TEXT_LIMIT_BYTES = 64 * 1024;

/** Replaces each forbidden character of foreign text by a space. */
export function cleanText(text: string): string {
  return text.replace(FORBIDDEN, ' ');
}

/** Text that needs work: characters to check one by one, or superfluous spaces. Most text has neither. */
const UNTIDY = /[^ -~]|^ | $| {2}/;

/** Puts foreign text on one line, with single spaces and at most `limit` code points. */
export function oneLine(text: string, limit: number): string {
  if (text.length <= limit && !UNTIDY.test(text)) return text;
  const line = cleanText(text).replace(/\s+/g, ' ').trim();
  return line.length <= limit ? line : Array.from(line).slice(0, limit).join('').trimEnd();
}

/** Whether text holds nothing but white space. */
export function isBlank(text: string): boolean {
  return !/\S/.test(text);
}

/** Signs for which ASCII has another one. Unicode itself decomposes what it can. */
const ASCII_SIGNS: Readonly<Record<string, string>> = {
  ...{ '\u2018': "'", '\u2019': "'", '\u201c': '"', '\u201d': '"', '\u00ab': '"', '\u00bb': '"' },
  ...{ '\u2010': '-', '\u2011': '-', '\u2013': '-', '\u2014': '-', '\u2212': '-', '\u2022': '*' },
  ...{ '\u00df': 'ss', '\u00e6': 'ae', '\u00c6': 'AE', '\u0153': 'oe', '\u0152': 'OE', '\u0131': 'i' },
  ...{ '\u00f8': 'o', '\u00d8': 'O', '\u0142': 'l', '\u0141': 'L', '\u00a9': '(c)', '\u00ae': '(R)' },
};

/** Text in ASCII: letters lose their accents, and `?` stands for what has no ASCII. Empty if no letter or digit is left. */
export function asciiText(text: string): string {
  const plain = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^\t\n -~]/gu, (sign) => ASCII_SIGNS[sign] ?? '?')
    .replace(/\?{2,}/g, '?');
  return /[A-Za-z0-9]/.test(plain) ? plain : '';
}

export function isAscii(text: string): boolean {
  return /^[\t\n -~]*$/.test(text);
}

/** No package has a longer name or version: what is made of them fits into a database. */
export const WORD_LIMIT = 1024;

/** Whether text can be a package's name or version: printable ASCII without spaces. */
export function isPlainWord(text: string): boolean {
  return /^[!-~]+$/.test(text);
}

/**
 * Text from elsewhere made harmless for people to read on a terminal, in a log or in a mail: controls, line ends and
 * bidirectional marks become escapes.
 */
export function harmless(text: string): string {
  return text.replace(
    /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\p{Surrogate}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

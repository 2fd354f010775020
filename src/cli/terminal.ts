/**
 * Text from elsewhere (file names, metadata, user ids) made harmless for a terminal: controls, line ends
 * and bidirectional marks are shown as escapes.
 */
export function harmless(text: string): string {
  return text.replace(
    /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\p{Surrogate}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** The JSON of a value on one line, with the same characters in JSON's own escapes: it reads back the same. */
export function harmlessJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `1.4 MB`, for people. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit] ?? ''}`;
}

/** `12,345`. Setting up what the system knows of languages, which would say the same, takes longer than most commands. */
export function formatInteger(number: number): string {
  return String(Math.round(number)).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 archive`, `2 archives`. */
export function count(number: number, noun: string): string {
  return `${formatInteger(number)} ${noun}${number === 1 ? '' : 's'}`;
}

/** A fingerprint as people compare it: ten groups of four, a gap in the middle. */
export function groupFingerprint(fingerprint: string): string {
  const groups = fingerprint.match(/.{1,4}/g) ?? [];
  return `${groups.slice(0, 5).join(' ')}  ${groups.slice(5).join(' ')}`;
}

/** Text as one word that people may paste into a shell: a path, or an address from elsewhere. */
export function shown(word: string): string {
  const text = harmless(word);
  return /^[\w./@+~=,:-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;
}

/**
 * Text as one word of a command line that people paste into a POSIX shell. An address may hold whatever a shell acts
 * on, and it comes from a database (threat T18). For text without control characters.
 */
export function shellWord(text: string): string {
  // In an address %27 is the same as a quote; nothing else ends single quotes.
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", '%27')}'`;
}

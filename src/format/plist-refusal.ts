import { PacksignError } from '../errors.js';

const QUOTED_LENGTH = 60;

/**
 * The error for a text that is not canonical at `at`. Its cost does not matter, but the text may be hostile, and the
 * message must do no harm in a terminal.
 */
export function refusal(text: string, at: number, expected: string): PacksignError {
  const rest = text.slice(at, at + QUOTED_LENGTH);
  const found = rest === '' ? 'the end' : quote(/^(?:\n|[^\n]+)/.exec(rest)?.[0] ?? rest);
  return malformed(lineAt(text, at), `${expected}, found ${found}`);
}

/** The error for bytes that are not UTF-8. Decoding leniently and encoding again changes the first bad byte. */
export function refusalOfBytes(bytes: Uint8Array): PacksignError {
  const lenient = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const bad = new TextEncoder().encode(lenient).findIndex((byte, index) => byte !== bytes[index]);
  const good = new TextDecoder().decode(bytes.subarray(0, bad));
  return malformed(lineAt(good, good.length), 'expected UTF-8');
}

function malformed(line: number, reason: string): PacksignError {
  return new PacksignError('DATABASE_MALFORMED', `not canonical text: line ${line}: ${reason}`);
}

function lineAt(text: string, at: number): number {
  let line = 1;
  for (let end = text.indexOf('\n'); end !== -1 && end < at; end = text.indexOf('\n', end + 1)) line += 1;
  return line;
}

function quote(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, escapeUnit);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

import { writeDurably } from '../disk/files.js';
import { harmless } from '../model/text.js';
import { formatInstant } from '../model/time.js';
import type { VerifyResult } from './verify.js';

export interface ReportOptions {
  readonly now: Date;
  /** The version of packsign. */
  readonly version: string;
}

/** A database that was refused, or has files that differ from what was signed. */
export type Suspect = Pick<
  VerifyResult,
  'database' | 'status' | 'code' | 'message' | 'sha256' | 'accepted' | 'signatures' | 'findings' | 'notify'
>;

/** The longest text from elsewhere in a report, in characters, and the most lines of one list. */
const TEXT_LIMIT = 1000;
const LIST_LIMIT = 200;

/**
 * A plain text for the maintainer that says what was refused or wrong. It tells nothing about the user. Text from
 * elsewhere can forge no line in it, nor steer a terminal or a mail program.
 */
export function reportOf(suspect: Suspect, { now, version }: ReportOptions): string {
  const { database, status, code, message, sha256, accepted, signatures, findings } = suspect;
  const lines = [
    `packsign ${version} looked at ${quoted(database)}`,
    `at ${formatInstant(now)}, and says: ${status}${code === null ? '' : ` (${code})`}`,
    ...(message === null ? [] : [`because: ${quoted(message)}`]),
    '',
    `sha256 of what was found: ${sha256 ?? 'nothing was found'}`,
    ...(accepted === null
      ? ['nothing was accepted from there before']
      : [
          `sha256 of what was accepted before: ${accepted.sha256}`,
          `issued then: ${formatInstant(accepted.issued)}`,
        ]),
    ...(signatures.length === 0 ? ['', 'no signature was checked'] : ['', 'signatures:']),
    ...shortened(
      signatures.map(
        ({ fingerprint, signedAt, counts, reason }) =>
          `  ${fingerprint ?? 'unknown key'}${signedAt === null ? '' : `, ${formatInstant(signedAt)}`}: ${counts ? 'counts' : quoted(reason ?? 'does not count')}`,
      ),
    ),
    ...(findings.length === 0 ? [] : ['', 'files:']),
    ...shortened(
      findings.flatMap(({ kind, path, expected, found }) => [
        `  ${kind}: ${quoted(path)}`,
        ...(expected === null ? [] : [`    expected ${quoted(expected)}`]),
        ...(found === null ? [] : [`    found    ${quoted(found)}`]),
      ]),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

/** Text from elsewhere, on one line. */
function quoted(text: string): string {
  const characters = Array.from(text.slice(0, 2 * TEXT_LIMIT + 2));
  const rest = characters.length > TEXT_LIMIT ? ' …' : '';
  return `${harmless(characters.slice(0, TEXT_LIMIT).join(''))}${rest}`;
}

function shortened(lines: readonly string[]): readonly string[] {
  const rest = lines.length - LIST_LIMIT;
  return rest <= 0 ? lines : [...lines.slice(0, LIST_LIMIT), `  … and ${rest} more lines`];
}

/** Throws FILE_UNWRITABLE. */
export function saveReport(file: string, text: string): void {
  writeDurably(file, Buffer.from(text));
}

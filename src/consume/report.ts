import { writeDurably } from '../disk/files.js';
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

/** A plain text for the maintainer that says what was refused or wrong. It tells nothing about the user. */
export function reportOf(suspect: Suspect, { now, version }: ReportOptions): string {
  const { database, status, code, message, sha256, accepted, signatures, findings } = suspect;
  const lines = [
    `packsign ${version} looked at ${database}`,
    `at ${formatInstant(now)}, and says: ${status}${code === null ? '' : ` (${code})`}`,
    ...(message === null ? [] : [`because: ${message}`]),
    '',
    `sha256 of what was found: ${sha256 ?? 'nothing was found'}`,
    ...(accepted === null
      ? ['nothing was accepted from there before']
      : [
          `sha256 of what was accepted before: ${accepted.sha256}`,
          `issued then: ${formatInstant(accepted.issued)}`,
        ]),
    ...(signatures.length === 0 ? ['', 'no signature was looked at'] : ['', 'signatures:']),
    ...signatures.map(
      ({ fingerprint, signedAt, counts, reason }) =>
        `  ${fingerprint ?? 'unknown key'}${signedAt === null ? '' : `, ${formatInstant(signedAt)}`}: ${counts ? 'counts' : (reason ?? 'does not count')}`,
    ),
    ...(findings.length === 0 ? [] : ['', 'archives:']),
    ...findings.flatMap(({ kind, path, expected, found }) => [
      `  ${kind}: ${path}`,
      ...(expected === null ? [] : [`    expected ${expected}`]),
      ...(found === null ? [] : [`    found    ${found}`]),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Throws FILE_UNWRITABLE. */
export function saveReport(file: string, text: string): void {
  writeDurably(file, Buffer.from(text));
}

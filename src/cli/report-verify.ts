import { basename, dirname } from 'node:path';
import { formatInstant, isBucketAddress } from '../index.js';
import type { CheckedSignature, ListResult, VerifyResult } from '../index.js';
import type { Report } from './command.js';
import { LIST_LIMIT, coverageJson, freshness, limited, uncoveredWords, warningLines } from './report.js';
import { count, groupFingerprint, harmless, shown } from './terminal.js';

/** What people see beside the answer. */
export const PADLOCKS = {
  authentic: '🔒 closed padlock',
  stale: '🔒 closed padlock',
  unauthenticated: '🔓 open padlock',
  refused: 'refusal',
} as const;

export function reportVerify(result: VerifyResult): Report {
  return {
    json: {
      ...verdictJson(result),
      signatures: result.signatures,
      files: result.files,
      ...coverageJson(result),
      findings: result.findings,
      warnings: result.warnings,
    },
    lines: verdictLines(result),
    notices: warningLines(result.warnings),
    exitStatus: result.ok ? 0 : 1,
  };
}

export function verdictJson(result: VerifyResult | ListResult): object {
  const { ok, status, code, message, notify, database, sha256, trusted, pinnedBy } = result;
  const { Issued: issued = null, Expires: expires = null } = trusted?.Packsign ?? {};
  return { ok, status, code, message, notify, database, sha256, issued, expires, pinnedBy };
}

export function verdictLines(result: VerifyResult): string[] {
  const { trusted, findings } = result;
  return [
    headline(result),
    ...(trusted === null
      ? []
      : [`  issued ${formatInstant(trusted.Packsign.Issued)}${freshness(trusted.Packsign.Expires)}`]),
    ...result.signatures.map(signatureLine),
    ...limited(findings, LIST_LIMIT, ({ kind, path, expected, found }) => [
      `  ${kind}: ${harmless(path)}${kind === 'yanked' ? `: ${harmless(found ?? '')}` : ''}`,
      ...(expected === null ? [] : [`      expected ${expected}`]),
      ...(kind === 'altered' ? [`      found    ${harmless(found ?? '')}`] : []),
    ]),
    ...adviceLines(result),
  ];
}

/** The codes of a database that is refused for its files. */
const FILE_CODES: readonly string[] = ['FILE_ALTERED', 'FILE_MISSING', 'UNCOVERED', 'WARNINGS'];

/** Files that are not as signed come first: the database that lists them may well be authentic. */
function headline(result: VerifyResult): string {
  const { status, code, database, message } = result;
  const why = message === null ? [] : [harmless(message)];
  const isOfFiles = code !== null && FILE_CODES.includes(code);
  const [verdict, rest] = isOfFiles
    ? [`${why.join('')} (${status})`, countedFiles(result)]
    : [`${status} (${PADLOCKS[status]})`, [...why, ...countedFiles(result)]];
  const about = rest.length === 0 ? '' : `: ${rest.join('; ')}`;
  return `${verdict}: ${harmless(database)}${about}${code === null ? '' : ` (${code})`}`;
}

/** How many files of a directory are as signed, which of the others nobody signed, and how many accompany signed ones. */
function countedFiles({ files: { checked, ok }, companions, uncovered }: VerifyResult): readonly string[] {
  const beside = uncoveredWords(uncovered.map(({ path }) => path));
  if (checked + companions + beside.length === 0) return [];
  return [
    `${ok} of ${count(checked, 'file')} as signed`,
    ...beside,
    ...(companions === 0 ? [] : [`${count(companions, 'companion')} (signatures, checksums and the like)`]),
  ];
}

function signatureLine({ fingerprint, userId, signedAt, counts, reason }: CheckedSignature): string {
  const who = fingerprint === null ? 'an unknown key' : groupFingerprint(fingerprint);
  const name = userId === null ? '' : `  ${harmless(userId)}`;
  const when = signedAt === null ? '' : `, ${formatInstant(signedAt)}`;
  return `  ${counts ? 'signed by' : 'does not count:'} ${who}${name}${when}${reason === null ? '' : ` (${harmless(reason)})`}`;
}

function adviceLines({ status, code, pinnedBy, database, notify, signatures }: VerifyResult): string[] {
  if (status === 'unauthenticated') {
    const target = pinnedBy === 'directory' ? dirname(database) : database;
    const command = /^(?!s3:)[a-z]+:\/\//i.test(database) ? 'trust add' : 'verify';
    return whoseLines(`packsign ${command} ${shown(target)}`);
  }
  const isRefused = status === 'refused';
  const isHarmful =
    isRefused && !['DATABASE_MISSING', 'FILE_MISSING', 'UNCOVERED', 'WARNINGS'].includes(code ?? '');
  // With signatures to show, nothing is missing.
  const mayLack = isRefused && signatures.length === 0 && LOST_CODES.includes(code ?? '');
  const isLost = mayLack && isInDirectory(database);
  return [
    ...(isHarmful ? ['  do not use it'] : []),
    ...(isRefused ? tellLines(notify) : []),
    ...(isLost
      ? [`  if you publish it: packsign status ${shown(dirname(database))}${stateWords(database)}`]
      : []),
  ];
}

/** What a command on a bucket needs besides. */
function stateWords(database: string): string {
  return isBucketAddress(database) ? ' --state FOLDER' : '';
}

function isInDirectory(database: string): boolean {
  return basename(database) === 'packages.plist' && !/^[a-z]+:\/\//.test(database);
}

/** A file of the publication may be lost. */
const LOST_CODES: readonly string[] = [
  'DATABASE_MISSING',
  'KEYS_MALFORMED',
  'SIGNATURE_INVALID',
  'SIGNATURE_MISSING',
];

/** How to find out whose a database is that nobody vouches for. */
export function whoseLines(command: string): string[] {
  return [
    '  to know whose it is, get the fingerprint from a place you trust and type',
    `  ${command} --fingerprint FINGERPRINT`,
  ];
}

export function tellLines(notify: string | null): string[] {
  if (notify === null) return [];
  return [`  tell the maintainer: ${harmless(notify)} (--report FILE writes what to send)`];
}

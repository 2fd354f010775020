import { dirname } from 'node:path';
import { formatInstant } from '../index.js';
import type { CheckedSignature, VerifyResult } from '../index.js';
import type { Report } from './command.js';
import { LIST_LIMIT, freshness, limited, warningLines } from './report.js';
import { count, groupFingerprint, harmless, shown } from './terminal.js';

const PADLOCKS = {
  authentic: '🔒 closed padlock',
  stale: '🔒 closed padlock',
  unauthenticated: '🔓 open padlock',
  refused: 'refusal',
} as const;

export interface VerifyTolerance {
  readonly strict: boolean;
  readonly allowStale: boolean;
  readonly allowUnauthenticated: boolean;
}

export function reportVerify(result: VerifyResult, tolerance: VerifyTolerance): Report {
  return {
    json: {
      ...verdictJson(result),
      signatures: result.signatures,
      archives: result.files,
      findings: result.findings,
    },
    lines: verdictLines(result),
    notices: warningLines(result.warnings),
    exitStatus: passes(result, tolerance) ? 0 : 1,
  };
}

type Verdict = Pick<
  VerifyResult,
  'status' | 'code' | 'message' | 'notify' | 'database' | 'sha256' | 'trusted'
>;

export function verdictJson({ pinnedBy, ...verdict }: Verdict & Pick<VerifyResult, 'pinnedBy'>): object {
  const { status, code, message, notify, database, sha256, trusted } = verdict;
  const { Issued: issued = null, Expires: expires = null } = trusted?.Packsign ?? {};
  return { status, code, message, notify, database, sha256, issued, expires, pinnedBy };
}

export function passes(
  { status, findings }: Pick<VerifyResult, 'status' | 'findings'>,
  tolerance: VerifyTolerance,
): boolean {
  const isAccepted =
    status === 'authentic' ||
    (status === 'stale' && tolerance.allowStale) ||
    (status === 'unauthenticated' && tolerance.allowUnauthenticated);
  const counts = findings.filter(({ kind }) => tolerance.strict || kind === 'missing' || kind === 'altered');
  return isAccepted && counts.length === 0;
}

export function verdictLines(result: VerifyResult): string[] {
  const { status, database, message, trusted, files, findings } = result;
  const why = message === null ? '' : `: ${harmless(message)}`;
  const code = result.code === null ? '' : ` (${result.code})`;
  return [
    `${status} (${PADLOCKS[status]}): ${harmless(database)}${why}${code}`,
    ...(trusted === null
      ? []
      : [`  issued ${formatInstant(trusted.Packsign.Issued)}${freshness(trusted.Packsign.Expires)}`]),
    ...result.signatures.map(signatureLine),
    ...(files.checked === 0 ? [] : [`  ${files.ok} of ${count(files.checked, 'file')} as signed`]),
    ...limited(findings, LIST_LIMIT, ({ kind, path, expected, found }) => [
      `  ${kind}: ${harmless(path)}${kind === 'yanked' ? `: ${harmless(found ?? '')}` : ''}`,
      ...(expected === null ? [] : [`      expected ${expected}`]),
      ...(kind === 'altered' ? [`      found    ${harmless(found ?? '')}`] : []),
    ]),
    ...adviceLines(result),
  ];
}

function signatureLine({ fingerprint, userId, signedAt, counts, reason }: CheckedSignature): string {
  const who = fingerprint === null ? 'an unknown key' : groupFingerprint(fingerprint);
  const name = userId === null ? '' : `  ${harmless(userId)}`;
  const when = signedAt === null ? '' : `, ${formatInstant(signedAt)}`;
  return `  ${counts ? 'signed by' : 'does not count:'} ${who}${name}${when}${reason === null ? '' : ` (${harmless(reason)})`}`;
}

function adviceLines({ status, code, pinnedBy, database, notify, findings }: VerifyResult): string[] {
  if (status === 'unauthenticated') {
    const target = pinnedBy === 'directory' ? dirname(database) : database;
    const command = /^[a-z]+:\/\//.test(database) ? 'trust add' : 'verify';
    return [
      '  to know whose it is, get the fingerprint from a place you trust and type',
      `  packsign ${command} ${shown(target)} --fingerprint FINGERPRINT`,
    ];
  }
  const isRefused = status === 'refused';
  const isAltered = findings.some(({ kind }) => kind === 'altered');
  const isHarmful = isAltered || (isRefused && code !== 'DATABASE_MISSING');
  const isWrong = isRefused || isAltered || findings.some(({ kind }) => kind === 'missing');
  return [
    ...(isHarmful ? ['  do not use it'] : []),
    ...(isWrong && notify !== null
      ? [`  tell the maintainer: ${harmless(notify)} (--report FILE writes what to send)`]
      : []),
  ];
}

import { formatInstant } from '../index.js';
import type { SignerStatus, StatusResult, WaitingStatus, WatchEvent } from '../index.js';
import type { Report } from './command.js';
import { hintFor } from './hint.js';
import { count, formatInteger, groupFingerprint, harmless, shown } from './terminal.js';

import { differenceLines, warningLines, instantOrNull, freshness } from './report.js';

const EVENT_WORDS = {
  ready: 'watching',
  signed: 'signed',
  refreshed: 'signed anew before it expires',
  unchanged: 'nothing to sign',
  held: 'held',
  refused: 'refused',
  error: 'error',
  stopped: 'stopped',
} as const;

/** One calm line for each event: when, what, how long it took. */
export function reportEvent(event: WatchEvent, { directory }: { directory: string }): Report {
  const { at, issued, code, paths, withdrawn, message, warnings, tookMs } = event;
  const hint = hintFor(event.hint, directory);
  const json = {
    event: event.event,
    at: formatInstant(at),
    issued: instantOrNull(issued),
    code,
    paths,
    withdrawn,
    message,
    hint,
    warnings,
  };
  const isTrouble = ['held', 'refused', 'error'].includes(event.event);
  const about = event.event === 'ready' ? ` ${harmless(directory)}` : pathSummary(paths, withdrawn);
  const why = message === null ? '' : ` (${harmless(message.split('\n')[0] ?? '')})`;
  const took = tookMs === null || isTrouble ? '' : `, ${formatInteger(tookMs)} ms`;
  const line = `${formatInstant(at)} ${EVENT_WORDS[event.event]}${about}${code === null ? '' : ` ${code}`}${why}${took}`;
  if (!isTrouble) return { json, lines: [line], notices: warningLines(warnings), exitStatus: 0 };
  const hintLines = hint === null ? [] : [`packsign: hint: ${harmless(hint)}`];
  return { json, lines: [], notices: [line, ...hintLines], exitStatus: 0 };
}

/** What came or changed, and what went. */
function pathSummary(paths: readonly string[], withdrawn: readonly string[]): string {
  const left = paths.filter((path) => !withdrawn.includes(path));
  return `${firstOf(left)}${withdrawn.length === 0 ? '' : ` without${firstOf(withdrawn)}`}`;
}

function firstOf(paths: readonly string[]): string {
  const [first] = paths;
  if (first === undefined) return '';
  return paths.length === 1
    ? ` ${harmless(first)}`
    : ` ${harmless(first)} and ${count(paths.length - 1, 'other')}`;
}

/** The exit status of `watch --once`: the worst of its events. */
export function statusAfter({ event }: WatchEvent, before: 0 | 1 | 2): 0 | 1 | 2 {
  if (event === 'error') return 2;
  return event === 'held' || event === 'refused' ? (Math.max(before, 1) as 1 | 2) : before;
}

/** What each state is called, and what to do about it. */
const STATES: Readonly<
  Record<StatusResult['state'], (directory: string) => readonly [string, string | null]>
> = {
  unsigned: (directory) => ['nothing is published here yet', `packsign build ${directory} --key FILE`],
  waiting: (directory) => ['a database waits to be signed', `packsign sign ${directory} --key FILE`],
  changed: (directory) => [
    'published, and changes wait to be signed',
    `packsign build ${directory} --key FILE`,
  ],
  published: () => ['published and up to date', null],
  stale: (directory) => ['published, but expired', `packsign build ${directory} --key FILE`],
  invalid: () => ['what is published does not verify', null],
  foreign: () => ['packages.plist was not made by packsign', null],
};

function incomplete(directory: string): readonly [string, string] {
  return [
    'published, but files of the publication are missing or out of date',
    `packsign build ${directory} --key FILE`,
  ];
}

export function reportStatus(result: StatusResult, { directory }: { directory: string }): Report {
  const { state, issued, expires, signers, waiting, difference, attention, message, warnings } = result;
  const hint = hintFor(result.hint, directory);
  const isIncomplete = state === 'published' && attention.includes('PUBLICATION_INCOMPLETE');
  const [words, command] = (isIncomplete ? incomplete : STATES[state])(shown(directory));
  const isRevoking = attention.includes('REVOCATION_WAITS');
  const next = hint ?? command ?? (isRevoking ? `packsign build ${shown(directory)} --key FILE` : null);
  return {
    json: {
      state,
      issued: instantOrNull(issued),
      expires: instantOrNull(expires),
      signers: signers.map(({ fingerprint }) => fingerprint),
      keys: signers.map((signer) => ({ ...signer, expires: instantOrNull(signer.expires) })),
      waiting: waiting === null ? null : { ...waiting, issued: formatInstant(waiting.issued) },
      attention,
    },
    lines: [
      `${harmless(directory)}: ${words}`,
      ...(issued === null ? [] : [`  issued ${formatInstant(issued)}${freshness(expires ?? undefined)}`]),
      ...signers.map(
        (signer) =>
          `  key ${groupFingerprint(signer.fingerprint)}  ${harmless(signer.userId ?? '')}${keyLife(signer)}`,
      ),
      ...(waiting === null ? [] : waitingLines(waiting, signers)),
      ...(difference === null ? [] : differenceLines(difference)),
      ...(message === null ? [] : message.split('\n').map((line) => `  ${harmless(line)}`)),
      ...(isRevoking
        ? ['  a revocation waits until a database is published that does not rest on the revoked key']
        : []),
      ...(attention.length === 0 ? [] : [`  needs attention: ${attention.join(', ')}`]),
      ...(next === null ? [] : [`next: ${harmless(next)}`]),
    ],
    notices: warningLines(warnings),
    exitStatus: attention.length === 0 ? 0 : 1,
  };
}

function keyLife({ expires }: SignerStatus): string {
  return expires === null ? '' : `, expires ${formatInstant(expires)}`;
}

function waitingLines(
  { threshold, signed, missing }: WaitingStatus,
  signers: readonly SignerStatus[],
): string[] {
  if (threshold === 1) return [];
  const nameOf = (fingerprint: string) =>
    signers.find((signer) => signer.fingerprint === fingerprint)?.userId ?? '';
  return [
    `  ${signed.length} of ${count(threshold, 'signature')}`,
    ...missing.map((fingerprint) =>
      `  has not signed: ${groupFingerprint(fingerprint)}  ${harmless(nameOf(fingerprint))}`.trimEnd(),
    ),
  ];
}

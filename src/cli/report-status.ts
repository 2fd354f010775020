import { formatInstant } from '../index.js';
import type {
  Attention,
  LockStatus,
  SignerStatus,
  StatusResult,
  WaitingStatus,
  WatchEvent,
} from '../index.js';
import type { Report } from './command.js';
import { hintFor, typedIn } from './hint.js';
import { stepOf } from './next-step.js';
import type { KnownKeys } from './next-step.js';
import { REVOCATION_HELD } from './report-keys.js';
import {
  coverageJson,
  differenceLines,
  freshness,
  keptWords,
  remarkLines,
  uncoveredWords,
  warningLines,
} from './report.js';
import { count, formatInteger, groupFingerprint, harmless, shown } from './terminal.js';
import type { BuildReportOptions } from './report.js';

const EVENT_WORDS: Readonly<Record<Exclude<WatchEvent['event'], 'uncovered'>, string>> = {
  ready: 'watching',
  signed: 'signed',
  refreshed: 'signed again before it expires',
  unchanged: 'nothing to sign',
  held: 'held',
  refused: 'refused',
  error: 'error',
  stopped: 'stopped',
};

/** One line for each event: when, what, how long it took. */
export function reportEvent(
  watchEvent: WatchEvent,
  { directory, typed }: Pick<BuildReportOptions, 'directory' | 'typed'>,
): Report {
  if (watchEvent.event === 'uncovered') return reportUncovered(watchEvent);
  const { tookMs, ...event } = watchEvent;
  const { at, code, paths, withdrawn, message, warnings } = event;
  const hint = hintFor(event.hint, typedIn(typed, directory));
  const isTrouble = ['held', 'refused', 'error'].includes(event.event);
  const all = event.total > paths.length ? ` (${formatInteger(event.total)} in all)` : '';
  const about =
    event.event === 'ready' ? ` ${harmless(directory)}` : `${pathSummary(paths, withdrawn)}${all}`;
  const why = message === null ? '' : ` (${harmless(message.split('\n')[0] ?? '')})`;
  const took = tookMs === null || isTrouble ? '' : `, ${formatInteger(tookMs)} ms`;
  const line = `${formatInstant(at)} ${EVENT_WORDS[watchEvent.event]}${about}${code === null ? '' : ` ${code}`}${why}${took}`;
  const hintLines = hint === null ? [] : [`packsign: hint: ${harmless(hint)}`];
  return {
    json: { ...event, hint },
    lines: isTrouble ? [] : [line],
    notices: isTrouble ? [line, ...hintLines] : warningLines(warnings),
    exitStatus: 0,
  };
}

function reportUncovered({ tookMs: _, ...event }: WatchEvent): Report {
  const { at, paths, total, message, hint } = event;
  const all = total > paths.length ? `${formatInteger(total)} files in all are not` : null;
  const words = [...uncoveredWords(paths), all, message, hint].filter((each) => each !== null);
  return { json: event, lines: [`${formatInstant(at)} ${words.join('; ')}`], exitStatus: 0 };
}

/** The files that came or changed, and those that went. */
function pathSummary(paths: readonly string[], withdrawn: readonly string[]): string {
  const left = paths.filter((path) => !withdrawn.includes(path));
  return `${firstOf(left)}${withdrawn.length === 0 ? '' : ` without${firstOf(withdrawn)}`}`;
}

function firstOf([first, ...others]: readonly string[]): string {
  if (first === undefined) return '';
  return ` ${harmless(first)}${others.length === 0 ? '' : ` and ${count(others.length, 'other')}`}`;
}

/** The exit status of `watch --once`: the worst of its events. */
export function statusAfter({ event }: WatchEvent, before: 0 | 1 | 2): 0 | 1 | 2 {
  if (event === 'error') return 2;
  return event === 'held' || event === 'refused' ? (Math.max(before, 1) as 1 | 2) : before;
}

/** The words for what else needs attention, unless an error says it. */
const ALSO: Readonly<Partial<Record<Attention, string>>> = {
  DATABASE_STALE: 'it has expired: readers are warned',
  EXPIRES_SOON: 'it expires soon',
  KEY_EXPIRED: 'a key has expired',
  KEY_EXPIRES_SOON: 'a key expires soon',
  PUBLICATION_INCOMPLETE: 'files of the publication are missing or out of date',
  REVOCATION_WAITS: REVOCATION_HELD,
};

export function reportStatus(
  result: StatusResult,
  { directory, verbose, typed, ...known }: Omit<BuildReportOptions, 'check'> & KnownKeys,
): Report {
  const { state, issued, expires, signers, waiting, difference, attention, message, warnings } = result;
  const step = stepOf(result, known);
  const next = hintFor(step.next, typedIn(typed, directory));
  // The message names damaged files already.
  const unsaid = warnings.filter(({ code }) => code !== 'DAMAGED' || !attention.includes(code));
  const changes = difference === null ? [] : differenceLines(difference);
  const trouble = message === null ? [] : message.split('\n').map((line) => `  ${harmless(line)}`);
  const also = attention.filter((code) => !step.says.includes(code)).map((code) => ALSO[code]);
  return {
    json: {
      ...{ ok: result.ok, state, issued, expires },
      signers: signers.map(({ fingerprint }) => fingerprint),
      keys: signers.map(({ subkey: _, ...signer }) => signer),
      ...{ waiting, attention, message, next },
      ...coverageJson(result.coverage),
      kept: result.kept,
      unsent: result.unsent,
      lock: result.lock === null ? null : lockJson(result.lock),
      warnings,
    },
    lines: [
      `${harmless(directory)}: ${step.words}${keptWords(result.kept)}`,
      ...(issued === null ? [] : [`  issued ${formatInstant(issued)}${freshness(expires)}`]),
      ...signers.map(signerLine),
      ...(waiting === null ? [] : waitingLines(waiting, signers)),
      ...changes,
      ...(result.lock === null ? [] : lockLines(result.lock)),
      ...trouble.filter((line) => !changes.includes(line)),
      ...also.filter((words) => words !== undefined).map((words) => `  ${words}`),
      ...(result.unsent.length > 0 ? [`  not sent to ${result.unsent.map(harmless).join(', ')}`] : []),
      ...(state === 'unsigned' ? ['  packsign --help lists all commands'] : []),
      ...(verbose && attention.length > 0 ? [`  needs attention: ${attention.join(', ')}`] : []),
      ...nextLines(next),
    ],
    notices: remarkLines({ warnings: unsaid, coverage: result.coverage }, { verbose }),
    exitStatus: result.ok ? 0 : 1,
  };
}

/** What to know beforehand, then one line with what to do next, to be pasted if it is a command. */
function nextLines(hint: string | null): readonly string[] {
  if (hint === null) return ['nothing to do'];
  const [first = '', ...others] = clausesOf(hint);
  const [, prose, command] = /^(?:(.*?): )?((?:packsign|gpg) .*)$/.exec(first) ?? [];
  const before = [...(prose === undefined ? [] : [prose]), ...others].map((text) => `  ${harmless(text)}`);
  return [...before, `next: ${harmless(command ?? first)}`];
}

/** The parts of a hint between semicolons, but not those within quotes. */
function clausesOf(hint: string): readonly string[] {
  return (hint.match(/(?:'[^']*'|"[^"]*"|[^;])+/g) ?? []).map((clause) => clause.trim());
}

function signerLine({ fingerprint, userId, expires }: SignerStatus): string {
  const life = expires === null ? '' : `, expires ${formatInstant(expires)}`;
  return `  key ${groupFingerprint(fingerprint)}  ${harmless(userId ?? '')}${life}`;
}

/** A `path` is that of a listed file, everywhere in the answer. */
function lockJson({ path: file, ...about }: LockStatus): object {
  return { file, ...about };
}

function lockLines({ path, pid, host, since, state }: LockStatus): string[] {
  const owner = pid === null ? 'another packsign' : `packsign with process number ${pid} on ${host ?? ''}`;
  const work = `${harmless(owner)} has been at work here since ${formatInstant(since)}`;
  if (state === 'dead')
    return [`  ${work}, and is gone: the next command that writes here takes over its lock`];
  return [`  ${work}; if you are sure that it is gone: rm ${shown(path)}`];
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

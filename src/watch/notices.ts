import { exitStatusOf } from '../errors.js';
import type { PacksignError } from '../errors.js';
import { coverageAdvice } from '../model/coverage.js';
import type { Uncovered } from '../model/coverage.js';
import type { Database } from '../model/database.js';
import type { Warning } from '../model/finding.js';
import { shellWord } from '../model/shell.js';
import type { BuiltCandidate } from '../release/candidate.js';
import { damageHint } from '../release/damage.js';
import type { Waiting } from '../release/waiting.js';

/** A result of a cycle, for people and scripts. */
export interface Notice {
  readonly event: 'signed' | 'refreshed' | 'unchanged' | 'uncovered' | 'held' | 'refused' | 'error';
  readonly code: string | null;
  /** The files that it is about, sorted. News name only those that are new in it. */
  readonly paths: readonly string[];
  /** Those of them that are no longer listed. */
  readonly withdrawn: readonly string[];
  readonly message: string | null;
  /** What no signature covers, as far as it is new; null for other events. */
  readonly uncovered: readonly Uncovered[] | null;
  /** What to type next. */
  readonly hint: string | null;
  /** How many files it is about in all; null for as many as there are paths. */
  readonly total: number | null;
  /** What is wrong with each file, where that may differ; else empty. */
  readonly reasons: ReadonlyMap<string, string>;
  /** Remarks that keep no file out. */
  readonly warnings: readonly Warning[];
}

/** Their messages hold the time. */
const OF_THE_CLOCK: readonly string[] = ['CLOCK_BEHIND', 'CLOCK_DOUBTFUL'];

export function noticeOf({ code, message, hint }: PacksignError): Notice {
  const isWaiting = ['NOTHING_TO_LIST', ...OF_THE_CLOCK].includes(code);
  const event = isWaiting ? 'held' : exitStatusOf({ code }) === 1 ? 'refused' : 'error';
  return { ...SILENT, event, code, message, hint };
}

/** A notice that says nothing but its event. */
export const SILENT = {
  code: null,
  paths: [],
  withdrawn: [],
  message: null,
  uncovered: null,
  hint: null,
  total: null,
  reasons: new Map<string, string>(),
  warnings: [],
} as const;

export function settingsHeld(): Notice {
  return {
    ...SILENT,
    event: 'held',
    code: 'SETTINGS_CHANGED',
    message: 'packsign.json changed; its changes wait until a person signs them',
    hint: 'packsign diff DIRECTORY shows what it changes; then packsign build DIRECTORY, packsign sign DIRECTORY',
  };
}

const HELD_HINTS: Readonly<Record<string, string>> = {
  BYTES_CHANGED:
    'give the new bytes a new version and name, or say why: packsign build DIRECTORY --allow-changed PATH --reason TEXT --key KEY',
  NAME_MISMATCH:
    'give it "Name" and "Version" in packsign.json, then packsign build DIRECTORY, packsign sign DIRECTORY',
};

/** One notice for each reason, whatever the number of files. */
export function heldNotices(held: readonly Warning[], published: Database | null): Notice[] {
  return Array.from(new Set(held.map(({ code }) => code))).map((code) => {
    const same = held.filter((warning) => warning.code === code);
    const paths = same.flatMap(({ path }) => (path === null ? [] : [path])).sort();
    return {
      ...SILENT,
      event: code === 'BYTES_CHANGED' ? 'refused' : 'held',
      code,
      paths,
      message: same[0]?.message ?? null,
      reasons: new Map(same.map(({ path, message }) => [path ?? '', message])),
      hint:
        code === 'DAMAGED'
          ? damageHint(paths, published)
          : (HELD_HINTS[code]?.replace('PATH', shellWord(paths[0] ?? 'PATH')) ?? null),
    };
  });
}

/** Files that are waited for. */
export function openNotices(paths: readonly string[]): Notice[] {
  if (paths.length === 0) return [];
  const message = 'a program has it open for writing; packsign waits until it is closed';
  return [{ ...SILENT, event: 'held', code: 'FILE_OPEN', paths, message }];
}

/** `ends early` of `damaged: ends early: the last 5 MB are missing`; empty for anything else. */
export function kindOfDamage(message: string): string {
  return message.startsWith('damaged: ') ? (message.split(/[:;,]/)[1] ?? '') : '';
}

/** `uncovered`: those that are new since the last such notice; none once everything is covered. */
export function uncoveredNotice(uncovered: readonly Uncovered[], total: number): Notice {
  const paths = uncovered.map(({ path }) => path);
  const about =
    paths.length === 0
      ? { message: 'every file here is covered or excluded now' }
      : { hint: coverageAdvice(uncovered) };
  return { ...SILENT, event: 'uncovered', paths, uncovered, total, ...about };
}

export function nothingToList({ warnings }: BuiltCandidate): Notice {
  const message = 'there is nothing to list yet';
  return { ...SILENT, event: 'held', code: 'NOTHING_TO_LIST', message, warnings };
}

/** A database that waits, and who has signed it. */
type Signed = Pick<Waiting, 'database' | 'signers' | 'missing'>;

/** The key of this watch has signed, so the command names another one. */
function nextSigners({ database, signers }: Signed): string {
  const left = database.Packsign.Signers?.Fingerprints.filter((one) => !signers.includes(one)) ?? [];
  const [only] = left;
  const who =
    left.length === 0 ? 'another signer' : left.length === 1 ? 'the other signer' : 'one of the others';
  const key = left.length === 1 && only !== undefined ? only : 'FINGERPRINT';
  const of = left.length > 1 ? ` (${left.join(', ')})` : '';
  return `${who} signs it${of}: packsign sign DIRECTORY --key ${key}`;
}

export function signedNotice(
  { difference: { added, withdrawn, changed }, unchanged, warnings }: BuiltCandidate,
  { waiting, warnings: left }: { waiting: Signed | null; warnings: readonly Warning[] },
): Notice {
  const paths = [...added, ...withdrawn, ...changed.map(({ path }) => path)].sort();
  if (waiting !== null) {
    const { missing } = waiting;
    const message = `${missing} more signature${missing === 1 ? ' is' : 's are'} needed before it is published`;
    const hint = nextSigners(waiting);
    return { ...SILENT, event: 'held', code: 'SIGNATURES_MISSING', paths, message, hint };
  }
  const isNew = new Set(added);
  return {
    ...SILENT,
    event: unchanged ? 'refreshed' : 'signed',
    paths,
    withdrawn,
    warnings: [...left, ...warnings.filter(({ path }) => path !== null && isNew.has(path))],
  };
}

import { SETTINGS_NAME } from './layout.js';
import { compareText } from './package.js';
import { isCompanion } from './release-names.js';

/**
 * Why a file of a directory is not listed (docs/FORMAT.md §5): `kind`: nothing says that people download it; `name`:
 * no database can hold its path; `case`: another path is the same where case does not count; `link`, `special`: it is no
 * regular file; `unreadable`: it, or its folder, cannot be read; `new`: it came after the database was made.
 */
export type UncoveredReason = 'kind' | 'name' | 'case' | 'link' | 'special' | 'unreadable' | 'new';

/** The reasons in words. */
export const REASONS: Readonly<Record<UncoveredReason, string>> = {
  kind: 'no archive, package, installer or program',
  name: 'a name that a database cannot list',
  case: 'differs only in case from another',
  link: 'a symbolic link',
  special: 'not a regular file',
  unreadable: 'cannot be read',
  new: 'came after the database was made',
};

/** What to do about each reason. */
const ADVICE: Readonly<Record<UncoveredReason, string>> = {
  kind: '"Include" lists files of other kinds',
  name: 'rename files whose names cannot be listed',
  case: 'rename files whose names cannot be listed',
  link: 'only regular files are listed',
  special: 'only regular files are listed',
  unreadable: 'make unreadable files readable',
  new: 'build again to list new files',
};

/** A file that no signature covers. Bytes of its path that are no UTF-8 are written `\xNN`. */
export interface Uncovered {
  readonly path: string;
  readonly reason: UncoveredReason;
}

/** What to do about files that are not covered, by their reasons. */
export function coverageAdvice(uncovered: readonly Uncovered[], settings = SETTINGS_NAME): string {
  const reasons = new Set(uncovered.map(({ reason }) => reason));
  const advice = (Object.keys(ADVICE) as UncoveredReason[])
    .filter((reason) => reasons.has(reason))
    .map((reason) => ADVICE[reason]);
  const canExclude = uncovered.some(({ reason }) => reason !== 'new');
  const all = [...advice, ...(canExclude ? ['"Exclude" leaves files out'] : [])];
  return Array.from(new Set(all))
    .join(', ')
    .replace(/"(?:In|Ex)clude"/, (key) => `${key} in ${settings}`);
}

/** A name, or a path, that is no UTF-8: `\xNN` stands for each byte that is not ASCII. */
export function showName(name: Uint8Array): string {
  return Array.from(name, (byte) =>
    byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16).toUpperCase()}`,
  ).join('');
}

/** Files next to the listed ones that no signature covers. */
export interface Coverage {
  /** Sorted by path. */
  readonly uncovered: readonly Uncovered[];
  /** How many files accompany listed ones, such as their own signatures. */
  readonly companions: number;
}

/** Sorts what a scan did not take, now that it is known what is listed. */
export function coverageOf(rest: readonly Uncovered[], isListed: (path: string) => boolean): Coverage {
  const missed = rest.filter(({ path }) => !isListed(path));
  const uncovered = missed.filter(({ path, reason }) => reason !== 'kind' || !isCompanion(path, isListed));
  return {
    uncovered: [...uncovered].sort((a, b) => compareText(a.path, b.path)),
    companions: missed.length - uncovered.length,
  };
}

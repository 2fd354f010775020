import { PacksignError } from '../errors.js';
import type { Database } from '../model/database.js';
import type { FileFacts } from '../model/entry.js';
import type { Warning } from '../model/finding.js';
import { compareWithList } from '../model/compare-list.js';
import { once } from '../model/once.js';
import { shellWord } from '../model/shell.js';
import type { Run } from '../run.js';
import { typedPath } from './typed-path.js';

/** What looking through the new files of a directory found (docs/FORMAT.md §5, threat T39). */
export interface Damage {
  /** Path → what is wrong with the file, in byte order of the paths. */
  readonly damaged: ReadonlyMap<string, string>;
  /** How many files were not looked through, because that would take more than the limits allow. */
  readonly unseen: number;
  /** Of allowed paths that need no permission. */
  readonly needless: readonly Warning[];
}

export interface DamageOptions {
  readonly run: Run;
  /** The verified database that the next one follows; null for a first one. */
  readonly published: Database | null;
  /** Files that the maintainer publishes although they are damaged, as typed. */
  readonly allowDamaged?: readonly string[] | undefined;
}

/** Files with bytes that a database lists under no path; they are in byte order of their paths. */
export function withNewBytes<T extends Pick<FileFacts, 'path' | 'sha256'>>(
  files: readonly T[],
  published: Database | null,
): readonly T[] {
  const { unlisted } = compareWithList(files, published?.Files);
  const hashes = once(() => new Set(Array.from(published?.Files.values() ?? [], ({ SHA256 }) => SHA256)));
  return unlisted.filter(({ sha256 }) => !hashes().has(sha256));
}

/** Finds damage in files with new bytes; the files are in byte order of their paths. */
export function findDamage(
  directory: string,
  files: readonly FileFacts[],
  { run, published, allowDamaged = [] }: DamageOptions,
): Damage {
  const damaged = new Map<string, string>();
  let unseen = 0;
  for (const { path, inspection } of withNewBytes(files, published)) {
    if (inspection.kind === 'damaged') {
      const ofOthers = replaces(published, path) ? '; other bytes are published under its name' : '';
      damaged.set(path, `${inspection.reason}${ofOthers}`);
    }
    if (inspection.kind === 'unseen') unseen += 1;
  }
  const place = { directory, stateFolder: run.stateFolder };
  const allowed = allowDamaged.map((given) => ({
    given,
    path: typedPath(given, place, (path) => damaged.has(path)),
  }));
  const needless = allowed.flatMap(({ given, path }): Warning[] => {
    if (path !== null && damaged.has(path)) return [];
    const reason =
      path === null
        ? 'there is no such file in the directory'
        : 'nothing is wrong with it, or it is published already';
    return [{ code: 'NOT_DAMAGED', path: path ?? given, message: `allowed, but ${reason}` }];
  });
  for (const { path } of allowed) if (path !== null) damaged.delete(path);
  return { damaged, unseen, needless };
}

/** Whether a damaged file has the name of a published one that does not change by design. */
function replaces(published: Database | null, path: string): boolean {
  const listed = published?.Files.get(path);
  return listed !== undefined && listed.Mutable !== true;
}

export function damageWarnings({ damaged }: Pick<Damage, 'damaged'>): Warning[] {
  return Array.from(damaged, ([path, reason]) => ({ code: 'DAMAGED', path, message: `damaged: ${reason}` }));
}

/** How many paths a command names. */
const NAMED_LIMIT = 5;

/** What to type to publish files all the same. `published` is null where nothing is. */
export function damageHint(paths: readonly string[], published: Database | null): string {
  const replaced = paths.filter((path) => replaces(published, path));
  const isLong = paths.length > NAMED_LIMIT;
  const options = (option: string, of: readonly string[]) =>
    (isLong ? of.slice(0, 1).map(() => 'PATH') : of.map(shellWord))
      .map((path) => ` --${option} ${path}`)
      .join('');
  const changed = replaced.length === 0 ? '' : `${options('allow-changed', replaced)} --reason TEXT`;
  const command = `packsign build DIRECTORY${options('allow-damaged', paths)}${changed} --key KEY`;
  const them = paths.length === 1 ? 'it' : 'them';
  return `upload ${them} again; to publish ${them} as is: ${command}${isLong ? ', with PATH once for each' : ''}`;
}

/** Throws DAMAGED. */
export function refuseDamage(damaged: ReadonlyMap<string, string>, published: Database | null): void {
  if (damaged.size === 0) return;
  const lines = Array.from(damaged, ([path, reason]) => `  ${path}: ${reason}`);
  const what = damaged.size === 1 ? 'a file is' : `${damaged.size} files are`;
  throw new PacksignError('DAMAGED', [`${what} damaged, so nothing new is published:`, ...lines].join('\n'), {
    hint: damageHint(Array.from(damaged.keys()), published),
  });
}

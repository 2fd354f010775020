import { PacksignError } from '../errors.js';
import type { Database } from '../model/database.js';
import type { FileFacts } from '../model/entry.js';
import type { Warning } from '../model/finding.js';
import { once } from '../model/once.js';
import type { Run } from '../run.js';
import { typedPath } from './typed-path.js';

/** What looking through the new files of a directory found (docs/FORMAT.md §5, threat T39). */
export interface Damage {
  /** Path → what is wrong with the file, in byte order of the paths. */
  readonly damaged: ReadonlyMap<string, string>;
  /** How many files were not looked through, because that would take more than the limits allow. */
  readonly unseen: number;
}

export interface DamageOptions {
  readonly run: Run;
  /** The verified database that the next one follows; null for a first one. */
  readonly published: Database | null;
  /** Files that the maintainer publishes although they are damaged, as typed. */
  readonly allowDamaged?: readonly string[] | undefined;
}

/** Whether a database lists the bytes of a file nowhere, under no path. */
export function hasNewBytes(
  published: Database | null,
): (file: Pick<FileFacts, 'path' | 'sha256'>) => boolean {
  const hashes = once(() => new Set(Array.from(published?.Files.values() ?? [], ({ SHA256 }) => SHA256)));
  return ({ path, sha256 }) => published?.Files.get(path)?.SHA256 !== sha256 && !hashes().has(sha256);
}

/** Finds damage in files with new bytes. Warns of allowed paths that need no permission. */
export function findDamage(
  directory: string,
  files: readonly FileFacts[],
  { run, published, allowDamaged = [] }: DamageOptions,
): Damage {
  const isNew = hasNewBytes(published);
  const damaged = new Map<string, string>();
  let unseen = 0;
  for (const file of files) {
    if (!isNew(file)) continue;
    const { inspection } = file;
    if (inspection.kind === 'damaged') damaged.set(file.path, inspection.reason);
    if (inspection.kind === 'unseen') unseen += 1;
  }
  const place = { directory, stateFolder: run.stateFolder };
  const allowed = allowDamaged.map((given) => ({
    given,
    path: typedPath(given, place, (path) => damaged.has(path)),
  }));
  for (const { given, path } of allowed) {
    if (path !== null && damaged.has(path)) continue;
    const reason =
      path === null
        ? 'there is no such file in the directory'
        : 'nothing is wrong with it, or it is published already';
    run.warn({ code: 'NOT_DAMAGED', path: path ?? given, message: `allowed, but ${reason}` });
  }
  for (const { path } of allowed) if (path !== null) damaged.delete(path);
  return { damaged, unseen };
}

export function damageWarnings({ damaged }: Pick<Damage, 'damaged'>): Warning[] {
  return Array.from(damaged, ([path, reason]) => ({ code: 'DAMAGED', path, message: `damaged: ${reason}` }));
}

/** Throws DAMAGED. */
export function refuseDamage({ damaged }: Pick<Damage, 'damaged'>): void {
  const [first, ...others] = damaged.keys();
  if (first === undefined) return;
  const lines = Array.from(damaged, ([path, reason]) => `  ${path}: ${reason}`);
  const what = others.length === 0 ? ['a file is', 'it'] : [`${damaged.size} files are`, 'them'];
  throw new PacksignError(
    'DAMAGED',
    [`${what[0]} damaged, and nothing was published:`, ...lines].join('\n'),
    {
      hint: `upload ${what[1]} again; if it has to be so: --allow-damaged ${first}`,
    },
  );
}

import { coverageOf } from '../model/coverage.js';
import type { Coverage, Uncovered } from '../model/coverage.js';
import type { Database } from '../model/database.js';
import { scanFiles } from './objects.js';
import type { Objects } from './objects.js';
import type { Globs } from './scan.js';

/** What a database does not cover of the directory in which it lies. Throws DIRECTORY_UNREADABLE. */
export function coverageIn(
  directory: string,
  { Files }: Database,
  { globs, objects = null }: { readonly globs: Globs; readonly objects?: Objects | null },
): Coverage {
  const isListed = (path: string) => Files.has(path);
  const { files, rest } = scanFiles(directory, { objects }, { globs, isListed });
  const fresh = files.flatMap(({ path }): Uncovered[] => (isListed(path) ? [] : [{ path, reason: 'new' }]));
  return coverageOf([...rest, ...fresh], isListed);
}

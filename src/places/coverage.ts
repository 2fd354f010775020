import { coverageOf } from '../model/coverage.js';
import type { Coverage, Uncovered } from '../model/coverage.js';
import type { Database } from '../model/database.js';
import { scanDirectory } from './scan.js';
import type { Globs } from './scan.js';

/** What a database does not cover of the directory in which it lies. Throws DIRECTORY_UNREADABLE. */
export function coverageIn(directory: string, { Files }: Database, globs: Globs): Coverage {
  const isListed = (path: string) => Files.has(path);
  const { files, rest } = scanDirectory(directory, { globs, isListed });
  const fresh = files.flatMap(({ path }): Uncovered[] => (isListed(path) ? [] : [{ path, reason: 'new' }]));
  return coverageOf([...rest, ...fresh], isListed);
}

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { identityBehind, nameIdentity } from '../disk/identities.js';
import { orElse } from '../model/or-null.js';

/** The stamp of a file that does not exist. */
export const NO_STAMP = '-';

/** Text that changes whenever one of these files of a directory does. */
export function stampFiles(directory: string, names: readonly string[]): string {
  return names.map((name) => stampOf(join(directory, name))).join(' ');
}

function stampOf(path: string): string {
  const identity = identityBehind(path);
  return identity === null ? NO_STAMP : nameIdentity(identity);
}

/** Text that says which directory a path leads to now; null if there is none. */
export function stampDirectory(path: string): string | null {
  const stats = orElse(() => statSync(path, { bigint: true }), null);
  // A new directory often gets the inode of the one that was just removed.
  return stats?.isDirectory() === true ? [stats.dev, stats.ino, stats.birthtimeNs].join(':') : null;
}

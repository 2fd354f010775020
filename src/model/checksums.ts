import type { Database } from './database.js';
import { fileNameOf } from './file-entry.js';

/**
 * The text of `SHA256SUMS` (docs/FORMAT.md §1): a line of coreutils for each file that is listed and not yanked, in byte
 * order of the paths. Paths of a database need no escapes there.
 */
export function checksumsText({ Files }: Pick<Database, 'Files'>): string {
  return Array.from(Files, ([path, { SHA256, Yanked }]) =>
    Yanked === undefined ? `${SHA256}  ${path}\n` : '',
  ).join('');
}

/** Whether a database lists a file that would be in the place of `SHA256SUMS` or `SHA256SUMS.asc` on some system. */
export function listsChecksums({ Files }: Pick<Database, 'Files'>): boolean {
  return Array.from(Files.keys()).some((path) => /^sha256sums(?:\.asc)?(?:\/|$)/i.test(path));
}

/** A command line that compares a download, which has the last name of its path, with its hash. */
export function checkLine(sha256: string, path: string): string {
  // A path holds nothing that a shell acts on. busybox knows -c alone.
  return `echo '${sha256}  ${fileNameOf(path)}' | sha256sum -c`;
}

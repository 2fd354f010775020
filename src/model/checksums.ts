import type { Database } from './database.js';

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

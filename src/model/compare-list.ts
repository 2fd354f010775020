import type { FileEntries } from './file-entry.js';

export interface Compared<T> {
  /** Files whose bytes are not listed under their path. */
  readonly unlisted: readonly T[];
  /** Listed paths that are not among the files. */
  readonly absent: readonly string[];
}

/**
 * Compares files with what a database lists, both in byte order of their paths, and so the results. One walk along both:
 * a table is asked for nothing, because nearly all of many files are as they were.
 */
export function compareWithList<T extends { readonly path: string; readonly sha256: string }>(
  files: readonly T[],
  listed: FileEntries | undefined,
): Compared<T> {
  const unlisted: T[] = [];
  const absent: string[] = [];
  let next = 0;
  const takeUntil = (path: string | null): void => {
    for (
      let file = files[next];
      file !== undefined && (path === null || file.path < path);
      file = files[next]
    ) {
      unlisted.push(file);
      next += 1;
    }
  };
  listed?.forEach(({ SHA256 }, path) => {
    takeUntil(path);
    const file = files[next];
    if (file?.path !== path) {
      absent.push(path);
      return;
    }
    if (file.sha256 !== SHA256) unlisted.push(file);
    next += 1;
  });
  takeUntil(null);
  return { unlisted, absent };
}

import { compareText, comparePackages } from '../model/package.js';
import type { Package } from '../model/package.js';
import type { DatabaseRead, Share } from './database.js';
import type { Entry, ShareEntries } from './shape.js';

/**
 * To read the database that follows another: an entry with the same text is the very same object in both, and is not
 * read again.
 */
export function sharingWith({ database, text, packageStarts, fileStarts }: DatabaseRead): Share {
  const files = Array.from(database.Files, ([key, value]) => ({ key, value }));
  const packages = database.Packages.map((value) => ({ key: '', value }));
  return {
    Packages: share(packages, { text, starts: packageStarts }, (a, b) =>
      comparePackages(a.value as Package, b.value as Package),
    ),
    Files: share(files, { text, starts: fileStarts }, (a, b) => compareText(a.key, b.key)),
  };
}

/** Walks along the entries of the other database, in the order of both. */
function share(
  entries: readonly Entry[],
  { text, starts }: { readonly text: string; readonly starts: readonly number[] },
  compare: (a: Entry, b: Entry) => number,
): ShareEntries {
  let next = 0;
  /** The next entry, if its text stands there. */
  const sameAt = (other: string, at: number): Entry | undefined => {
    const expected = text.slice(starts[next], starts[next + 1]);
    // Comparing two slices is faster than `startsWith`, which looks at one character after another.
    return other.slice(at, at + expected.length) === expected ? entries[next] : undefined;
  };
  return (reading, take) => {
    const { at } = reading;
    let same = sameAt(reading.text, at);
    const taken = same === undefined ? take(reading) : undefined;
    if (taken !== undefined) {
      for (
        let before = entries[next];
        before !== undefined && compare(before, taken) < 0;
        before = entries[next]
      )
        next += 1;
      same = sameAt(reading.text, at);
    }
    if (same === undefined) return taken;
    reading.at = at + ((starts[next + 1] ?? 0) - (starts[next] ?? 0));
    next += 1;
    return same;
  };
}

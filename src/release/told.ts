import { isDeepStrictEqual } from 'node:util';
import { PacksignError } from '../errors.js';
import type { ObjectRow, Seen } from '../format/object-rows.js';
import type { NamedPart } from '../format/part.js';
import type { FileFacts } from '../model/entry.js';
import type { Listing } from '../model/listing.js';
import type { Merged, ReadHere } from '../model/merged.js';
import type { ReadFiles, Told } from '../places/objects.js';

interface Saying {
  readonly file: string;
  readonly row: ObjectRow;
}

/** Holds rows of parts against a listing: they count for the version that they are about, and only if none contradicts. */
export function openTold(parts: readonly NamedPart[], listing: Listing): Told {
  const { fitting, outdated } = sayingsAbout(parts, listing);
  const usesMd5 = Array.from(fitting.values()).some((all) =>
    all.some(({ row }) => agreesWithEtag(row) === true),
  );
  const reasonFor = (path: string): ReadHere['reason'] | null => {
    const [first, ...others] = fitting.get(path) ?? [];
    if (first === undefined) return outdated.has(path) ? 'replaced' : 'missing';
    const { row } = first;
    if (others.some((other) => !isSame(row, other.row))) return 'disputed';
    if (usesMd5 && agreesWithEtag(row) === false) return 'etag';
    if (row.seen === null) return 'missing';
    return row.seen.inspection.kind === 'damaged' ? 'damaged' : null;
  };
  const taken = new Set<string>();
  let merged: Merged = { taken: 0, read: [] };
  return {
    kindOf: (path) => {
      const [first, ...others] = fitting.get(path) ?? [];
      const isAgreed = others.every(({ row }) => row.isProgram === first?.row.isProgram);
      return isAgreed ? (first?.row.isProgram ?? null) : null;
    },
    find: (path) => {
      const row = reasonFor(path) === null ? fitting.get(path)?.[0]?.row : undefined;
      if (row?.seen == null) return null;
      taken.add(path);
      return { path, size: row.size, ...row.seen };
    },
    judge: (read) => {
      refuseWrong(fitting, read);
      for (const path of read.fresh) taken.delete(path);
      const reasons = Array.from(read.fresh, (path) => ({ path, reason: reasonFor(path) ?? 'short' }));
      merged = { taken: taken.size, read: reasons.sort((a, b) => (a.path < b.path ? -1 : 1)) };
    },
    merged: () => merged,
  };
}

interface Sayings {
  /** Path → what is said of the version that is listed. */
  readonly fitting: ReadonlyMap<string, readonly Saying[]>;
  /** Paths of which something is said about another version. */
  readonly outdated: ReadonlySet<string>;
}

function sayingsAbout(parts: readonly NamedPart[], listing: Listing): Sayings {
  const fitting = new Map<string, Saying[]>();
  const outdated = new Set<string>();
  for (const { file, objects } of parts) {
    for (const row of objects.rows) {
      const { path, etag, size, modifiedMs } = row;
      const listed = listing.get(path);
      const isListed =
        etag !== null && listed?.etag === etag && listed.size === size && listed.modifiedMs === modifiedMs;
      if (isListed) fitting.set(path, [...(fitting.get(path) ?? []), { file, row }]);
      else outdated.add(path);
    }
  }
  return { fitting, outdated };
}

/** One of them may not have needed the MD5. */
function isSame(a: ObjectRow, b: ObjectRow): boolean {
  return isDeepStrictEqual({ ...a, seen: null }, { ...b, seen: null }) && isSameSeen(a.seen, b.seen);
}

function isSameSeen(a: Seen | null, b: Seen | null): boolean {
  if (a === null || b === null) return a === b;
  return isSameBytes(a, b) && isDeepStrictEqual([a.reading, a.inspection], [b.reading, b.inspection]);
}

function isSameBytes(a: Pick<Seen, 'sha256' | 'md5'>, b: Pick<Seen, 'sha256' | 'md5'>): boolean {
  return a.sha256 === b.sha256 && (a.md5 === null || b.md5 === null || a.md5 === b.md5);
}

/**
 * Whether the ETag is the MD5 of the row; null if it is no MD5, or there is none to compare. An object that the store has
 * encrypted may have an ETag that only looks like one, so a difference makes us read it, and proves nothing.
 */
function agreesWithEtag({ etag, seen }: ObjectRow): boolean | null {
  if (etag === null || seen?.md5 == null || !/^[0-9a-f]{32}$/i.test(etag)) return null;
  return etag.toLowerCase() === seen.md5;
}

/**
 * Refuses parts that say something else of a file than we know: nothing else in them can be believed then. What an older
 * run knows may rest on another look, so of such a file only the bytes are compared. Throws PART_WRONG.
 */
function refuseWrong(fitting: Sayings['fitting'], { files: read, facts, fresh }: ReadFiles): void {
  const wrong: { readonly path: string; readonly file: string }[] = [];
  read.forEach(({ path }, index) => {
    const known = facts[index] ?? null;
    if (known === null) return;
    for (const { file, row } of fitting.get(path) ?? []) {
      if (row.seen !== null && !isRight(row.seen, known, fresh.has(path))) wrong.push({ path, file });
    }
  });
  if (wrong.length === 0) return;
  const files = Array.from(new Set(wrong.map(({ file }) => file)));
  const lines = wrong.map(({ path, file }) => `  ${path}: ${file} says something else`);
  const them = files.length === 1 ? 'it' : 'them';
  throw new PacksignError(
    'PART_WRONG',
    [`${files.join(' and ')} cannot be believed, so nothing is built; packsign has read:`, ...lines].join(
      '\n',
    ),
    {
      hint: `make ${them} again on another machine, or merge without ${them}: packsign then reads those objects itself`,
    },
  );
}

function isRight(seen: Seen, known: FileFacts, isFresh: boolean): boolean {
  return isFresh ? isSameSeen(seen, known) : isSameBytes(seen, known);
}

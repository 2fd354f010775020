import { isDeepStrictEqual } from 'node:util';
import { PacksignError } from '../errors.js';
import type { ObjectRow, Seen } from '../format/object-rows.js';
import type { NamedPart } from '../format/part.js';
import type { FileFacts } from '../model/entry.js';
import type { Listing } from '../model/listing.js';
import type { Merged, ReadHere } from '../model/merged.js';
import type { ReadFiles, Told } from '../places/objects.js';
import { md5InEtag } from './etag-md5.js';

/** A row, and the file that it is in. */
interface Saying {
  readonly file: string;
  readonly row: ObjectRow;
}

/** What parts say of one object, as it is listed. */
interface Sayings {
  readonly all: readonly Saying[];
  /** Whether two of them contradict each other. */
  readonly isDisputed: boolean;
  readonly isProgram: boolean | null;
  /** With the MD5, if one of them has it. */
  readonly seen: Seen | null;
  /** Whether the ETag is the MD5; null if nobody can tell. */
  readonly isMd5: boolean | null;
}

/** Holds rows of parts against a listing: they count for the version that they are about, and only if none contradicts. */
export function openTold(parts: readonly NamedPart[], listing: Listing): Told {
  const { fitting, outdated } = sayingsAbout(parts, listing);
  const usesMd5 = Array.from(fitting.values()).some(({ isMd5 }) => isMd5 === true);
  const reasonFor = (path: string): ReadHere['reason'] | null => {
    const said = fitting.get(path);
    if (said === undefined) return outdated.has(path) ? 'replaced' : 'missing';
    if (said.isDisputed) return 'disputed';
    if (doubted.has(path)) return 'cache';
    if (usesMd5 && said.isMd5 === false) return 'etag';
    if (said.seen === null) return 'missing';
    return said.seen.inspection.kind === 'damaged' ? 'damaged' : null;
  };
  const taken = new Set<string>();
  const doubted = new Set<string>();
  let merged: Merged = { taken: 0, read: [] };
  return {
    kindOf: (path) => {
      const { isDisputed = true, isProgram = null } = fitting.get(path) ?? {};
      return isDisputed ? null : isProgram;
    },
    find: (path, known) => {
      const isDoubted = fitting.get(path)?.all.some(({ row }) => differs(row, known)) === true;
      if (isDoubted) doubted.add(path);
      if (known !== null) return isDoubted ? null : known;
      const seen = reasonFor(path) === null ? (fitting.get(path)?.seen ?? null) : null;
      if (seen === null) return null;
      taken.add(path);
      return { path, size: listing.get(path)?.size ?? 0, ...seen };
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

interface Heard {
  /** Path → what is said of the version that is listed. */
  readonly fitting: ReadonlyMap<string, Sayings>;
  /** Paths of which something is said about another version. */
  readonly outdated: ReadonlySet<string>;
}

function sayingsAbout(parts: readonly NamedPart[], listing: Listing): Heard {
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
  return { fitting: new Map(Array.from(fitting, ([path, all]) => [path, together(all)])), outdated };
}

/** Parts that were made under other settings may say more or less, which is no contradiction. */
function together(all: readonly Saying[]): Sayings {
  const kinds = all.flatMap(({ row: { isProgram } }) => isProgram ?? []);
  const looks = all.flatMap(({ row: { seen } }) => seen ?? []);
  const [first] = looks;
  return {
    all,
    isDisputed: new Set(kinds).size > 1 || looks.some((one) => first !== undefined && !isSame(one, first)),
    isProgram: kinds[0] ?? null,
    seen: looks.find(({ md5 }) => md5 !== null) ?? first ?? null,
    isMd5: all.map(({ row }) => isMd5Etag(row)).find((one) => one !== null) ?? null,
  };
}

function isSame(a: Seen, b: Seen): boolean {
  return isSameBytes(a, b) && isDeepStrictEqual([a.reading, a.inspection], [b.reading, b.inspection]);
}

/** One of them may not have needed the MD5. */
function isSameBytes(a: Pick<Seen, 'sha256' | 'md5'>, b: Pick<Seen, 'sha256' | 'md5'>): boolean {
  return a.sha256 === b.sha256 && (a.md5 === null || b.md5 === null || a.md5 === b.md5);
}

/** Whether a row is about other bytes than an earlier run knows, which may have taken them from a part. */
function differs({ seen }: ObjectRow, known: FileFacts | null): boolean {
  return seen !== null && known !== null && !isSameBytes(seen, known);
}

/**
 * Whether the ETag is the MD5 of the row; null if it is no MD5, or there is none to compare. An object that the store has
 * encrypted may have an ETag that only looks like one, so a difference makes us read it, and proves nothing.
 */
function isMd5Etag({ etag, seen }: ObjectRow): boolean | null {
  const listed = md5InEtag(etag);
  return listed === null || seen?.md5 == null ? null : listed === seen.md5;
}

/**
 * Refuses parts that say something else of an object than we have read now, or than each other: nothing else in them can
 * be believed then. Throws PART_WRONG.
 */
function refuseWrong(fitting: Heard['fitting'], { files: all, facts: found, fresh }: ReadFiles): void {
  const read = new Map(all.map(({ path }, index) => [path, fresh.has(path) ? (found[index] ?? null) : null]));
  const lines: string[] = [];
  const files = new Set<string>();
  for (const [path, said] of fitting) {
    const facts = read.get(path) ?? null;
    const wrong = said.all.filter(
      ({ row: { seen } }) => seen !== null && facts !== null && !isSame(seen, facts),
    );
    const accused = wrong.length === 0 && said.isDisputed ? said.all : wrong;
    const names = Array.from(new Set(accused.map(({ file }) => file)));
    for (const name of names) files.add(name);
    if (wrong.length > 0)
      lines.push(`  ${path}: packsign has read it, and it is not what ${list(names)} says`);
    else if (names.length > 0) lines.push(`  ${path}: ${list(names)} contradict each other`);
  }
  if (files.size === 0) return;
  const them = files.size === 1 ? 'it' : 'them';
  throw new PacksignError(
    'PART_WRONG',
    [`${list(files)} cannot be believed, so nothing is built:`, ...lines].join('\n'),
    {
      hint: `make ${them} again on another machine, or merge without ${them}: packsign then reads those objects itself`,
    },
  );
}

function list(names: Iterable<string>): string {
  return Array.from(names).join(' and ');
}

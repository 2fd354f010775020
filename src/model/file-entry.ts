import { isInWayOfOwn } from './layout.js';

/** One entry of `Files` (docs/FORMAT.md §5). Its key is the path of the file. */
export interface FileEntry {
  /** The package in it; absent with `Version` and `Flavor` where its name and version cannot be read. */
  readonly Name?: string;
  readonly Version?: string;
  readonly Flavor?: string;
  /** The systems and architectures that it is for, joined by `-`. */
  readonly Platform?: string;
  /** In bytes, counted while hashing. */
  readonly Size: number;
  /** 64 lower-case hex digits: the evidence. */
  readonly SHA256: string;
  /** `Issued` of the database that first lists these bytes (again) under this path. */
  readonly Since: Date;
  /** Whether the file gets other bytes under its path by design, which need no record. */
  readonly Mutable?: true;
  /** Why nobody should use the file any more; it stays listed and verifiable. */
  readonly Yanked?: string;
}

/** An entry with a package in it. */
export type NamedEntry = FileEntry & Required<Pick<FileEntry, 'Name' | 'Version' | 'Flavor'>>;

/** Whether the name and version of a file are known. */
export function isNamed(entry: FileEntry): entry is NamedEntry {
  return entry.Version !== undefined;
}

/** File path → entry, in byte order of the paths. */
export type FileEntries = ReadonlyMap<string, FileEntry>;

/** The most files that a database may list (docs/FORMAT.md §9). */
export const FILE_LIMIT = 250_000;

// Made once, because every file needs them.
const SHA256 = /^[0-9a-f]{64}$/;
const CAPITAL = /[A-Z]/;
const SAFE_CHARACTERS = /^[A-Za-z0-9_][A-Za-z0-9._+~=@,!-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._+~=@,!-]*)*$/;
const PATH_LIMIT_BYTES = 1024;
const SEGMENT_LIMIT_BYTES = 255;

/** The end of a segment, or of the part of it before its first dot. */
const [END, END_OR_DOT] = ['(?:/|$)', '(?:[/.]|$)'];

/** Segments of folded paths that would name something else on another system. */
const MISREAD: readonly (readonly [source: string, defect: string])[] = [
  [`\\.${END}`, 'a name must not end with a dot, which Windows drops'],
  [
    `(?:^|/)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])${END_OR_DOT}`,
    'a name must not be that of a Windows device (CON, NUL, COM1 and the like), with any extension',
  ],
  [
    `(?:^|/)(?=[^/.]{3,8}${END_OR_DOT})[^/.]*~[0-9]+(?:\\.[^/.]{0,3})?${END}`,
    'a name must not look like a short name of Windows (NAME~1.EXT), which leads to another file',
  ],
];

// One pattern for all, because nearly every path of a large database passes.
const ANY_MISREAD = new RegExp(MISREAD.map(([source]) => source).join('|'));

/**
 * Why a database may not list a path (docs/FORMAT.md §5, threats T11, T17 and T36); null if it may. It is relative, with
 * forward slashes, no segment begins with a dot or holds a character that a shell would act on, and it means the same
 * file on every system.
 */
export function defectOfPath(path: string): string | null {
  if (!SAFE_CHARACTERS.test(path)) {
    return 'a name may hold letters, digits and . _ + ~ = @ , ! - and begins with a letter, digit or _';
  }
  if (path.length > PATH_LIMIT_BYTES) return `a path may have at most ${PATH_LIMIT_BYTES} bytes`;
  const isLong = (segment: string) => segment.length > SEGMENT_LIMIT_BYTES;
  if (isLong(path) && path.split('/').some(isLong)) {
    return `a name may have at most ${SEGMENT_LIMIT_BYTES} bytes`;
  }
  const folded = foldPath(path);
  if (isInWayOfOwn(folded)) return 'a name must not be that of a file or folder of packsign itself';
  if (!ANY_MISREAD.test(folded)) return null;
  return MISREAD.find(([source]) => new RegExp(source).test(folded))?.[1] ?? null;
}

/** Whether a database may list a path. */
export function isSafePath(path: string): boolean {
  return defectOfPath(path) === null;
}

/** Paths that fold to the same text conflict: file systems that ignore case would mix them up. */
export function foldPath(path: string): string {
  return CAPITAL.test(path) ? path.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase()) : path;
}

/**
 * Two paths that some file systems cannot hold side by side: they differ only in case, or one is a folder of the other.
 * Null if there are none. The paths come in byte order.
 */
export function findConflict(paths: Iterable<string>): readonly [string, string] | null {
  const all = Array.from(paths);
  // They are ASCII, for which this is the same as `foldPath`, and faster.
  const folded = all.map((path) => path.toLowerCase());
  if (folded.some((path, index) => path !== all[index])) folded.sort();
  // The earlier paths that this one begins with, each of which begins with the one before it.
  const beginnings: string[] = [];
  for (const path of folded) {
    while (beginnings.length > 0 && !path.startsWith(beginnings.at(-1) ?? '')) beginnings.pop();
    const last = beginnings.at(-1);
    // Shorter ones were compared with `last`, which goes on after them as this path does.
    if (last !== undefined && (path === last || path[last.length] === '/')) {
      const [one = last, other = path] = all.filter((each) => [last, path].includes(each.toLowerCase()));
      return [one, other];
    }
    beginnings.push(path);
  }
  return null;
}

/** Whether text is a SHA-256 in its canonical form (threat T10). */
export function isSha256(text: string): boolean {
  return SHA256.test(text);
}

/** The last segment of a path. */
export function fileNameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The folders of a path: `a/b` and `a` of `a/b/c`. */
export function foldersOf(path: string): readonly string[] {
  const end = path.lastIndexOf('/');
  return end === -1 ? [] : [path.slice(0, end), ...foldersOf(path.slice(0, end))];
}

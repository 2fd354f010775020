/** One entry of `Archives` (docs/FORMAT.md §5). Its key is the path of the file. */
export interface FileEntry {
  readonly Name: string;
  readonly Version: string;
  readonly Flavor: string;
  /** In bytes, counted while hashing. */
  readonly Size: number;
  /** 64 lower-case hex digits: the evidence. */
  readonly SHA256: string;
  /** `Issued` of the database that first lists these bytes (again) under this path. */
  readonly Since: Date;
  /** Why nobody should use the file any more; it stays listed and verifiable. */
  readonly Yanked?: string;
}

/** File path → entry, in byte order of the paths. */
export type FileEntries = ReadonlyMap<string, FileEntry>;

/** The most files that a database may list (docs/FORMAT.md §9). */
export const FILE_LIMIT = 250_000;

// Made once, because every file needs them.
const SHA256 = /^[0-9a-f]{64}$/;
const CAPITAL = /[A-Z]/;
const SAFE_PATH = /^[A-Za-z0-9_][A-Za-z0-9._+~=@,!-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._+~=@,!-]*)*$/;

/**
 * Whether a database may list a path (docs/FORMAT.md §5, threats T11 and T17): relative, with forward slashes, at most
 * 1,024 bytes, and no segment that begins with a dot or holds a character that a shell would act on.
 */
export function isSafePath(path: string): boolean {
  return path.length <= 1024 && SAFE_PATH.test(path);
}

/** Paths that fold to the same text conflict: file systems that ignore case would mix them up. */
export function foldPath(path: string): string {
  return CAPITAL.test(path) ? path.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase()) : path;
}

/** Whether text is a SHA-256 in its canonical form (threat T10). */
export function isSha256(text: string): boolean {
  return SHA256.test(text);
}

/** The last segment of a path. */
export function fileNameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

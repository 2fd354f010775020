/** One entry of `Archives`: what was hashed (docs/FORMAT.md §5). Its key is the archive's path. */
export interface FileEntry {
  readonly Name: string;
  readonly Version: string;
  readonly Flavor: string;
  /** Bytes, counted from the stream that was hashed. */
  readonly Size: number;
  /** 64 lower-case hex digits: the evidence. */
  readonly SHA256: string;
  /** `Issued` of the database that first lists these bytes (again) under this path. */
  readonly Since: Date;
  /** Why the file was withdrawn from use; it stays listed and verifiable. */
  readonly Yanked?: string;
}

/** File path → entry, in byte order of the paths. */
export type FileEntries = ReadonlyMap<string, FileEntry>;

/** Most files of one database (docs/FORMAT.md §9). */
export const FILE_LIMIT = 250_000;

// Patterns that are asked for every file are made once.
const SHA256 = /^[0-9a-f]{64}$/;
const CAPITAL = /[A-Z]/;
const SAFE_PATH = /^[A-Za-z0-9_][A-Za-z0-9._+~=@,!-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._+~=@,!-]*)*$/;

/**
 * Whether a path may stand in a database (docs/FORMAT.md §5, threats T11 and T17): relative, forward
 * slashes, no segment that begins with a dot or holds anything that a shell would act on, at most 1,024 bytes.
 */
export function isSafePath(path: string): boolean {
  return path.length <= 1024 && SAFE_PATH.test(path);
}

/** A path as it counts for uniqueness: file systems that ignore case must not mix two files up. */
export function foldPath(path: string): string {
  return CAPITAL.test(path) ? path.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase()) : path;
}

/** Whether text is a SHA-256 in the form that counts as evidence (threat T10). */
export function isSha256(text: string): boolean {
  return SHA256.test(text);
}

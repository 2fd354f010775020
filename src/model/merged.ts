/** What became of what other machines said of the objects of a bucket. */
export interface Merged {
  /** How many files nobody had to read again. */
  readonly taken: number;
  /** Files that were read here, and why, in byte order of their paths. */
  readonly read: readonly ReadHere[];
}

export interface ReadHere {
  readonly path: string;
  readonly reason: keyof typeof WHY_READ;
}

/** Why a file was read here. */
export const WHY_READ = {
  missing: 'no part has it',
  replaced: 'replaced since its part was made',
  disputed: 'two parts contradict each other',
  cache: 'an earlier run knows something else than its part says',
  etag: 'its MD5 is not the ETag of the store',
  short: 'no part has its MD5, or looked far enough through it',
  damaged: 'damaged, as its part says',
} as const;

/** A member of an archive, as its header describes it. All of it may be hostile. */
export interface Member {
  /** The name that it is unpacked under, then others that some programs take in its place. */
  readonly names: readonly [string, ...string[]];
  readonly kind: 'file' | 'folder' | 'symbolic link' | 'hard link' | 'special';
  /** Where a link leads; null if it is none, or nobody can tell. */
  readonly target: string | null;
  /** Permissions, as in Unix; null if the header has none. */
  readonly mode: number | null;
  /** Null if the header has no usable time. */
  readonly modifiedMs: number | null;
}

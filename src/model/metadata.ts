export const METADATA_KINDS = [
  ...(['sdist', 'wheel', 'egg', 'npm', 'deb', 'rpm', 'gem', 'crate'] as const),
  ...(['helm', 'conda', 'nupkg', 'vsix', 'jar', 'pacman', 'alpine'] as const),
] as const;

export type MetadataKind = (typeof METADATA_KINDS)[number];

/** What a file says about itself. It may be hostile: use it only for display. */
export interface Metadata {
  readonly kind: MetadataKind;
  /** Printable ASCII without spaces, never empty; the same for `version`. */
  readonly name: string;
  readonly version: string;
  /** The systems and architectures that it is for, joined by `-`, as docs/FORMAT.md §5 allows; absent if it names none. */
  readonly platform?: string;
  /** One line, maybe empty. */
  readonly summary: string;
  /** An http or https address, or null. */
  readonly homePage: string | null;
}

/** The result of reading a file. `reason` is for a warning. */
export type MetadataReading =
  | { readonly kind: 'found'; readonly metadata: Metadata }
  | { readonly kind: 'absent'; readonly reason: string };

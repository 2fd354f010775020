/** What a file says about itself. It may be hostile: use it only for display. */
export interface Metadata {
  readonly kind: 'sdist' | 'wheel' | 'egg' | 'npm';
  /** Printable ASCII without spaces, never empty; the same for `version`. */
  readonly name: string;
  readonly version: string;
  /** One line, maybe empty. */
  readonly summary: string;
  /** An http or https address, or null. */
  readonly homePage: string | null;
}

/** The result of reading a file. `reason` is for a warning. */
export type MetadataReading =
  | { readonly kind: 'found'; readonly metadata: Metadata }
  | { readonly kind: 'absent'; readonly reason: string };

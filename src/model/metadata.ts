/** What a file says of itself. Hostile until shown otherwise: display data, nothing more. */
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

/** What reading a file came to. `absent` says why, for a warning. */
export type MetadataReading =
  | { readonly kind: 'found'; readonly metadata: Metadata }
  | { readonly kind: 'absent'; readonly reason: string };

/** Work on many bytes: what it is, and how far it has come. */
export interface Work {
  /** `hashing`, `downloading`. */
  readonly doing: string;
  readonly bytes: number;
  /** How many of them are done by now. */
  readonly done: () => number;
  /** In how many files, and how many of these are done: each takes time, however short it is. */
  readonly files: { readonly count: number; readonly done: () => number };
  /** How many bytes were there from the start, and say nothing about how fast it goes. */
  readonly had?: () => number;
}

export interface Shown {
  /** Gets the work that begins, and null when it is over. */
  readonly progress: (work: Work | null) => void;
}

/** For work that is part of another one, which is shown. */
export const UNSEEN: Shown = { progress: () => undefined };

/** Workers on other machines, who are asked by texts and answer by texts. */
export interface RemoteWorkers extends Questions {
  /** What of their answers is read again here; null for nothing. */
  readonly doubleCheck: DoubleCheck | null;
}

export interface Questions {
  /**
   * Has each question answered, once for everybody who asks it. `take` gets the answers as they come, by the numbers of
   * their questions. Throws QUEUE_FAILED.
   */
  readonly ask: (questions: readonly string[], take: TakeAnswer) => Promise<void>;
  /** Forgets the answers to these questions at once. */
  readonly forget: (questions: readonly string[]) => Promise<void>;
  /** Has the answers to these questions forgotten in the end, when what they say is kept elsewhere. */
  readonly settle: (questions: readonly string[]) => void;
}

export type TakeAnswer = (answer: WorkerAnswer, number: number) => void;

export type WorkerAnswer =
  | { readonly kind: 'answer'; readonly worker: string; readonly text: string }
  /** Nobody could answer. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface DoubleCheck {
  readonly percent: number;
  /** Hears of a check that found no difference. */
  readonly onChecked: (checked: DoubleChecked) => void;
}

export interface DoubleChecked {
  /** How many files were read again here, and how many workers have read. */
  readonly sample: number;
  readonly total: number;
}

import type { ReadStream, WriteStream } from 'node:tty';

/** The outside of the program, handed in at the edge: nothing below `cli` touches it (law of the house). */
export interface Outside {
  readonly stdin: NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY'>>;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: () => Date;
  /** Does what SIGINT would: for Ctrl-C where the terminal makes no signal of it. */
  readonly interrupt: () => void;
  /** Asks to be told of SIGINT and SIGTERM, which otherwise end the program. */
  readonly stopSignal: () => AbortSignal;
}

/** Whether a person sits at the keyboard. */
export function canAsk(outside: Outside): boolean {
  return outside.stdin.isTTY === true && outside.stderr.isTTY === true;
}

/** Whether moving text may be shown; a terminal without a width would make a spinner loop for ever. */
export function canAnimate(outside: Outside): boolean {
  return outside.stderr.isTTY === true && (outside.stderr.columns ?? 0) > 0;
}

/** Whether colours may be used on stderr or stdout. */
export function canColor(
  { environment }: Pick<Outside, 'environment'>,
  stream: { readonly isTTY?: boolean },
): boolean {
  return stream.isTTY === true && (environment['NO_COLOR'] ?? '') === '';
}

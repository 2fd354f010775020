import type { ReadStream, WriteStream } from 'node:tty';

/** What is outside the program, passed in from the edge: nothing below `cli` touches it. */
export interface Outside {
  readonly stdin: NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY'>>;
  readonly stdout: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>;
  readonly stderr: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: () => Date;
  /** How often a long work is told of where no terminal shows it. */
  readonly progressEveryMs: number;
  /** Acts as SIGINT does: for Ctrl-C while the terminal sends no signal for it. */
  readonly interrupt: () => void;
  /** Subscribes to SIGINT, SIGTERM and SIGHUP, which otherwise end the program. */
  readonly stopSignal: () => AbortSignal;
  /** Has something given up before a signal ends the program, unless that takes long; what this returns takes it back. */
  readonly atSignal: (giveUp: () => Promise<void>) => () => void;
  /** Subscribes to an internal error that ends the program as soon as this returns. */
  readonly onCrash: (tell: (error: unknown) => void) => void;
}

/** Whether packsign can ask the user. */
export function canAsk(outside: Outside): boolean {
  return outside.stdin.isTTY === true && outside.stderr.isTTY === true;
}

/** Whether packsign may show moving text; a spinner loops for ever on a terminal without a width. */
export function canAnimate({ stderr, environment: { TERM, CI } }: Outside): boolean {
  return stderr.isTTY === true && (stderr.columns ?? 0) > 0 && TERM !== 'dumb' && CI === undefined;
}

/** Whether packsign may use colours on stderr or stdout. */
export function canColor(
  { environment }: Pick<Outside, 'environment'>,
  stream: { readonly isTTY?: boolean },
): boolean {
  return stream.isTTY === true && (environment['NO_COLOR'] ?? '') === '';
}

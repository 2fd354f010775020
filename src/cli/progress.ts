import { canAnimate, canColor } from './streams.js';
import type { Outside } from './streams.js';

/** A spinner for work that takes long. */
export interface Progress {
  /** Whether there is a terminal to show it. */
  readonly isShown: boolean;
  /** Shows this text, unless the work ends within a moment. */
  readonly say: (text: string) => void;
  /** Hides the spinner until the next `say`. */
  readonly rest: () => void;
}

const SILENT: Progress = { isShown: false, say: () => undefined, rest: () => undefined };
/** Work that ends sooner is not worth a spinner, nor loading one. */
const PATIENCE_MS = 400;

interface Spinner {
  text: string;
  readonly start: () => unknown;
  readonly stop: () => unknown;
}

/** A spinner on stderr; a silent one if stderr is no terminal. */
export function makeProgress(outside: Outside, { quiet }: { quiet: boolean }): Progress {
  if (quiet || !canAnimate(outside)) return SILENT;
  let shown: string | null = null;
  let timer: NodeJS.Timeout | null = null;
  let spinner: Spinner | null = null;
  const begin = async () => {
    const { default: ora } = await import('ora');
    const color = canColor(outside, outside.stderr) && 'cyan';
    // With `discardStdin` ora would swallow Ctrl-C.
    spinner ??= ora({ stream: outside.stderr, discardStdin: false, color });
    if (shown === null) return;
    spinner.text = shown;
    spinner.start();
  };
  return {
    isShown: true,
    say: (text) => {
      shown = text;
      if (spinner !== null) spinner.text = text;
      timer ??= setTimeout(() => {
        begin().catch(() => undefined);
      }, PATIENCE_MS);
    },
    rest: () => {
      shown = null;
      if (timer !== null) clearTimeout(timer);
      timer = null;
      spinner?.stop();
    },
  };
}

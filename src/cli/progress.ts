import { canAnimate, canColor } from './streams.js';
import type { Outside } from './streams.js';

/** A spinner that shows while there is something to wait for. */
export interface Progress {
  /** Whether there is anybody to show it to. */
  readonly isShown: boolean;
  /** Shows this text, after a moment in which the work may already be done. */
  readonly say: (text: string) => void;
  /** Takes it away, until there is something to say again. */
  readonly rest: () => void;
}

const SILENT: Progress = { isShown: false, say: () => undefined, rest: () => undefined };
/** Work that is done sooner than this is not worth a spinner, nor loading one. */
const PATIENCE_MS = 400;

interface Spinner {
  text: string;
  readonly start: () => unknown;
  readonly stop: () => unknown;
}

/** A spinner on stderr; nothing where there is no terminal to show it. */
export function makeProgress(outside: Outside, { quiet }: { quiet: boolean }): Progress {
  if (quiet || !canAnimate(outside)) return SILENT;
  let shown: string | null = null;
  let timer: NodeJS.Timeout | null = null;
  let spinner: Spinner | null = null;
  const begin = async () => {
    const { default: ora } = await import('ora');
    // Left to itself ora would swallow Ctrl-C.
    const color = canColor(outside, outside.stderr) && 'cyan';
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

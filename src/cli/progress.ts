import { canAnimate } from './streams.js';
import type { Outside } from './streams.js';

export interface Progress {
  /** Replaces the text beside the spinner. */
  readonly say: (text: string) => void;
  readonly stop: () => void;
}

const SILENT: Progress = { say: () => undefined, stop: () => undefined };
/** Work that is done sooner than this is not worth a spinner, nor loading one. */
const PATIENCE_MS = 400;

/** A spinner on stderr while a command runs; nothing where there is no terminal to show it. */
export function startProgress(outside: Outside, { quiet, text }: { quiet: boolean; text: string }): Progress {
  if (quiet || !canAnimate(outside)) return SILENT;
  let shown = text;
  let stopped = false;
  let spinner: { text: string; stop: () => unknown } | null = null;
  const begin = async () => {
    const { default: ora } = await import('ora');
    if (stopped) return;
    // Left to itself ora would swallow Ctrl-C.
    spinner = ora({ text: shown, stream: outside.stderr, discardStdin: false }).start();
  };
  const timer = setTimeout(() => {
    begin().catch(() => undefined);
  }, PATIENCE_MS);
  return {
    say: (next) => {
      shown = next;
      if (spinner !== null) spinner.text = next;
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      spinner?.stop();
    },
  };
}

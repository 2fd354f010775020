import { formatBytes } from '../index.js';
import type { Work } from '../index.js';
import { canAnimate, canColor } from './streams.js';
import { formatInteger } from './terminal.js';
import type { Outside } from './streams.js';

/** What packsign says on stderr while work takes long: one line that moves on a terminal, else a line now and then. */
export interface Progress {
  /** Shows a work, or a text, in place of the last one. */
  readonly say: (what: Work | string) => void;
  /** Shows nothing until the next `say`: before a question, and when the work is over. */
  readonly rest: () => void;
  /** Writes to the same terminal meanwhile. */
  readonly aside: (write: () => void) => void;
}

const SILENT: Progress = { say: () => undefined, rest: () => undefined, aside: (write) => write() };
/** Work that ends sooner is not worth a line, nor loading a spinner. */
const PATIENCE_MS = 150;
/** More takes long for sure. People have waited since they pressed Enter: it has a line before the spinner is loaded. */
const LONG_BYTES = 200_000_000;
/** How often the line of a terminal changes. */
const TICK_MS = 100;

interface Spinner {
  text: string;
  readonly start: () => unknown;
  readonly clear: () => unknown;
  readonly stop: () => unknown;
}

export function makeProgress(outside: Outside, { quiet }: { quiet: boolean }): Progress {
  if (quiet) return SILENT;
  return canAnimate(outside) ? onTerminal(outside) : inLog(outside);
}

function onTerminal(outside: Outside): Progress {
  const { stderr } = outside;
  let line: Line | null = null;
  let spinner: Spinner | null = null;
  let timer: NodeJS.Timeout | null = null;
  let hasFirstLine = false;
  const clearFirstLine = () => {
    if (hasFirstLine) stderr.write('\r\u001b[K');
    hasFirstLine = false;
  };
  // A longer line would wrap, and one that wraps is not cleared.
  const text = () => (line?.() ?? '').slice(0, Math.max(0, (stderr.columns ?? 0) - 4));
  const begin = async () => {
    const { default: ora } = await import('ora');
    // With `discardStdin` ora would swallow Ctrl-C.
    spinner ??= ora({ stream: stderr, discardStdin: false, color: canColor(outside, stderr) && 'cyan' });
    if (line === null || timer === null) return;
    clearTimeout(timer);
    const shown = spinner;
    const tick = () => (shown.text = text());
    clearFirstLine();
    tick();
    shown.start();
    timer = setInterval(tick, TICK_MS);
  };
  return {
    say: (what) => {
      line = lineOf(what);
      if (timer !== null) return;
      const isLong = typeof what !== 'string' && what.bytes > LONG_BYTES;
      if (isLong) stderr.write(`  ${text()}`);
      hasFirstLine = isLong;
      timer = setTimeout(
        () => {
          begin().catch(() => undefined);
        },
        isLong ? 0 : PATIENCE_MS,
      );
    },
    rest: () => {
      line = null;
      if (timer !== null) clearTimeout(timer);
      timer = null;
      clearFirstLine();
      spinner?.stop();
    },
    aside: (write) => {
      clearFirstLine();
      spinner?.clear();
      write();
    },
  };
}

function inLog({ stderr, progressEveryMs }: Outside): Progress {
  let line: Line | null = null;
  let timer: NodeJS.Timeout | null = null;
  const tell = () => {
    if (line !== null) stderr.write(`packsign: ${line()}\n`);
  };
  return {
    ...SILENT,
    say: (what) => {
      line = lineOf(what);
      timer ??= setInterval(tell, progressEveryMs).unref();
    },
    rest: () => {
      line = null;
    },
  };
}

type Line = () => string;

/** The speed is that of the last few seconds. */
const WINDOW_MS = 10_000;
/** Before that, a speed says nothing. */
const KNOWN_MS = 1000;

function lineOf(what: Work | string): Line {
  if (typeof what === 'string') return () => what;
  const { doing, bytes, done, had = () => 0, files } = what;
  const sample = () => ({ atMs: performance.now(), done: done(), files: files.done() });
  const samples = [sample()];
  return () => {
    const now = sample();
    samples.push(now);
    while (samples.length > 2 && now.atMs - (samples[1]?.atMs ?? 0) > WINDOW_MS) samples.shift();
    const [first = now] = samples;
    const all = had() + now.done;
    const tookMs = now.atMs - first.atMs;
    const perSecond = (count: number) => (tookMs < KNOWN_MS ? 0 : (count / tookMs) * 1000);
    const speed = perSecond(now.done - first.done);
    // Each takes all the time that passed for its own, and so promises too much.
    const left = Math.min(
      secondsFor(bytes - all, speed),
      secondsFor(files.count - now.files, perSecond(now.files - first.files)),
    );
    const counted =
      files.count > 1 ? `${formatInteger(now.files)} of ${formatInteger(files.count)} files, ` : '';
    // What is sent again counts less than nothing.
    const rate = speed > 0 ? `, ${formatBytes(speed)}/s` : '';
    const time = left === Infinity ? '' : `, ${timeLeft(left)}`;
    return `${doing} ${counted}${formatBytes(all)} of ${formatBytes(bytes)}${rate}${time}`;
  };
}

/** How long it takes until nothing is left. */
function secondsFor(left: number, perSecond: number): number {
  return perSecond > 0 ? left / perSecond : Infinity;
}

/** `40 s left`, `3 min left`. */
function timeLeft(seconds: number): string {
  const [value, unit] =
    seconds < 100 ? [seconds, 's'] : seconds < 6000 ? [seconds / 60, 'min'] : [seconds / 3600, 'h'];
  return `${Math.max(1, Math.ceil(value))} ${unit} left`;
}

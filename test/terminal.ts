import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import type { Place } from './packsign.js';

/** What is typed once a text is seen. */
export type Typing = readonly [seen: string, typed: string];

export const CTRL_C = '\u0003';
export const CTRL_D = '\u0004';
export const CTRL_Z = '\u001a';

export interface TerminalOptions {
  readonly typing?: readonly Typing[];
  readonly env?: Readonly<Record<string, string>>;
  /** The width of the terminal; 0 if it does not know it. */
  readonly columns?: number;
  /** Whether Ctrl-Z stops it, once; the shell has it go on. */
  readonly isStopped?: boolean;
  /** Gets all that was seen, whenever there is more. */
  readonly onSeen?: (seen: string) => void;
}

export interface TerminalRun {
  readonly status: number | null;
  readonly seen: string;
  /** What `stty -a` says of the terminal afterwards. */
  readonly modes: string;
}

const END = '-- modes --';

/** A run of packsign in front of a person; `script` makes the terminal. */
export async function atTerminal(
  place: Place,
  args: readonly string[],
  { typing = [], env = {}, columns = 100, isStopped = false, onSeen = () => undefined }: TerminalOptions = {},
): Promise<TerminalRun> {
  const command = [process.execPath, resolve('dist/bin/packsign.js'), ...args].map((word) => `'${word}'`);
  const lines = [
    // Ctrl-C is for packsign alone.
    'trap : INT',
    `stty cols ${columns}`,
    ...(isStopped ? ['set -m', command.join(' '), 'fg'] : [command.join(' ')]),
    'status=$?',
    `echo; echo '${END}'`,
    'stty -a',
    'exit $status',
  ];
  const child = spawn('script', ['-qec', lines.join('; '), '/dev/null'], {
    cwd: place.root,
    env: {
      ...{ PATH: process.env['PATH'], TERM: 'xterm', HOME: place.path('home') },
      ...{ XDG_CONFIG_HOME: place.path('config'), XDG_CACHE_HOME: place.path('cache') },
      ...env,
    },
    timeout: 50_000,
  });
  const waiting = [...typing];
  let [seen, read] = ['', 0];
  child.stdout.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
    onSeen(seen);
    const [text, typed] = waiting[0] ?? [null, ''];
    if (text === null || !seen.includes(text, read)) return;
    read = seen.length;
    waiting.shift();
    child.stdin.write(typed);
  });
  const status = await new Promise<number | null>((done) => child.on('close', done));
  const [shown = '', modes = ''] = seen.split(END);
  return { status, seen: shown, modes };
}

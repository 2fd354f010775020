import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { Readable, Writable } from 'node:stream';
import type * as OpenPgp from 'openpgp';
import type { main as Main } from '../src/cli/main.js';

/** The program as it ships. */
export const PROGRAM = resolve('dist/bin/packsign.js');

/** What one run of packsign came to. */
export interface Run {
  readonly args: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
  /** Null when a signal ended it. */
  readonly status: number | null;
}

export interface Surroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  readonly progressEveryMs?: number;
}

const require = createRequire(import.meta.url);
/** From a bundle like that of the program: its five hundred modules would take half a second to load. */
const { main } = require(resolve('dist/program/cli/main.js')) as { main: typeof Main };

/** OpenPGP.js as these runs have it. What tests import themselves is another instance. */
export function openpgpOfRuns(): typeof OpenPgp {
  return require('openpgp') as typeof OpenPgp;
}

let last: Promise<unknown> = Promise.resolve();

/**
 * Runs the program inside this process: the same parsing, messages and exit status, without the quarter of a second
 * that a process takes to start. One run after another, because a process has one current folder.
 */
export async function runHere(args: readonly string[], surroundings: Surroundings): Promise<Run> {
  const run = last.then(() => runAlone(args, surroundings));
  last = run.catch(() => undefined);
  return await run;
}

/** Variables that Node, or the C library, reads when a process starts. */
const OF_A_PROCESS = /^(?:NODE_|LD_|UV_|TZ$|TMPDIR$|FORCE_COLOR$)/;

async function runAlone(
  args: readonly string[],
  { cwd, env, input = '', progressEveryMs = 10_000 }: Surroundings,
): Promise<Run> {
  const tooLate = Object.keys(env).filter((name) => OF_A_PROCESS.test(name));
  if (tooLate.length > 0) throw new Error(`${tooLate.join(', ')}: only a process of its own sees that`);
  const [stdout, stderr] = [captured(), captured()];
  const [home, before] = [process.cwd(), traces()];
  process.chdir(cwd);
  try {
    const status = await main(args, {
      stdin: Readable.from(input === '' ? [] : [Buffer.from(input)]),
      stdout: stdout.stream,
      stderr: stderr.stream,
      environment: env,
      clock: () => new Date(),
      progressEveryMs,
      interrupt: () => undefined,
      onCrash: () => undefined,
      atSignal: () => () => undefined,
      stopSignal: () => new AbortController().signal,
    });
    if (traces() !== before) throw new Error(`packsign ${args.join(' ')} changed the process:\n${traces()}`);
    return { args, status, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    process.chdir(home);
  }
}

function captured(): { readonly stream: Writable; readonly text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _, done) => {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString() };
}

/** What a run might leave behind for the next one in the same process. */
function traces(): string {
  const listeners = process.eventNames().map((name) => [String(name), process.listenerCount(name)]);
  return JSON.stringify([process.exitCode, listeners, process.env]);
}

export interface ProcessOptions extends Surroundings {
  /** The words before the program's file; Node alone unless another program runs it. */
  readonly by?: readonly string[];
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Runs the program as it ships in a process of its own. */
export async function runProcess(
  args: readonly string[],
  { cwd, env, input = '', by = [process.execPath] }: ProcessOptions,
): Promise<Run> {
  const [command = '', ...words] = [...by, PROGRAM, ...args];
  const child = spawn(command, words, { cwd, env });
  running.add(child);
  const [stdout, stderr]: readonly [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A program that reads nothing may have closed the pipe.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const status = await new Promise<number | null>((done, failed) => {
    child.on('error', failed);
    child.on('close', done);
  });
  running.delete(child);
  const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString();
  return { args, status, stdout: text(stdout), stderr: text(stderr) };
}

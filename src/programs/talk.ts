import { spawn } from 'node:child_process';
import { systemCode } from '../errors.js';
import { withoutOwn } from './child.js';
import type { ChildOptions, ChildOutcome } from './child.js';

/** A program that answers lines. It ends when its input does, which is when this process ends, however that is. */
export interface Talk {
  /** Sends a line, and waits for the answer `packsign WORD`; null if there is none in time, or the program has ended. */
  readonly ask: (line: string, patienceMs: number) => Promise<string | null>;
  /** Ends its input, and waits until it ends. */
  readonly end: () => Promise<ChildOutcome>;
}

const ANSWER = /^packsign ([a-z]+)$/;
const STDERR_LIMIT = 64 * 1024;
const END_MS = 5000;

/** Starts a program without a shell. Never throws. */
export function startTalk(argv: readonly string[], environment: ChildOptions['environment']): Talk {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { env: withoutOwn(environment), stdio: ['pipe', 'pipe', 'pipe'] });
  const waiting: ((answer: string | null) => void)[] = [];
  let [rest, stderr] = ['', ''];
  let outcome: ChildOutcome | null = null;
  const ended = new Promise<ChildOutcome>((resolve) => {
    const settle = (status: number | null, trouble: ChildOutcome['trouble']) => {
      outcome ??= { status, trouble, stderr, stdout: Buffer.alloc(0) };
      for (const answer of waiting.splice(0)) answer(null);
      resolve(outcome);
    };
    child.on('error', (error) => settle(null, systemCode(error) === 'ENOENT' ? 'missing' : 'not-started'));
    child.on('close', (status) => settle(status, null));
  });
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => undefined);
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = (lines.pop() ?? '').slice(-1024);
    for (const line of lines) {
      // A shell may greet before.
      const word = ANSWER.exec(line)?.[1];
      if (word !== undefined) waiting.shift()?.(word);
    }
  });
  child.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < STDERR_LIMIT) stderr += chunk.toString('utf8');
  });
  const kill = () => void child.kill('SIGKILL');
  return {
    ask: async (line, patienceMs) => {
      if (outcome !== null) return null;
      const timer = setTimeout(kill, patienceMs);
      const answer = await new Promise<string | null>((resolve) => {
        waiting.push(resolve);
        child.stdin.write(`${line}\n`);
      });
      clearTimeout(timer);
      return answer;
    },
    end: async () => {
      child.stdin.end();
      const timer = setTimeout(kill, END_MS);
      const end = await ended;
      clearTimeout(timer);
      return end;
    },
  };
}

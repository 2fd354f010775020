import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { systemCode } from '../errors.js';

export interface ChildOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  /** Ends the program, as the time does. */
  readonly signal?: AbortSignal | undefined;
  /** Bytes for standard input. */
  readonly input?: Uint8Array;
  /** A line before them: the only way in which a passphrase leaves the process (threat T19). */
  readonly secret?: string | null;
}

export interface ChildOutcome {
  /** Null if a signal ended the program, or it never started. */
  readonly status: number | null;
  readonly stdout: Buffer;
  /** Foreign text. */
  readonly stderr: string;
  readonly trouble: 'missing' | 'not-started' | 'timeout' | 'too-much-output' | null;
}

/** Far more than a signature, a key listing or an exported certificate takes. */
const OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * Runs a program without a shell and waits until it ends. The program shares the terminal and gets the environment
 * without packsign's own variables, which may hold a key or a passphrase. It gets the three usual descriptors alone,
 * because Windows passes on no others. Never throws.
 */
export async function runChild(argv: readonly string[], options: ChildOptions): Promise<ChildOutcome> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, {
    env: withoutOwn(options.environment),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const chunks: Output['chunks'] = [[], []];
  const end = await new Promise<Pick<ChildOutcome, 'status' | 'trouble'>>((resolve) => {
    const timer = setTimeout(() => stop('timeout'), options.timeoutMs);
    const abort = () => stop('timeout');
    if (options.signal?.aborted === true) setImmediate(abort);
    options.signal?.addEventListener('abort', abort);
    // Children of a killed program may hold the pipes open for ever, so do not wait for it to close them.
    const stop = (trouble: ChildOutcome['trouble']) => {
      settle();
      child.kill('SIGKILL');
      for (const stream of pipesOf(child)) stream?.destroy();
      resolve({ status: null, trouble });
    };
    child.on('error', (error) => stop(systemCode(error) === 'ENOENT' ? 'missing' : 'not-started'));
    const settle = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', abort);
    };
    child.on('close', (status) => {
      settle();
      resolve({ status, trouble: null });
    });
    connect(child, options, { chunks, overflow: () => stop('too-much-output') });
  });
  const [stdout, stderr] = chunks;
  return { ...end, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') };
}

type Pipes = readonly [Writable, Readable, Readable];

/** None if this process may open no more files: Node then makes no streams, whatever its types say. */
function pipesOf(child: ChildProcess): Partial<Pipes> {
  return (child.stdio as unknown as Pipes | undefined) ?? [];
}

interface Output {
  /** Of standard output and standard error. */
  readonly chunks: readonly [Buffer[], Buffer[]];
  readonly overflow: () => void;
}

function connect(child: ChildProcess, { input, secret }: ChildOptions, { chunks, overflow }: Output): void {
  const pipes = pipesOf(child);
  // A program that ends early breaks our pipes; its exit status says enough.
  for (const stream of pipes) stream?.on('error', () => undefined);
  if (secret != null) pipes[0]?.write(`${secret}\n`);
  pipes[0]?.end(input ?? new Uint8Array());
  for (const [index, parts] of chunks.entries()) {
    let size = 0;
    pipes[index + 1]?.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= OUTPUT_LIMIT_BYTES) parts.push(chunk);
      else overflow();
    });
  }
}

function withoutOwn(environment: ChildOptions['environment']): Record<string, string | undefined> {
  return Object.fromEntries(
    // An empty search path would mean the current directory, which may be a download (threat T37).
    Object.entries(environment).filter(
      ([name, value]) => !name.startsWith('PACKSIGN_') && !(name === 'PATH' && value === ''),
    ),
  );
}

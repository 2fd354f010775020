import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { systemCode } from '../errors.js';

export interface ChildOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  /** What goes to standard input. */
  readonly input?: Uint8Array;
  /** What can be read from descriptor 4: the one way in which a passphrase leaves the process (threat T19). */
  readonly secret?: string | null;
}

export interface ChildOutcome {
  /** Null where it was ended by a signal, or never began. */
  readonly status: number | null;
  readonly stdout: Buffer;
  /** Foreign text. */
  readonly stderr: string;
  /** What was written to descriptor 3. */
  readonly report: string;
  readonly trouble: 'missing' | 'not-started' | 'timeout' | 'too-much-output' | null;
}

/** Far more than a signature, a key listing or an exported certificate takes. */
const OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * Runs a program without a shell and waits for its end. It shares the terminal and gets everything of the
 * environment but packsign's own variables, which may hold a key or a passphrase. Never throws.
 */
export async function runChild(argv: readonly string[], options: ChildOptions): Promise<ChildOutcome> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, {
    env: withoutOwn(options.environment),
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
  });
  if (!hasPipes(child)) return { ...NOTHING, trouble: await troubleStarting(child) };
  // A program that ends early leaves us writing into nothing: its exit status says enough.
  for (const stream of child.stdio) stream?.on('error', () => undefined);
  const [stdin, stdout, stderr, report, secret] = child.stdio as unknown as Pipes;
  stdin.end(options.input ?? new Uint8Array());
  secret.end(options.secret == null ? '' : `${options.secret}\n`);
  const collected = [collect(stdout), collect(stderr), collect(report)] as const;
  const end = await ended(child, { timeoutMs: options.timeoutMs, collected });
  const [out, err, status] = collected.map(({ chunks }) => Buffer.concat(chunks));
  return {
    ...end,
    stdout: out ?? Buffer.alloc(0),
    stderr: err?.toString('utf8') ?? '',
    report: status?.toString('utf8') ?? '',
  };
}

const NOTHING = { status: null, stdout: Buffer.alloc(0), stderr: '', report: '' } as const;

/** Where this process may open no more files, Node makes no streams, whatever its types say. */
function hasPipes(child: ChildProcess): boolean {
  return (child.stdio as ChildProcess['stdio'] | undefined) !== undefined;
}

async function troubleStarting(child: ChildProcess): Promise<ChildOutcome['trouble']> {
  return await new Promise((resolve) => {
    child.on('error', (error) => {
      resolve(systemCode(error) === 'ENOENT' ? 'missing' : 'not-started');
    });
  });
}

type Pipes = readonly [Writable, Readable, Readable, Readable, Writable];

interface Collected {
  readonly chunks: Buffer[];
  /** Called when there is more than anybody wants. */
  overflow: () => void;
}

function collect(stream: Readable): Collected {
  let size = 0;
  const collected: Collected = { chunks: [], overflow: () => undefined };
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= OUTPUT_LIMIT_BYTES) collected.chunks.push(chunk);
    else collected.overflow();
  });
  return collected;
}

/** What it started itself may hold the pipes open for ever, so a program that was ended is not waited for. */
async function ended(
  child: ChildProcess,
  { timeoutMs, collected }: { timeoutMs: number; collected: readonly Collected[] },
): Promise<Pick<ChildOutcome, 'status' | 'trouble'>> {
  return await new Promise((resolve) => {
    const stop = (trouble: ChildOutcome['trouble']) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      for (const stream of child.stdio) stream?.destroy();
      resolve({ status: null, trouble });
    };
    const timer = setTimeout(() => {
      stop('timeout');
    }, timeoutMs);
    for (const stream of collected) {
      stream.overflow = () => {
        stop('too-much-output');
      };
    }
    child.on('error', (error) => {
      stop(systemCode(error) === 'ENOENT' ? 'missing' : 'not-started');
    });
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, trouble: null });
    });
  });
}

function withoutOwn(environment: ChildOptions['environment']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      // An empty search path would mean the current directory, which may be a download (threat T37).
      value === undefined || name.startsWith('PACKSIGN_') || (name === 'PATH' && value === '')
        ? []
        : [[name, value] as const],
    ),
  );
}

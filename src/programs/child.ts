import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { systemCode } from '../errors.js';

export interface ChildOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Variables that it gets besides. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Whether it gets a process group of its own, without the terminal, which ends with it, and with this process. */
  readonly isGroup?: boolean;
  readonly timeoutMs: number;
  /** Ends the program, as the time does. */
  readonly signal?: AbortSignal | undefined;
  /** Bytes for standard input. */
  readonly input?: Uint8Array;
  /** A line before them: the only way in which a passphrase leaves the process (threat T19). */
  readonly secret?: string | null;
  /** How much it may print; enough for a signature, a key listing or an exported certificate unless given. */
  readonly outputLimitBytes?: number;
  /** Gets what it prints on standard output, as it comes. */
  readonly onOutput?: ((text: string) => void) | undefined;
}

export interface ChildOutcome {
  /** Null if a signal ended the program, or it never started. */
  readonly status: number | null;
  readonly stdout: Buffer;
  /** Foreign text. */
  readonly stderr: string;
  readonly trouble: 'missing' | 'not-started' | 'timeout' | 'too-much-output' | null;
}

const OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024;

/** What a program wrote before its end is here after this time, even if another one holds its pipes open. */
const LINGER_MS = 250;

/**
 * Runs a program without a shell and waits until it ends. The program shares the terminal and gets the environment
 * without packsign's own variables, which may hold a key or a passphrase. It gets the three usual descriptors alone,
 * because Windows passes on no others. Never throws.
 */
export async function runChild(argv: readonly string[], options: ChildOptions): Promise<ChildOutcome> {
  const child = start(argv, options);
  const chunks: Output['chunks'] = [[], []];
  const end = child === null ? NOT_STARTED : await endOf(child, options, chunks);
  const [stdout, stderr] = chunks;
  return { ...end, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') };
}

/** The same for a process that is about to end, in which nothing else may happen any more. */
export function runChildNow(
  [program = '', ...args]: readonly string[],
  { environment, variables, timeoutMs, input = new Uint8Array() }: ChildOptions,
): ChildOutcome {
  const { pid, status, error, output } = spawnSync(program, args, {
    env: { ...withoutOwn(environment), ...variables },
    // Its types do not know that it takes this too.
    ...{ detached: HAS_GROUPS },
    ...{ input, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: OUTPUT_LIMIT_BYTES },
  });
  const code = systemCode(error);
  if (code === 'ETIMEDOUT' && HAS_GROUPS) killGroup(pid);
  const troubles: Readonly<Record<string, ChildOutcome['trouble']>> = {
    ETIMEDOUT: 'timeout',
    ENOBUFS: 'too-much-output',
    ENOENT: 'missing',
  };
  const trouble = code === null ? null : (troubles[code] ?? 'not-started');
  // Null where the program did not start, whatever its types say.
  const [, stdout, stderr] = (output as readonly (Buffer | null)[] | null) ?? [];
  return { status, trouble, stdout: stdout ?? Buffer.alloc(0), stderr: stderr?.toString() ?? '' };
}

const HAS_GROUPS = process.platform !== 'win32';

type End = Pick<ChildOutcome, 'status' | 'trouble'>;

const NOT_STARTED: End = { status: null, trouble: 'not-started' };

/** Null where Node throws instead of an event, for instance if the path leads through a file. */
function start([program = '', ...args]: readonly string[], options: ChildOptions): ChildProcess | null {
  try {
    return spawn(program, args, {
      env: { ...withoutOwn(options.environment), ...options.variables },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: options.isGroup === true && HAS_GROUPS,
    });
  } catch {
    return null;
  }
}

async function endOf(child: ChildProcess, options: ChildOptions, chunks: Output['chunks']): Promise<End> {
  const { signal, timeoutMs, isGroup = false } = options;
  const kill = () => killAll(child, isGroup);
  if (isGroup) process.on('exit', kill);
  return await new Promise<End>((resolve) => {
    let lingering: NodeJS.Timeout | undefined;
    const settle = (end: End) => {
      clearTimeout(timer);
      clearTimeout(lingering);
      signal?.removeEventListener('abort', abort);
      process.off('exit', kill);
      for (const stream of pipesOf(child)) stream?.destroy();
      resolve(end);
    };
    // Children of a killed program may hold the pipes open for ever, so do not wait for it to close them.
    const stop = (trouble: ChildOutcome['trouble']) => {
      kill();
      child.unref();
      settle({ status: null, trouble });
    };
    const timer = setTimeout(() => stop('timeout'), timeoutMs);
    const abort = () => stop('timeout');
    if (signal?.aborted === true) setImmediate(abort);
    signal?.addEventListener('abort', abort);
    child.on('error', (error) => stop(systemCode(error) === 'ENOENT' ? 'missing' : 'not-started'));
    child.on('exit', (status) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      // Reads what is there once more, however busy this process was.
      const read = () => setImmediate(settle, { status, trouble: null });
      lingering = setTimeout(read, LINGER_MS);
    });
    child.on('close', (status) => settle({ status, trouble: null }));
    connect(child, options, { chunks, overflow: () => stop('too-much-output') });
  });
}

/** Nothing if it has ended: its number may be that of another by then. */
function killAll(child: ChildProcess, isGroup: boolean): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  if (!isGroup || !HAS_GROUPS || child.pid === undefined) {
    child.kill('SIGKILL');
    return;
  }
  killGroup(child.pid);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It runs as another user, or has just ended.
  }
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

function connect(child: ChildProcess, options: ChildOptions, { chunks, overflow }: Output): void {
  const { input, secret, outputLimitBytes = OUTPUT_LIMIT_BYTES } = options;
  const pipes = pipesOf(child);
  // A program that ends early breaks our pipes; its exit status says enough.
  for (const stream of pipes) stream?.on('error', () => undefined);
  if (secret != null) pipes[0]?.write(`${secret}\n`);
  pipes[0]?.end(input ?? new Uint8Array());
  pipes[1]?.on('data', (chunk: Buffer) => options.onOutput?.(chunk.toString('latin1')));
  for (const [index, parts] of chunks.entries()) {
    let size = 0;
    pipes[index + 1]?.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= outputLimitBytes) parts.push(chunk);
      else overflow();
    });
  }
}

/** What programs get of the environment. */
export function withoutOwn(environment: ChildOptions['environment']): Record<string, string | undefined> {
  return Object.fromEntries(
    // An empty search path would mean the current directory, which may be a download (threat T37).
    Object.entries(environment).filter(
      ([name, value]) => !/^PACKSIGN_/i.test(name) && !(name === 'PATH' && value === ''),
    ),
  );
}

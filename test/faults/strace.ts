import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, start } from '../real.js';
import type { Run, Workshop } from '../real.js';
import { PROGRAM } from '../run.js';
import { given, hasTool } from '../tools.js';

/** Whether strace is installed and may do its work here; says so when not. */
export function canTrace(): boolean {
  if (!hasTool('strace')) return false;
  const { status, stderr } = spawnSync('strace', ['-o', '/dev/null', 'true'], { encoding: 'utf8' });
  return given(status === 0, `strace may not trace here: ${stderr.trim()}`);
}

/** What changes a disk, or makes a change outlive a crash. Either name of a call may be the one that is used. */
const CHANGING =
  'fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,link,linkat,write,pwrite64,ftruncate,chmod,fchmod,open,openat';

/** One system call of packsign: its name, its number among those of that name, and how strace writes it. */
export interface Call {
  readonly name: string;
  readonly ordinal: number;
  readonly text: string;
}

/**
 * Runs packsign and gives the calls that change something, from the first inside `directory` on. Calls
 * that only look do not change what a crash leaves behind.
 */
export function changingCalls(
  workshop: Workshop,
  args: readonly string[],
  { directory, at }: { directory: string; at: number },
): readonly Call[] {
  const log = join(workshop.folder, 'calls');
  const { status, stderr } = run(workshop, straced(args, ['-o', log, '-e', `trace=${CHANGING}`]), at);
  if (status !== 0) throw new Error(`packsign ${args.join(' ')} ended with ${String(status)}:\n${stderr}`);
  const lines = readFileSync(log, 'utf8').split('\n');
  const first = /^\d+/.exec(lines[0] ?? '')?.[0] ?? '';
  const ordinals = new Map<string, number>();
  const calls = lines.flatMap((line): Call[] => {
    // strace counts calls by thread, and packsign writes from its first.
    const [, thread, name = '', text = ''] = /^(\d+) +(\w+)\((.*)$/.exec(line) ?? [];
    if (thread !== first) return [];
    const ordinal = (ordinals.get(name) ?? 0) + 1;
    ordinals.set(name, ordinal);
    return [{ name, ordinal, text }];
  });
  const from = calls.findIndex((call) => call.text.includes(directory) && isChanging(call));
  return calls.slice(from).filter(isChanging);
}

function isChanging({ name, text }: Call): boolean {
  if (name === 'open' || name === 'openat') return text.includes('O_CREAT');
  // Threads wake each other with up to eight bytes; 1 and 2 are what packsign prints.
  if (name === 'write')
    return !text.startsWith('1,') && !text.startsWith('2,') && !/, [1-8]\) += \d$/.test(text);
  return true;
}

/** Runs packsign and has strace kill it when it enters this call. */
export function killedAt(workshop: Workshop, args: readonly string[], { call, at }: At): Promise<Run> {
  return injected(workshop, args, { call, at, what: 'signal=KILL' });
}

/** Runs packsign with a signal sent as it enters this call, which is carried out. */
export function signalledAt(
  workshop: Workshop,
  args: readonly string[],
  { call, at, signal }: At & { signal: 'INT' | 'TERM' },
): Promise<Run> {
  return injected(workshop, args, { call, at, what: `signal=${signal}` });
}

/** Runs packsign with this one call failing. `hit` is how strace wrote down the call that did. */
export async function failingAt(
  workshop: Workshop,
  args: readonly string[],
  { call, at, error }: At & { error: string },
): Promise<Run & { readonly hit: string | null }> {
  const log = join(workshop.folder, 'injected');
  const result = await injected(workshop, args, { call, at, what: `error=${error}`, log });
  const hit = readFileSync(log, 'utf8')
    .split('\n')
    .find((line) => line.includes('(INJECTED)'));
  return { ...result, hit: hit ?? null };
}

interface At {
  readonly call: Call;
  /** What packsign takes for now, in seconds. */
  readonly at: number;
}

async function injected(
  workshop: Workshop,
  args: readonly string[],
  { call, at, what, log = '/dev/null' }: At & { what: string; log?: string },
): Promise<Run> {
  const trace = [
    '-e',
    `trace=${call.name}`,
    '-e',
    `inject=${call.name}:${what}:when=${String(call.ordinal)}`,
  ];
  return await start(workshop, straced(args, ['-o', log, ...trace]), at);
}

function straced(args: readonly string[], options: readonly string[]): readonly string[] {
  return ['strace', '-f', '-qq', '-s', '256', ...options, process.execPath, PROGRAM, ...args];
}

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { start } from '../real.js';
import type { Run } from '../real.js';
import { PROGRAM } from '../run.js';
import { hasTool } from '../tools.js';
import type { Lane } from './lane.js';

/** Whether fault.c can be compiled and preloaded here; prints a note if not. */
export function canInject(): boolean {
  return process.platform === 'linux' && hasTool('cc');
}

/** One call of packsign that changes a file: its number, the function's name, the path. */
export interface Call {
  readonly number: number;
  readonly name: string;
  readonly path: string;
}

/** What happens at a call: the process ends before or during it, the call fails, or a signal comes first. */
export type Fault =
  | { readonly kind: 'kill' | 'half' }
  | { readonly kind: 'fail'; readonly error: keyof typeof constants.errno }
  | { readonly kind: 'signal'; readonly signal: 'SIGINT' | 'SIGTERM' };

interface Running {
  readonly args: readonly string[];
  /** The current time for packsign, in seconds. */
  readonly at: number;
}

/** Runs packsign and gives its calls that change something in the lane. */
export async function changingCalls(
  lane: Lane,
  { args, at }: Running,
  variables: Readonly<Record<string, string>> = {},
): Promise<readonly Call[]> {
  const log = join(lane.beside, 'calls');
  rmSync(log, { force: true });
  const { status, stderr } = await launch(lane, { args, at, variables: { ...variables, FAULT_LOG: log } });
  if (status !== 0) throw new Error(`packsign ${args.join(' ')} ended with ${String(status)}:\n${stderr}`);
  return readCalls(log);
}

/** What a lane holds before a call, or in the middle of it: what a run that is killed there leaves. */
export interface Moment {
  readonly call: Call;
  readonly fault: { readonly kind: 'kill' | 'half' };
  /** A copy of the lane's folder. */
  readonly copy: string;
}

/** Runs packsign once and gives what it would leave if it were killed at any of its calls, in order. */
export async function momentsOf(lane: Lane, running: Running): Promise<readonly Moment[]> {
  const copies = mkdtempSync(join(lane.beside, 'copies-'));
  const calls = await changingCalls(lane, running, { FAULT_COPIES: copies });
  return calls.flatMap((call): readonly Moment[] => {
    const copy = join(copies, String(call.number));
    const before: Moment = { call, fault: { kind: 'kill' }, copy };
    return call.name === 'write'
      ? [before, { call, fault: { kind: 'half' }, copy: `${copy}.half` }]
      : [before];
  });
}

/** The log that fault.c wrote. */
export function readCalls(log: string): readonly Call[] {
  return Array.from(
    readFileSync(log, 'utf8').matchAll(/^(\d+) (\w+) (.*)$/gm),
    ([, number, name = '', path = '']) => ({
      number: Number(number),
      name,
      path,
    }),
  );
}

/** Runs packsign with a fault at one call. */
export async function injected(
  lane: Lane,
  { call, fault, ...running }: Running & { readonly call: Call; readonly fault: Fault },
): Promise<Run> {
  const variables = { FAULT_AT: String(call.number), FAULT_ACTION: fault.kind, FAULT_VALUE: valueOf(fault) };
  return await launch(lane, { ...running, variables });
}

function valueOf(fault: Fault): string {
  if (fault.kind === 'fail') return String(constants.errno[fault.error]);
  return fault.kind === 'signal' ? String(constants.signals[fault.signal]) : '';
}

/** The variables that load fault.c into a process and point it at a lane. */
export function preloaded({ folder, beside }: Lane): Readonly<Record<string, string>> {
  const library = join(beside, 'fault.so');
  if (!existsSync(library)) {
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, resolve('test/faults/fault.c'), '-ldl']);
  }
  return { LD_PRELOAD: library, FAULT_FOLDER: folder };
}

async function launch(
  lane: Lane,
  { args, at, variables }: Running & { readonly variables: Readonly<Record<string, string>> },
): Promise<Run> {
  const environment = { ...lane.environment, ...preloaded(lane), ...variables };
  return await start({ ...lane, environment }, [process.execPath, PROGRAM, ...args], at);
}

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { resolve } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import type { Place, Run } from '../packsign.js';

/** A file system call of Node that always fails for paths with this ending. */
export interface Fault {
  readonly call: string;
  readonly path: string;
  readonly code: 'EIO' | 'EROFS' | 'EACCES';
}

type Call = (target: unknown, ...rest: readonly unknown[]) => unknown;

const calls = fs as unknown as Record<string, Call>;

/** Runs packsign on a disk on which calls fail, below the place only. */
export async function packsignOnBrokenDisk(
  place: Place,
  args: readonly string[],
  faults: readonly Fault[],
): Promise<Run> {
  const names = ['openSync', ...faults.map(({ call }) => call)];
  const before = new Map(names.map((name) => [name, realCall(name)]));
  const paths = rememberPaths();
  for (const fault of faults) calls[fault.call] = failing(realCall(fault.call), fault, { place, paths });
  syncBuiltinESMExports();
  try {
    return await place.packsign(args);
  } finally {
    for (const [name, call] of before) calls[name] = call;
    syncBuiltinESMExports();
  }
}

function realCall(name: string): Call {
  const call = calls[name];
  if (call === undefined) throw new Error(`node:fs has no ${name}`);
  return call;
}

/** The path of each descriptor that is opened from now on. */
function rememberPaths(): ReadonlyMap<unknown, string> {
  const paths = new Map<unknown, string>();
  const open = realCall('openSync');
  calls['openSync'] = (path, ...rest) => {
    const fd = open(path, ...rest);
    paths.set(fd, String(path));
    return fd;
  };
  return paths;
}

/** The call as it is, but for the fault. */
function failing(
  real: Call,
  { call, path: end, code }: Fault,
  { place, paths }: { readonly place: Place; readonly paths: ReadonlyMap<unknown, string> },
): Call {
  return (target, ...rest) => {
    const isFd = typeof target === 'number';
    const path = isFd ? (paths.get(target) ?? '') : String(target);
    // A link or a rename counts under its new name.
    const name = call === 'renameSync' || call === 'linkSync' ? String(rest[0]) : path;
    const isHere = path !== '' && resolve(path).startsWith(place.root);
    if (!isHere || !name.endsWith(end)) return real(target, ...rest);
    if (call === 'closeSync') real(target);
    throw systemError(call, code, isFd ? null : path);
  };
}

/** What Node throws when the system refuses a call. */
function systemError(call: string, code: Fault['code'], path: string | null): Error {
  const [errno, [, words]] = [...getSystemErrorMap()].find(([, [name]]) => name === code) ?? [0, ['', '']];
  const syscall = call
    .replace(/(?:File)?Sync$/, '')
    .replace('realpath', 'lstat')
    .replace('readdir', 'scandir');
  const shown = path === null ? '' : ` '${path}'`;
  const error = new Error(`${code}: ${words}, ${syscall}${shown}`);
  return Object.assign(error, { errno, code, syscall, ...(path === null ? {} : { path }) });
}

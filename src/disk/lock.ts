import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { PacksignError, systemCode } from '../errors.js';
import {
  listFolder,
  makeFolder,
  quietly,
  readBounded,
  removeQuietly,
  removeTemporaries,
  unwritable,
} from './files.js';

/** The process that holds the lock. `started` distinguishes it from a later one with the same number. */
interface Owner {
  readonly pid: number;
  readonly started: string;
  readonly host: string;
  readonly boot: string;
}

/** Releases the lock. Never throws, so that it hides no error; a later run takes over a lock that cannot be removed. */
export type Release = () => void;

const OWNER_LIMIT_BYTES = 4096;
/** Paths of locks that this process released and could not remove. */
const leftBehind = new Set<string>();

/**
 * Takes the one lock that all writing commands share, in the folder of working state. Takes over the lock of a dead
 * owner. Throws LOCKED while the owner lives, FILE_UNREADABLE, FILE_UNWRITABLE.
 */
export function takeLock(stateFolder: string): Release {
  makeFolder(stateFolder);
  const path = join(stateFolder, 'lock');
  const mine = JSON.stringify(thisProcess());
  for (let attempt = 0; attempt < 3; attempt += 1) {
    if (claim(path, mine)) {
      leftBehind.delete(path);
      quietly(() => sweep(stateFolder));
      return () => release(path, mine);
    }
    const owner = readOwner(path);
    if (owner !== null && isHeld(path, owner)) throw locked(path, owner);
    displace(path);
  }
  throw locked(path, readOwner(path));
}

// The file appears under its name only when complete: nobody reads half an owner.
function claim(path: string, content: string): boolean {
  const temporary = `${path}.${process.pid}`;
  try {
    // A file found is not a file made: it may be a link to another one (threat T35).
    removeQuietly(temporary);
    writeFileSync(temporary, content, { mode: 0o644, flag: 'wx' });
    linkSync(temporary, path);
    return true;
  } catch (error) {
    // ENOENT: the owner of the lock swept our temporary file.
    if (systemCode(error) === 'EEXIST' || systemCode(error) === 'ENOENT') return false;
    throw unwritable(path, error);
  } finally {
    removeQuietly(temporary);
  }
}

// Two processes may see the same dead owner: the first to rename it away wins. The other one may rename a living lock,
// and puts it back.
function displace(path: string): void {
  const aside = `${path}.${process.pid}.dead`;
  try {
    renameSync(path, aside);
    const owner = readOwner(aside);
    if (owner !== null && isHeld(path, owner)) linkSync(aside, path);
  } catch (error) {
    // A lock that cannot be read may belong to a living process.
    quietly(() => linkSync(aside, path));
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'EEXIST') throw unwritable(path, error);
  } finally {
    removeQuietly(aside);
  }
}

/** Takes away what killed runs left in the folder of working state. */
function sweep(stateFolder: string): void {
  removeTemporaries(stateFolder);
  for (const name of listFolder(stateFolder)) {
    if (/^lock\.\d+(?:\.dead)?$/.test(name)) removeQuietly(join(stateFolder, name));
  }
}

function release(path: string, mine: string): void {
  try {
    if (readFileSync(path, 'utf8') === mine) unlinkSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') leftBehind.add(path);
  }
}

function isHeld(path: string, owner: Owner): boolean {
  return isAlive(owner) && !(owner.pid === process.pid && leftBehind.has(path));
}

function isAlive(owner: Owner): boolean {
  // Processes of another machine cannot be checked: respect their locks.
  if (owner.host !== hostname()) return true;
  if (owner.boot !== bootId()) return false;
  return startOf(owner.pid) === owner.started && exists(owner.pid);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

function thisProcess(): Owner {
  return { pid: process.pid, started: startOf(process.pid), host: hostname(), boot: bootId() };
}

// Field 22 of /proc/PID/stat, counted from the command's closing parenthesis; empty without /proc.
function startOf(pid: number): string {
  const stat = readIfThere(`/proc/${pid}/stat`) ?? '';
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function bootId(): string {
  return (readIfThere('/proc/sys/kernel/random/boot_id') ?? '').trim();
}

/** Null if the lock names no owner. Throws FILE_UNREADABLE. */
function readOwner(path: string): Owner | null {
  const text = readLock(path);
  try {
    const value: unknown = JSON.parse(text);
    return isOwner(value) ? value : null;
  } catch {
    return null;
  }
}

function readLock(path: string): string {
  try {
    return readBounded(path, OWNER_LIMIT_BYTES)?.toString() ?? '';
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    const hint = `packsign did not make it; if no packsign is at work here, remove ${path}`;
    throw new PacksignError(error.code, error.message, { hint, cause: error });
  }
}

/** As `thisProcess` writes it: a number that is no process would never be found dead. */
function isOwner(value: unknown): value is Owner {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, started, host, boot } = value as Readonly<Record<string, unknown>>;
  const isPid = typeof pid === 'number' && Number.isInteger(pid) && pid > 0 && pid < 2 ** 31;
  return isPid && [started, boot].every((text) => typeof text === 'string') && isHostName(host);
}

function isHostName(host: unknown): boolean {
  return typeof host === 'string' && /^[!-~]{1,255}$/.test(host);
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function locked(path: string, owner: Owner | null): PacksignError {
  const who =
    owner === null ? 'another packsign' : `packsign with process number ${owner.pid} on ${owner.host}`;
  return new PacksignError('LOCKED', `${who} is at work here`, {
    hint: `wait until it is done; if you are sure that it is gone, remove ${path}`,
  });
}

import { hostname } from 'node:os';
import { systemCode } from '../errors.js';
import { bootId, pidNamespace, procText } from './proc.js';

/** A process, described so that others can find out whether it lives. */
export interface Owner {
  readonly pid: number;
  /** When it started: a later process may have the same number. */
  readonly started: string;
  /** The run of the kernel and the pid namespace, which give its number a meaning; empty where /proc does not tell. */
  readonly boot: string;
  readonly namespace: string;
  /** For people; a container may have another one whenever it starts. */
  readonly host: string;
}

let asked: Owner | null = null;

/** Asked once: only the name of the host may change while a process lives, and its files stay its own. */
export function thisProcess(): Owner {
  asked ??= askThisProcess();
  return asked;
}

function askThisProcess(): Owner {
  const { pid } = process;
  const stat = statOf('self');
  const [boot, namespace] = [bootId(), pidNamespace()];
  // A container may see the /proc of another namespace, in which its number means another process.
  const isTold = stat?.pid === pid && boot !== '' && namespace !== '';
  const told = isTold ? { started: stat.started, boot, namespace } : { started: '', boot: '', namespace: '' };
  return { pid, ...told, host: hostname().replace(/[^!-~]/g, '?') || 'unknown' };
}

/** Null unless it is as `thisProcess` makes it: a number that is no process would never be found dead. */
export function readOwner(told: Readonly<Partial<Record<keyof Owner, unknown>>>): Owner | null {
  const { pid, started, boot, namespace, host } = told;
  const isPid = typeof pid === 'number' && Number.isInteger(pid) && pid > 0 && pid < 2 ** 31;
  if (!isPid || !isText(started) || !isText(boot) || !isText(namespace)) return null;
  if (!isText(host) || !/^[!-~]{1,255}$/.test(host)) return null;
  return { pid, started, boot, namespace, host };
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** Unknown if this process cannot see the other one. */
export type Life = 'alive' | 'dead' | 'unknown';

/** Whether a process lives. */
export function lifeOf(owner: Owner): Life {
  const here = thisProcess();
  if (owner.boot !== here.boot || owner.namespace !== here.namespace) return 'unknown';
  if (here.namespace === '') {
    // Linux has containers: without /proc, its host names do not tell whose numbers these are.
    const isHere = process.platform !== 'linux' && owner.host === here.host;
    return isHere && !exists(owner.pid) ? 'dead' : 'unknown';
  }
  const stat = statOf(owner.pid);
  // It may be hidden from us, because it belongs to another user.
  if (stat === null) return exists(owner.pid) ? 'unknown' : 'dead';
  // Nobody has taken note of the end of a zombie yet, as in containers whose first process does not care.
  return stat.started === owner.started && !/[ZX]/.test(stat.state) ? 'alive' : 'dead';
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

interface Stat {
  readonly pid: number;
  readonly state: string;
  readonly started: string;
}

/** Fields 1, 3 and 22 of /proc/PID/stat. The second one, the command, may contain anything. */
function statOf(pid: number | 'self'): Stat | null {
  const stat = procText(`${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, started] = [fields[0], fields[19]];
  if (state === undefined || started === undefined) return null;
  return { pid: Number.parseInt(stat, 10), state, started };
}

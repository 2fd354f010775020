import { createHash } from 'node:crypto';
import { lifeOf, thisProcess } from './owner.js';
import type { Life, Owner } from './owner.js';

/** Matches the mark of a process in the name of a file: its number, where numbers mean the same, and when it started. */
export const MARK = '[0-9a-f]{6}[0-9a-f]{4}[0-9a-f]{10}';

let mark: string | null = null;

/** The mark of this process, for the names of files that others should leave alone while it lives. */
export function makerMark(): string {
  mark ??= markOf(thisProcess());
  return mark;
}

function markOf(owner: Owner): string {
  return hex(owner.pid, 6) + placeOf(owner) + hex(Number(owner.started), 10);
}

/** Whether the process with a mark lives; unknown if this one cannot see it. */
export function lifeOfMaker(of: string): Life {
  if (of === makerMark()) return 'alive';
  const here = thisProcess();
  if (of.slice(6, 10) !== placeOf(here)) return 'unknown';
  const started = here.started === '' ? '' : `${Number.parseInt(of.slice(10), 16)}`;
  return lifeOf({ ...here, pid: Number.parseInt(of.slice(0, 6), 16), started });
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0').slice(-digits);
}

/** Where process numbers mean the same: this machine since it started, or this container. */
function placeOf({ host, boot, namespace }: Owner): string {
  const place = [host, boot, namespace].join(' ');
  return createHash('sha256').update(place).digest('hex').slice(0, 4);
}

import { makerMark } from '../../src/disk/maker.js';

/** The mark of a process of this machine with another number; none has the one of `deadMark`. */
export function markOf(pid: number): string {
  return pid.toString(16).padStart(6, '0') + makerMark().slice(6);
}

export function deadMark(): string {
  return markOf(2 ** 22 + 1);
}

/** The same mark, of a process that nobody here can see. */
export function elsewhere(mark: string): string {
  return mark.replace(/^(.{6})(.)/, (_, pid: string, digit: string) => pid + (digit === '0' ? '1' : '0'));
}

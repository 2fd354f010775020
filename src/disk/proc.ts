import { readFileSync, readlinkSync } from 'node:fs';

/** What Linux tells about itself in a file of /proc, without the white space around it; empty where there is none. */
export function procText(name: string): string {
  return orEmpty(() => readFileSync(`/proc/${name}`, 'utf8').trim());
}

/** Names the run of the kernel: another one since each start of the machine. Empty where /proc does not tell. */
export function bootId(): string {
  return procText('sys/kernel/random/boot_id');
}

/** Names the namespace that gives process numbers a meaning: each container has its own. Empty where /proc does not tell. */
export function pidNamespace(): string {
  return orEmpty(() => readlinkSync('/proc/self/ns/pid'));
}

function orEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

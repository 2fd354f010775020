import { readFileSync, readlinkSync } from 'node:fs';
import { orElse } from '../model/or-null.js';

/** What Linux tells about itself in a file of /proc, without the white space around it; empty where there is none. */
export function procText(name: string): string {
  return orElse(() => readFileSync(`/proc/${name}`, 'utf8').trim(), '');
}

/** Names the run of the kernel: another one since each start of the machine. Empty where /proc does not tell. */
export function bootId(): string {
  return procText('sys/kernel/random/boot_id');
}

/** Names the namespace that gives process numbers a meaning: each container has its own. Empty where /proc does not tell. */
export function pidNamespace(): string {
  return orElse(() => readlinkSync('/proc/self/ns/pid'), '');
}

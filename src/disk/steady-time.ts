import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The time of a clock that nobody can set: it only counts on from the start that `boot` names. */
export interface SteadyTime {
  readonly boot: string;
  readonly upMs: number;
}

/** Where a system shows no uptime, the clock of this process counts, which nobody else can compare with. */
const THIS_PROCESS = randomUUID();

/** Since the machine started, suspensions included, as Linux shows it; elsewhere since this process did. */
export function steadyTime(): SteadyTime {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const upMs = Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * 1000;
    if (boot !== '' && Number.isFinite(upMs)) return { boot, upMs };
  } catch {
    // Not Linux, or /proc is hidden.
  }
  return { boot: THIS_PROCESS, upMs: performance.now() };
}

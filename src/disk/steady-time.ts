import { randomUUID } from 'node:crypto';
import { bootId, procText } from './proc.js';

/** The time of a clock that nobody can set: it only counts on from the start that `boot` names. */
export interface SteadyTime {
  readonly boot: string;
  readonly upMs: number;
}

/** Where a system shows no uptime, the clock of this process counts, which nobody else can compare with. */
const THIS_PROCESS = randomUUID();

/** Since the machine started, suspensions included, as Linux shows it; elsewhere since this process did. */
export function steadyTime(): SteadyTime {
  const boot = bootId();
  const upMs = Number.parseFloat(procText('uptime')) * 1000;
  if (boot !== '' && Number.isFinite(upMs)) return { boot, upMs };
  return { boot: THIS_PROCESS, upMs: performance.now() };
}

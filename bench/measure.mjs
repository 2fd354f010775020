// Measures one command line: wall clock and CPU time of it and of all processes that it starts, largest peak memory.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const TIME = '/usr/bin/time';
const FORMAT = '%R %U %S';

/**
 * Runs lines of bash and gives `{ seconds, cpu, mib }`; `mib` is the largest process, null without GNU time.
 * Throws, with the output of the lines, if one of them fails.
 */
export function measure(lines, { folder, env, expected = [0] }) {
  const figures = join(folder, 'figures');
  const memory = join(folder, 'memory');
  const failure = join(folder, 'failure');
  for (const file of [figures, memory, failure]) rmSync(file, { force: true });
  const script = `TIMEFORMAT='${FORMAT}'; set -o pipefail
{ time { ${lines}
} >'${failure}' 2>&1; } 2>'${figures}'`;
  const bash = ['bash', '-c', script];
  const [program, ...args] = existsSync(TIME) ? [TIME, '-f', '%M', '-o', memory, ...bash] : bash;
  const { status, error } = spawnSync(program, args, { cwd: folder, env, stdio: 'ignore' });
  if (error !== undefined) throw error;
  if (!expected.includes(status)) {
    throw new Error(`exit status ${status} of: ${lines}\n${readFileSync(failure, 'utf8').slice(-2000)}`);
  }
  const [seconds, user, system] = readFileSync(figures, 'utf8').trim().split(' ').map(Number);
  const kib = existsSync(memory) ? Number(readFileSync(memory, 'utf8').trim().split('\n').at(-1)) : null;
  return { seconds, cpu: user + system, mib: kib === null ? null : kib / 1024 };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Whether a program is installed. */
export function isInstalled(program) {
  return spawnSync('bash', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;
}

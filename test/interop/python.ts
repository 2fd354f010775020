import { spawnSync } from 'node:child_process';

/** Runs a Python program, hands it a value as JSON and reads one back. */
export function python(program: string, input: unknown = null): unknown {
  const { status, stdout, stderr } = spawnSync('python3', ['-I', '-c', program], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`python3 ended with ${String(status)}:\n${stderr}`);
  return JSON.parse(stdout);
}

import { spawnSync } from 'node:child_process';

const looked = new Map<string, boolean>();

/** Whether a program is installed; says once why tests that need it are skipped. */
export function hasTool(name: string): boolean {
  const known = looked.get(name);
  if (known !== undefined) return known;
  const found = spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined;
  if (!found) console.warn(`skipped: ${name} is not installed`);
  looked.set(name, found);
  return found;
}

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Compiles once before any test runs: the tests drive what ships. `npm run check` has done so already. Where Node keeps
 * compiled code, all runs share one folder, as the runs of one user do.
 */
export function setup(): void {
  process.env['NODE_COMPILE_CACHE'] = mkdtempSync(join(tmpdir(), 'packsign-tests-'));
  if (process.env['PACKSIGN_COMPILED'] === '1') return;
  execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });
}

export function teardown(): void {
  rmSync(process.env['NODE_COMPILE_CACHE'] ?? '', { recursive: true, force: true });
}

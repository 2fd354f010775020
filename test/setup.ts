import { execFileSync } from 'node:child_process';

/** Compiles once before any test runs: the tests drive what ships. `npm run check` has done so already. */
export function setup(): void {
  if (process.env['PACKSIGN_COMPILED'] === '1') return;
  execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });
}

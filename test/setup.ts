import { execFileSync } from 'node:child_process';

/** Compiles once before any test runs: the tests drive what ships. */
export function setup(): void {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  });
}

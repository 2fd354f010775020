// npm run check: everything but the tests. All steps run; the last lines name those that failed.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installIfNeeded, runInstalled, runNpm, runScript } from './tools.mjs';

installIfNeeded();
const scratch = mkdtempSync(join(tmpdir(), 'packsign-check-'));
const failed = [];

function step(name, carryOut) {
  console.log(`\n== ${name}`);
  if (carryOut() !== 0) failed.push(name);
}

try {
  step('tsc', () => runInstalled('typescript/bin/tsc', ['-p', 'tsconfig.json', '--noEmit']));
  step('tsc for browsers', () =>
    runInstalled('typescript/bin/tsc', ['-p', 'src/page/browser/tsconfig.json']),
  );
  step('eslint', () => runInstalled('eslint/bin/eslint.js', ['--max-warnings', '0', '.']));
  step('prettier', () => runInstalled('prettier/bin/prettier.cjs', ['--check', '.']));
  step('knip', () => runInstalled('knip/bin/knip.js', []));
  // The packed package is what users get; packing compiles.
  step('npm pack', () => runNpm(['pack', '--silent', '--pack-destination', scratch]));
  const [tarball] = readdirSync(scratch);
  if (tarball !== undefined) {
    const file = join(scratch, tarball);
    step('publint', () => runInstalled('publint/src/cli.js', ['--strict', file]));
    step('attw', () =>
      runInstalled('@arethetypeswrong/cli/dist/index.js', [file, '--profile', 'esm-only', '--no-emoji']),
    );
  }
  step('layers', () =>
    runInstalled('vitest/vitest.mjs', ['run', 'test/layers.test.ts'], {
      env: { ...process.env, PACKSIGN_COMPILED: '1' },
    }),
  );
  step('tests load without optional programs', () =>
    runScript('bare.mjs', [], { env: { ...process.env, PACKSIGN_COMPILED: '1' } }),
  );
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

console.log(failed.length === 0 ? '\ncheck: all good' : `\ncheck: failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;

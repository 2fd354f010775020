// Functions for the other scripts. Nothing here needs an installed package.
import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs a program in the project's folder and shows its output. Returns its exit status. */
function run(program, args, options = {}) {
  const { status, signal, error } = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit', ...options });
  if (error !== undefined) console.error(`${program}: ${error.message}`);
  return status ?? (signal === null ? 127 : 128);
}

/** Runs npm: the npm that runs this script, else the one on the path. Returns its exit status. */
export function runNpm(args, options = {}) {
  const npm = process.env.npm_execpath;
  return npm?.endsWith('.js')
    ? run(process.execPath, [npm, ...args], options)
    : run('npm', args, { ...options, shell: process.platform === 'win32' });
}

/** Runs a program of an installed package with this Node. Returns its exit status. */
export function runInstalled(file, args, options = {}) {
  return run(process.execPath, [join(ROOT, 'node_modules', file), ...args], options);
}

/** Runs another script of this folder with this Node. Returns its exit status. */
export function runScript(name, args, options = {}) {
  return run(process.execPath, [join(ROOT, 'scripts', name), ...args], options);
}

/** Installs the packages of the lock file, unless they were installed since it changed. */
export function installIfNeeded() {
  // npm writes this file at the end of every installation.
  const installed = changedMs(join(ROOT, 'node_modules/.package-lock.json'));
  if (installed >= changedMs(join(ROOT, 'package-lock.json'))) return;
  const status = runNpm(['ci', '--no-audit', '--no-fund']);
  if (status !== 0) process.exit(status);
}

/**
 * Compiles to dist/, bundles the code for browsers, writes the man pages, and removes what an earlier compilation left there. It keeps this order so
 * that programs which run the old dist/ meanwhile never find it empty. Returns the compiler's exit status. With PACKSIGN_COMPILED=1 there is
 * nothing to do: the caller has compiled these sources.
 */
export function compile() {
  if (process.env.PACKSIGN_COMPILED === '1') return 0;
  const started = Date.now();
  const status = runInstalled('typescript/bin/tsc', ['-p', 'tsconfig.build.json']);
  if (status !== 0) return status;
  const bundled = runScript('bundle.mjs', []);
  if (bundled !== 0) return bundled;
  const described = runScript('man.mjs', []);
  if (described !== 0) return described;
  const dist = join(ROOT, 'dist');
  const kept = run(process.execPath, [join(dist, 'bin/compile-code.js')]);
  if (kept !== 0) return kept;
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && changedMs(path) < started) rmSync(path);
  }
  chmodSync(join(dist, 'bin/packsign.js'), 0o755);
  return 0;
}

function changedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

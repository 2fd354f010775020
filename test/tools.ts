import { spawnSync } from 'node:child_process';
import type { TestContext } from 'vitest';
import PACKAGES from './programs.json' with { type: 'json' };

/**
 * A program that some tests need and a machine may lack; `python3:x` is the module x of Python, and
 * `/usr/bin/python3:x` of the Python of the system, for what only the system installs. programs.json
 * names the Debian package of each for .ci/run, so a test can only ask for what continuous integration installs.
 */
export type Program = keyof typeof PACKAGES;

/** Debian keeps programs that only GnuPG calls, and servers, out of the PATH of a user. */
const BESIDE_PATH = ['/usr/lib/gnupg/', '/usr/libexec/', '/usr/sbin/'];

const paths = new Map<Program, string | null>();
const said = new Set<string>();

/** Whether a program is installed. If it is not, prints so once in each test file. Made for `runIf`. */
export function hasTool(name: Program): boolean {
  return given(toolPath(name) !== null, missing(name));
}

/** Whether all of these are installed. Prints each that is not. */
export function hasTools(...names: readonly Program[]): boolean {
  return names.filter((name) => !hasTool(name)).length === 0;
}

/** Skips a running test if one of these is not installed. */
export function needTools(context: TestContext, ...names: readonly Program[]): void {
  for (const name of names) if (!hasTool(name)) skip(context, missing(name));
}

/** The command that starts a program, or null if it is not installed. */
export function toolPath(name: Program): string | null {
  const known = paths.get(name);
  if (known !== undefined) return known;
  const path = look(name);
  paths.set(name, path);
  return path;
}

/** Returns the condition. If it does not hold, prints once in each test file why tests are skipped. */
export function given(condition: boolean, otherwise: string): boolean {
  if (!condition && !said.has(otherwise)) {
    said.add(otherwise);
    console.warn(`skipped: ${otherwise}`);
  }
  return condition;
}

/** Skips a running test and prints why. */
export function skip(context: TestContext, reason: string): never {
  given(false, reason);
  return context.skip(reason);
}

function missing(name: Program): string {
  const [program = '', module] = name.split(':');
  return `${module === undefined ? program : `the Python module ${module}`} is not installed`;
}

function look(name: Program): string | null {
  const [program = '', module] = name.split(':');
  if (module !== undefined) return exitStatusOf(program, ['-c', `import ${module}`]) === 0 ? program : null;
  return [program, ...BESIDE_PATH.map((folder) => folder + program)].find(isProgram) ?? null;
}

/**
 * Some programs do not know --version and fail, but they are installed. 126 and 127 mean that a shell, or what a
 * version manager puts in the place of a program, found nothing to run.
 */
function isProgram(path: string): boolean {
  // busybox takes --version for the name of a program that it does not have, and also answers 127.
  return ['--version', '--help'].some((option) => {
    const status = exitStatusOf(path, [option]);
    return status !== null && status !== 126 && status !== 127;
  });
}

/** Null if the program cannot be started. */
function exitStatusOf(program: string, args: readonly string[]): number | null {
  return spawnSync(program, args, { stdio: 'ignore' }).status;
}

/** How often a property is tried: a sixth of the times by `npm test`, which has others to run, and all of them by `npm run soak`. */
export function timesTried(all: number): number {
  return process.env['PACKSIGN_SOAK_SECONDS'] === undefined ? Math.ceil(all / 6) : all;
}

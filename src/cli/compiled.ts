import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import * as module from 'node:module';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { compiledFolder } from './folders.js';
import type { Outside } from './streams.js';

/** Node's own way to keep compiled code, from 22.8 on (22.1 as an experiment); it must not fail for want of a folder. */
type Enable = (folder: string) => unknown;

export interface RunCompiled extends Pick<Outside, 'environment'> {
  /** What was typed first: each command has its own compiled code, since it runs its own part of the program. */
  readonly command: string | undefined;
}

const OF_OTHERS = 0o022;
const DIGEST_BYTES = 32;
/** Long enough that compiling it is felt. Other packages are loaded by Node. */
const KEPT_PACKAGES = new Set(['openpgp']);

/**
 * Runs a CommonJS file without `import()` as Node would, compiled as an earlier run left it: that saves a quarter of what a
 * build of a small directory takes. Code from there is run as it is, so nobody but this user may be able to put any there.
 * The variables by which newer Nodes are told of another folder, or of none, hold for older ones too.
 */
export function runCompiled(
  file: string,
  { environment, command }: RunCompiled,
  enable: Enable | null = (module as { enableCompileCache?: Enable }).enableCompileCache ?? null,
): void {
  const folder = environment['NODE_COMPILE_CACHE'] ?? compiledFolder({ environment });
  const isKept = environment['NODE_DISABLE_COMPILE_CACHE'] !== '1' && isOwn(folder);
  if (isKept && enable === null) {
    runKept(file, { folder, prefix: /^[a-z]{2,20}$/.test(command ?? '') ? `${command}-` : '' });
  } else {
    if (isKept) enable?.(folder);
    module.createRequire(file)(file);
  }
}

function isOwn(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const stats = lstatSync(folder);
    // Where there are no such owners and modes, it lies in the user's profile.
    const isMine =
      process.getuid === undefined || (stats.uid === process.getuid() && (stats.mode & OF_OTHERS) === 0);
    return stats.isDirectory() && isMine;
  } catch {
    // Nothing is kept where nothing can be written.
    return false;
  }
}

interface Keeping {
  readonly folder: string;
  /** How the names of kept files begin. */
  readonly prefix: string;
}

type Wrapped = (...given: readonly unknown[]) => void;

const HEAD = '(function (exports, require, module, __filename, __dirname) {';
const TAIL = '\n})';

/** The same on a Node that keeps nothing by itself. Returns what the file exports. */
function runKept(file: string, keeping: Keeping): unknown {
  const bytes = readFileSync(file);
  const kept = join(keeping.folder, `${keeping.prefix}${basename(file)}.v8`);
  const cachedData = readKept(kept, bytes);
  const script = new Script(`${HEAD}${bytes.toString()}${TAIL}`, {
    filename: file,
    columnOffset: -HEAD.length,
    cachedData,
  });
  if (cachedData === undefined || script.cachedDataRejected === true) {
    // By then it holds every function that this command ran.
    process.once('exit', (status) => {
      if (status === 0) keep(kept, bytes, script.createCachedData());
    });
  }
  const load = module.createRequire(file);
  const loaded = new Map<string, unknown>();
  const require = (name: string): unknown => {
    if (!KEPT_PACKAGES.has(name)) return load(name);
    const exports = loaded.get(name) ?? runKept(load.resolve(name), keeping);
    loaded.set(name, exports);
    return exports;
  };
  const unit: { exports: unknown } = { exports: {} };
  (script.runInThisContext() as Wrapped)(unit.exports, require, unit, file, dirname(file));
  return unit.exports;
}

/** Undefined where nothing is kept, or what is kept is damaged or of another source, which V8 would not notice. */
function readKept(kept: string, source: Buffer): Buffer | undefined {
  try {
    const bytes = readFileSync(kept);
    const data = bytes.subarray(DIGEST_BYTES);
    return digestOf(source, data).equals(bytes.subarray(0, DIGEST_BYTES)) ? data : undefined;
  } catch {
    return undefined;
  }
}

/** Where it cannot be written, the next run compiles again. */
function keep(kept: string, source: Buffer, data: Buffer): void {
  const temporary = `${kept}.${process.pid}`;
  try {
    writeFileSync(temporary, Buffer.concat([digestOf(source, data), data]), { mode: 0o600 });
    renameSync(temporary, kept);
  } catch {
    rmSync(temporary, { force: true });
  }
}

function digestOf(source: Buffer, data: Buffer): Buffer {
  return createHash('sha256').update(`${source.length}\n`).update(source).update(data).digest();
}

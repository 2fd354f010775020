// node scripts/bare.mjs [arguments of vitest]: runs vitest with a PATH that holds only node, npm, git and the programs of
// every Unix. Without arguments it loads every test file, and fails if one needs more than that before it can skip.
// `node scripts/bare.mjs run test/pgp` runs the tests of one room.
import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runInstalled } from './tools.mjs';

const PROGRAMS = [
  ...['node', 'npm', 'npx', 'git'],
  ...['sh', 'env', 'echo', 'printf', 'true', 'false', 'test', 'sleep', 'kill', 'uname', 'id'],
  ...['cat', 'head', 'tail', 'tr', 'cut', 'sort', 'wc', 'sed', 'grep', 'awk', 'find', 'xargs'],
  ...[
    'ls',
    'cp',
    'mv',
    'rm',
    'ln',
    'mkdir',
    'rmdir',
    'mkfifo',
    'mknod',
    'mktemp',
    'touch',
    'dd',
    'chmod',
    'chown',
  ],
  ...['basename', 'dirname', 'stty', 'tar', 'gzip'],
];

function pathOf(program) {
  const paths = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, program));
  return paths.find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const scratch = mkdtempSync(join(tmpdir(), 'packsign-bare-'));
try {
  const bin = join(scratch, 'bin');
  mkdirSync(bin);
  for (const program of PROGRAMS) {
    const path = program === 'node' ? process.execPath : pathOf(program);
    if (path !== undefined) symlinkSync(path, join(bin, program));
  }
  const vitest = (...args) => runInstalled('vitest/vitest.mjs', args, { env: { ...process.env, PATH: bin } });
  const args = process.argv.slice(2);
  if (args.length > 0) process.exitCode = vitest(...args);
  else {
    // To list the tests, vitest runs all code outside of tests and hooks, and names a file that does not load.
    const list = join(scratch, 'tests.json');
    process.exitCode = vitest('list', `--json=${list}`);
    if (process.exitCode === 0)
      console.log(`${JSON.parse(readFileSync(list, 'utf8')).length} tests load without optional programs`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Script } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { codeFile, encodeCode, load, makeScript } from '../src/cli/compiled-code.js';

// Keeps V8's code of the program beside the program: that of all functions that run in a typical build. From then on this
// Node starts the program faster.

const COMMANDS = [
  'key generate --user-id Ann --no-passphrase --output key.asc',
  'build dist --key key.signing.asc',
  // Nothing changed; the second of these may rely on what the first one noted.
  'build dist --key key.signing.asc',
  'build dist --key key.signing.asc',
  'status dist',
  'verify dist --keys key.pub.asc',
];

const program = createRequire(import.meta.url).resolve('../program/cli/packsign.js');
const scripts = new Map<string, Script>();
const home = mkdtempSync(join(tmpdir(), 'packsign-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));

function runNext(): void {
  process.argv = [process.execPath, program, ...(COMMANDS.shift() ?? '').split(' '), '--quiet'];
  load(program, scriptOf);
}

/** A script that runs again has the functions of both runs. */
function scriptOf(file: string): Script {
  const script = scripts.get(file) ?? makeScript(file, readFileSync(file));
  scripts.set(file, script);
  return script;
}

function keepCode(): void {
  for (const [file, script] of scripts) {
    const kept = encodeCode(file, readFileSync(file), script.createCachedData());
    writeFileSync(codeFile(dirname(program), file), kept);
  }
}

process.chdir(home);
process.env = { PATH: process.env['PATH'], HOME: home };
mkdirSync('dist');
writeFileSync('dist/demo-1.0.tar.gz', gzipSync(new Uint8Array(1024)));
// A command has ended when Node has nothing left to wait for.
process.on('beforeExit', () => {
  if (process.exitCode !== 0) return;
  if (COMMANDS.length > 0) setImmediate(runNext);
  else keepCode();
});
runNext();

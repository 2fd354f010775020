// `Nothing changed` (size `small`) takes 1.4 times the CPU time without this file.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';

const DIGEST_BYTES = 32;
/** As Node wraps a file of CommonJS. */
const HEAD = '(function (exports, require, module, __filename, __dirname) {';

/** Gives a file's script, or null to let Node load the file. */
type Compile = (file: string) => Script | null;
type Run = (exports: object, require: (name: string) => unknown, ...more: readonly unknown[]) => void;

/** Loads a file of CommonJS, and OpenPGP.js for it. */
export function load(file: string, compile: Compile): unknown {
  const script = compile(file);
  const plain = createRequire(file);
  if (script === null) return plain(file);
  const module = { exports: {} };
  let openpgp: unknown = null;
  const require = (name: string): unknown =>
    name === 'openpgp' ? (openpgp ??= load(plain.resolve(name), compile)) : plain(name);
  (script.runInThisContext() as Run)(module.exports, require, module, file, dirname(file));
  return module.exports;
}

/** The script of a file, from its compiled code in the folder; null unless that is there and fits. */
export function compiledIn(folder: string): Compile {
  return (file) => {
    try {
      const source = readFileSync(file);
      const kept = readFileSync(codeFile(folder, file));
      const code = kept.subarray(DIGEST_BYTES);
      if (!encodeCode(file, source, code).equals(kept)) return null;
      const script = makeScript(file, source, code);
      // V8 refuses the code of another version, and of other flags.
      return script.cachedDataRejected === false ? script : null;
    } catch {
      return null;
    }
  };
}

/** `code`: what V8 made of this source before. */
export function makeScript(file: string, source: Buffer, code?: Buffer): Script {
  const text = `${HEAD}${source.toString()}\n})`;
  // A stack counts columns from the start of the file.
  return new Script(text, { filename: file, columnOffset: -HEAD.length, cachedData: code });
}

/** Where V8's code of a file is kept. */
export function codeFile(folder: string, file: string): string {
  return join(folder, `${basename(file)}.v8`);
}

/**
 * V8's code of a file behind a digest of all that it belongs to. V8 would run code of another source if only the lengths
 * are the same, crashes if code is damaged, and on Node 20 takes the path in a stack from the code.
 */
export function encodeCode(file: string, source: Buffer, code: Buffer): Buffer {
  const about = JSON.stringify([process.version, process.arch, file, source.length]);
  const digest = createHash('sha256').update(about).update(source).update(code).digest();
  return Buffer.concat([digest, code]);
}

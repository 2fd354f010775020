// Started by lock-race.test.ts, many at once: takes the lock in a folder, adds one to a counter, and releases the lock.
//
//   node lock-worker.mjs LOCK_MODULE FOLDER DELAY_MS CHANCE_OF_DEATH
//
// Lets up to DELAY_MS pass at each step, or dies there; with -1, holds the lock until its standard input ends.
// Prints `inside` when it holds the lock, `two writers` if another one does too, and then `done` or the error's code.
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modulePath, folder, delay, death] = process.argv.slice(2);
const { takeLock } = await import(pathToFileURL(modulePath));
const clock = new Int32Array(new SharedArrayBuffer(4));
const pause = () => Atomics.wait(clock, 0, 0, Math.random() * Math.max(0, Number(delay)));
const step = () => {
  pause();
  if (Math.random() < Number(death)) process.kill(process.pid, 'SIGKILL');
};
const say = (words) => writeSync(1, `${words}\n`);
const place = { stateFolder: folder, waitMs: 600_000, signal: new globalThis.AbortController().signal };
const held = await takeLock(place, step);
const [counter, inside] = [join(folder, '..', 'counter'), join(folder, '..', 'inside')];
if (existsSync(inside)) say('two writers');
writeFileSync(inside, '');
say('inside');
try {
  if (delay === '-1') await once(process.stdin.resume(), 'end');
  const count = Number(readFileSync(counter, 'utf8'));
  pause();
  writeFileSync(`${counter}.${process.pid}`, String(count + 1));
  held.check();
  renameSync(`${counter}.${process.pid}`, counter);
  rmSync(inside, { force: true });
  held.release();
  say('done');
} catch (error) {
  held.release();
  say(error.code);
}

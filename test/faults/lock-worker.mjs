// Started by lock-race.test.ts, many at once: takes the lock in a folder, adds one to a counter, and releases the lock.
//
//   node lock-worker.mjs LOCK_MODULE FOLDER DELAY_MS CHANCE_OF_DEATH CHANCE_TO_STALL
//
// Lets up to DELAY_MS pass at each step, or dies there; with -1, holds the lock until its standard input ends. Where it
// stalls, it stands still, and its files look as after more than a minute.
// Prints `inside` when it holds the lock, `two writers` if another one does too, and then `done` or the error's code.
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  futimesSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modulePath, folder, delay, death, stall] = process.argv.slice(2);
const { takeLock } = await import(pathToFileURL(modulePath));
const clock = new Int32Array(new SharedArrayBuffer(4));
const pauseUpTo = (ms) => Atomics.wait(clock, 0, 0, Math.random() * ms);
const pause = () => {
  pauseUpTo(Math.max(0, Number(delay)));
  if (Math.random() >= Number(stall)) return;
  ageOwnFiles();
  pauseUpTo(500);
};
const step = () => {
  pause();
  if (Math.random() < Number(death)) process.kill(process.pid, 'SIGKILL');
};
const say = (words) => writeSync(1, `${words}\n`);
const place = { stateFolder: folder, waitMs: 600_000, signal: new globalThis.AbortController().signal };

/** By their descriptors: another process may rename its own file over one of ours. */
function ageOwnFiles() {
  const mine = readlinkSync('/proc/self/ns/pid');
  for (const name of readdirSync(folder).filter((name) => name.startsWith('lock'))) {
    try {
      const fd = openSync(join(folder, name), 'r+');
      if (readFileSync(fd, 'utf8').includes(mine)) futimesSync(fd, 0, 0);
      closeSync(fd);
    } catch {
      // It is gone.
    }
  }
}

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

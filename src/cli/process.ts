import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { PacksignError, reasonOf } from '../index.js';
import { forgetRelativeFolders } from './environment.js';
import { BUG_STATUS, reportFailure } from './failure.js';
import { main } from './main.js';

// Runs the program with this process as its outside. The launcher in bin/ loads it.

const UNDONE_STATUS = 2;
const INTERRUPTED_STATUS = 130;
const TERMINATED_STATUS = 143;
/** Nearly every terminal has as many columns. */
const USUAL_COLUMNS = 80;

const { stdin, stdout, stderr } = process;
const argv = process.argv.slice(2);
const stop = new AbortController();
let isAwaited = false;
let hasAnswered = false;
let isUnheard = false;
let tellCrash: (error: unknown) => void = () => undefined;

// Until the command has answered, every other end of this process is a failure (threat T40).
process.exitCode = BUG_STATUS;
forgetRelativeFolders(process.env);

/** What others would have to wait for, such as a lock in a bucket. */
const givingUp = new Set<() => Promise<void>>();
const GIVE_UP_MS = 800;
let isEnding = false;

function endAfterGivingUp(status: number): void {
  const end = () => process.exit(status);
  if (isEnding || givingUp.size === 0) end();
  isEnding = true;
  setTimeout(end, GIVE_UP_MS);
  Promise.allSettled(Array.from(givingUp, (giveUp) => giveUp())).then(end, end);
}

// With a handler, synchronous work such as publishing ends before a signal counts. A second signal ends everything.
function stopWith(status: number): void {
  if (stop.signal.aborted) process.exit(status);
  if (isAwaited) stop.abort();
  else endAfterGivingUp(status);
}
process.on('SIGINT', () => stopWith(INTERRUPTED_STATUS));
process.on('SIGTERM', () => stopWith(TERMINATED_STATUS));
// The terminal is gone. Node takes this signal back from nohup, and does not say so.
process.on('SIGHUP', () => stopWith(TERMINATED_STATUS));

// After an uncaught error, in a socket's event for instance, we cannot trust anything to be whole.
function endWith(error: unknown): void {
  const status = reportFailure(error, { stdout, stderr, environment: process.env, argv, typed: {} });
  try {
    tellCrash(error);
  } finally {
    process.exit(status);
  }
}
process.on('uncaughtException', endWith);
// Node has nothing left to wait for, and would end without a message.
process.on('beforeExit', () => {
  if (!hasAnswered) endWith(new Error(`packsign ${argv[0] ?? ''} ended before it had an answer`));
});

// At its end Node gives each terminal its modes back. If the terminal is gone it aborts, and the core may hold a secret key.
process.on('exit', () => {
  for (const { isTTY, fd } of [stdin, stdout, stderr]) if (isTTY && !isatty(fd)) closeSync(fd);
});

stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader may stop early: packsign diff | head. But a watch that nobody hears has failed.
  if (error.code === 'EPIPE' && !isAwaited) process.exit(hasAnswered ? process.exitCode : UNDONE_STATUS);
  // A watch says more until it has ended.
  if (isUnheard) return;
  isUnheard = true;
  const message = `cannot write to standard output: ${reasonOf(error)}`;
  stderr.write(`packsign: error: ${message}\n`);
  // It may have published, and must not be taken for a command that failed to.
  if (process.exitCode === 0) {
    stderr.write('packsign: hint: the command itself succeeded; only its answer is lost\n');
  }
  if (!isAwaited || hasAnswered) process.exit(UNDONE_STATUS);
  // It ends as by a signal, so that its commands end with it.
  stop.abort(new PacksignError('FILE_UNWRITABLE', message));
});
// The command succeeds or fails whether or not anybody reads its messages.
stderr.on('error', () => undefined);

// Serial lines, and terminals that a program has made, often have no width.
if (stderr.isTTY && stderr.columns === 0) stderr.columns = USUAL_COLUMNS;

async function run(): Promise<void> {
  const status = await main(argv, {
    stdin,
    stdout,
    stderr,
    environment: process.env,
    clock: () => new Date(),
    progressEveryMs: 10_000,
    interrupt: () => stopWith(INTERRUPTED_STATUS),
    onCrash: (tell) => {
      tellCrash = tell;
    },
    atSignal: (giveUp) => {
      givingUp.add(giveUp);
      return () => givingUp.delete(giveUp);
    },
    stopSignal: () => {
      isAwaited = true;
      return stop.signal;
    },
  });
  process.exitCode = isUnheard ? UNDONE_STATUS : status;
  hasAnswered = true;
  // What was stopped in the middle may keep threads busy; do not wait for them.
  if (stop.signal.aborted) stdout.write('', () => endAfterGivingUp(Number(process.exitCode)));
}

// The handler of uncaught exceptions takes a rejection.
// eslint-disable-next-line @typescript-eslint/no-floating-promises
run();

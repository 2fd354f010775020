import { forgetRelativeFolders } from './environment.js';
import { BUG_STATUS, reportFailure } from './failure.js';
import { main } from './main.js';

// This process as the outside of the program: what the launcher in bin/ runs.

const UNDONE_STATUS = 2;
const INTERRUPTED_STATUS = 130;
const TERMINATED_STATUS = 143;

const { stdin, stdout, stderr } = process;
const argv = process.argv.slice(2);
const stop = new AbortController();
let isAwaited = false;
let hasAnswered = false;

// Until the command has answered, every other end of this process is a failure (threat T40).
process.exitCode = BUG_STATUS;
forgetRelativeFolders(process.env);

// A handler lets synchronous work, publication above all, come to its end first. A second signal ends all.
function stopWith(status: number): void {
  if (!isAwaited || stop.signal.aborted) process.exit(status);
  stop.abort();
}
process.on('SIGINT', () => stopWith(INTERRUPTED_STATUS));
process.on('SIGTERM', () => stopWith(TERMINATED_STATUS));

// Nothing is known to be whole after what nobody caught, in a socket's event for instance.
function endWith(error: unknown): void {
  process.exit(reportFailure(error, { stdout, stderr, environment: process.env, argv, directory: null }));
}
process.on('uncaughtException', endWith);
// Node has nothing left to wait for, and would end in silence.
process.on('beforeExit', () => {
  if (!hasAnswered) endWith(new Error(`packsign ${argv[0] ?? ''} ended before it had an answer`));
});

// Whoever reads our output may stop early: packsign diff | head.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(hasAnswered ? process.exitCode : UNDONE_STATUS);
  stderr.write(`packsign: error: standard output cannot be written: ${error.message}\n`);
  process.exit(UNDONE_STATUS);
});
// What is done does not depend on who reads the messages.
stderr.on('error', () => undefined);

async function run(): Promise<void> {
  process.exitCode = await main(argv, {
    stdin,
    stdout,
    stderr,
    environment: process.env,
    clock: () => new Date(),
    interrupt: () => stopWith(INTERRUPTED_STATUS),
    stopSignal: () => {
      isAwaited = true;
      return stop.signal;
    },
  });
  hasAnswered = true;
}

// What it rejects with is nobody's to catch.
// eslint-disable-next-line @typescript-eslint/no-floating-promises
run();

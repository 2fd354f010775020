import { forgetRelativeFolders } from './environment.js';
import { main } from './main.js';

// This process as the outside of the program: what the launcher in bin/ runs.

forgetRelativeFolders(process.env);

const stop = new AbortController();
let isAwaited = false;

// A handler lets synchronous work, publication above all, come to its end first. A second signal ends all.
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => {
    if (!isAwaited || stop.signal.aborted) process.exit(status);
    stop.abort();
  });
}
// Whoever reads our output may stop early: packsign diff | head.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`packsign: error: standard output cannot be written: ${error.message}\n`);
  process.exit(2);
});

async function run(): Promise<void> {
  process.exitCode = await main(process.argv.slice(2), {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    clock: () => new Date(),
    stopSignal: () => {
      isAwaited = true;
      return stop.signal;
    },
  });
}

// What it rejects with ends the process, as it does in any program.
// eslint-disable-next-line @typescript-eslint/no-floating-promises
run();

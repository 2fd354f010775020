// npm run soak [-- SECONDS]: the tests that find more the longer they run, 600 seconds unless told. A watch while releases come
// and go, real kills at every call of a publication, fifty races for the lock; two hundred publications to a folder, over
// ssh and to a bucket under readers, and two machines that publish to one place; a queue whose workers, build and server are
// killed; every command with every stream closed, ended and full; properties of the format, more often. Prints what was done.
import { installIfNeeded, runInstalled } from './tools.mjs';

const [seconds = '600'] = process.argv.slice(2);
if (!/^[1-9]\d*$/.test(seconds)) {
  console.error('usage: npm run soak [-- SECONDS]');
  process.exit(2);
}
installIfNeeded();
const env = { ...process.env, PACKSIGN_SOAK_SECONDS: seconds };
const tests = [
  ...[
    'watch/soak',
    'faults/kill',
    'faults/fail',
    'faults/lock-race',
    'faults/commands',
    'cli/streams',
    'release/shortcuts.property',
  ],
  ...[
    'upload/readers',
    'upload/race',
    'upload/rsync',
    'upload/ssh-sharing',
    'upload/real-bucket',
    'workers/queue',
    'format/canonical.property',
    'format/database.property',
    'format/shared-entries.property',
  ],
].map((name) => `test/${name}.test.ts`);
process.exitCode = runInstalled('vitest/vitest.mjs', ['run', ...tests, '--disable-console-intercept'], {
  env,
});

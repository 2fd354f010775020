// npm test [-- arguments of vitest]: installs if needed and runs the whole suite, which compiles first.
import { installIfNeeded, runInstalled } from './tools.mjs';

installIfNeeded();
process.exitCode = runInstalled('vitest/vitest.mjs', ['run', ...process.argv.slice(2)]);

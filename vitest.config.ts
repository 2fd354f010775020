import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Tests run what ships: an import of src/x.js is the compiled file, workers included.
  resolve: { alias: [{ find: /^(?:\.\.\/)+src\/(.*)$/, replacement: resolve('dist/src') + '/$1' }] },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup.ts'],
    // Most tests wait for processes of their own.
    maxWorkers: 4,
    // Runs inside a test change the current folder, which threads cannot.
    pool: 'forks',
    // Against hanging for ever, and nothing else: the machine may have other things to do.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});

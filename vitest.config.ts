import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';

/** The files that take longest, so that none of them runs alone at the end. */
const LONG =
  /\/(?:docs\/blocks|faults\/(?:commands|fail|kill|lock-race)|page\/browser\/page|watch\/(?:bucket-states|real|soak)|release\/(?:last-build|shortcuts\.property)|package\/(?:packed|scale-examples)|format\/size|pgp\/interop|upload\/(?:bucket|real-bucket|rsync|ssh-sharing|readers)|consume\/verify-bucket|cli\/(?:progress|queue)|net\/(?:odd-answers|servers))\.test\.ts$/;

class LongFirst extends BaseSequencer {
  override async sort(...args: Parameters<BaseSequencer['sort']>): ReturnType<BaseSequencer['sort']> {
    const files = await super.sort(...args);
    const isLong = ({ moduleId }: (typeof files)[number]) => LONG.test(moduleId);
    return [...files.filter(isLong), ...files.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  // Tests run what ships: an import of src/x.js is the compiled file, workers included.
  resolve: { alias: [{ find: /^(?:\.\.\/)+src\/(.*)$/, replacement: resolve('dist/src') + '/$1' }] },
  test: {
    // Node loads what was compiled, but for what a test mocks: to transform it for Vitest would take longer.
    server: { deps: { external: [/\/dist\/(?!src\/watch\/)/] } },
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup.ts'],
    sequence: { sequencer: LongFirst },
    // Most tests wait for processes of their own.
    maxWorkers: 4,
    // Runs inside a test change the current folder, which threads cannot.
    pool: 'forks',
    // Against hanging for ever, and nothing else: the machine may have other things to do.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});

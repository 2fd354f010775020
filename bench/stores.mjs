// The stores of the tests, for benches: each has a bucket `bucket`.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { ROOT } from '../scripts/tools.mjs';

/** The small store, in this process, behind a middleman. `folder` is for modules that are compiled. */
export async function startSmall(folder) {
  const [{ startSmallStore }, { startMiddleman }] = await Promise.all([
    moduleOf('test/upload/s3/small-store.ts', folder),
    moduleOf('test/servers/middleman.ts', folder),
  ]);
  const store = await startSmallStore();
  const middleman = await startMiddleman(Number(new URL(store.url).port));
  return {
    store,
    middleman,
    env: { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL: middleman.url },
    stop: async () => {
      await middleman.stop();
      await store.stop();
    },
  };
}

/** OpenStack Swift. */
export async function startSwift(folder) {
  const [{ startServer }, { environmentFor, makeBucket, swift }] = await Promise.all([
    moduleOf('test/net/servers.ts', folder),
    moduleOf('test/servers/swift.ts', folder),
  ]);
  const { ports, stop } = await startServer(swift);
  const url = `http://127.0.0.1:${ports.at(-1)}`;
  await makeBucket(`${url}/bucket`);
  return { env: environmentFor(url), stop };
}

/** A module of the tests, which are in TypeScript. */
async function moduleOf(path, folder) {
  const outfile = join(folder, `${createHash('sha256').update(path).digest('hex')}.mjs`);
  await build({ entryPoints: [join(ROOT, path)], outfile, bundle: true, platform: 'node', format: 'esm' });
  return await import(pathToFileURL(outfile));
}

// What runs in browsers: packsign/verify for bundlers. Called by the build.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from './tools.mjs';

const BROWSER = join(ROOT, 'dist/browser');

const NOTICES = ['@noble/hashes']
  .map((name) => `${name}\n\n${readFileSync(join(ROOT, 'node_modules', name, 'LICENSE'), 'utf8').trim()}\n`)
  .join('\n----\n\n');

/** OpenPGP.js is under the LGPL: it stays a file of its own, that anybody can replace. */
function openpgpFrom(address) {
  return {
    name: 'openpgp',
    setup: ({ onResolve }) => {
      onResolve({ filter: /^openpgp$/ }, () => ({ path: address, external: true }));
    },
  };
}

const common = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'browser',
  target: ['es2022'],
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
  alias: { 'node:crypto': './src/browser/crypto.ts' },
};
const verifying = { ...common, format: 'esm', inject: ['src/browser/buffer.ts'] };
const banner = { js: '/* packsign, MIT; with parts of @noble/hashes, MIT: see LICENSES.txt */' };

await Promise.all([
  build({
    ...verifying,
    entryPoints: { verify: 'src/verify.ts' },
    outdir: BROWSER,
    banner,
    plugins: [openpgpFrom('openpgp/lightweight')],
  }),
]);

writeFileSync(join(BROWSER, 'LICENSES.txt'), NOTICES);

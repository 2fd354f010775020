// What runs in browsers: packsign/verify for bundlers, and the scripts of the trust page. Called by the build.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from './tools.mjs';

const BROWSER = join(ROOT, 'dist/browser');
const PAGE = join(ROOT, 'dist/page');
const LIGHTWEIGHT = join(ROOT, 'node_modules/openpgp/dist/lightweight');
/** OpenPGP.js itself, and what it loads by need in browsers whose WebCrypto lacks an algorithm. */
// Many web servers do not know .mjs, and browsers run no script of an unknown type.
const RENAMED =
  '/* Renamed from .mjs to .js by packsign, otherwise as published on npm in openpgp/dist/lightweight. */\n';
const OPENPGP_FILES = ['openpgp', 'nacl-fast', 'noble_curves', 'noble_hashes', 'sha512'];

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
  build({
    ...verifying,
    entryPoints: { worker: 'src/browser/worker.ts' },
    outdir: PAGE,
    minify: true,
    banner,
    plugins: [openpgpFrom('./openpgp/openpgp.min.js')],
  }),
  build({
    ...common,
    entryPoints: { page: 'src/browser/page.ts' },
    format: 'iife',
    outdir: PAGE,
    minify: true,
  }),
]);

mkdirSync(join(PAGE, 'openpgp'), { recursive: true });
for (const name of OPENPGP_FILES) {
  const text = readFileSync(join(LIGHTWEIGHT, `${name}.min.mjs`), 'utf8');
  writeFileSync(
    join(PAGE, 'openpgp', `${name}.min.js`),
    `${RENAMED}${text.replaceAll('.min.mjs"', '.min.js"')}`,
  );
}
writeFileSync(join(PAGE, 'openpgp/LICENSE.txt'), readFileSync(join(ROOT, 'node_modules/openpgp/LICENSE')));
writeFileSync(join(PAGE, 'LICENSES.txt'), NOTICES);
writeFileSync(join(BROWSER, 'LICENSES.txt'), NOTICES);

// Bundles the command line into one file, which starts faster than many, and the code for browsers: packsign/verify for
// bundlers, the scripts of the trust page. The build calls it.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from './tools.mjs';

const BROWSER = join(ROOT, 'dist/browser');
const PAGE = join(ROOT, 'dist/page');
const LIGHTWEIGHT = join(ROOT, 'node_modules/openpgp/dist/lightweight');
/** OpenPGP.js itself, and the files that it loads in browsers whose WebCrypto lacks an algorithm. */
// Many web servers do not know .mjs, and browsers run no script of an unknown type.
const RENAMED =
  '/* Renamed from .mjs to .js by packsign, otherwise as published on npm in openpgp/dist/lightweight. */\n';
const OPENPGP_FILES = ['openpgp', 'nacl-fast', 'noble_curves', 'noble_hashes', 'sha512'];

/** The licences of packages whose code is in a bundle. `names`: folders below node_modules. */
function notices(names) {
  return names
    .map((name) => `${name}\n\n${licenceOf(join(ROOT, 'node_modules', name))}\n`)
    .join('\n----\n\n');
}

function licenceOf(folder) {
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  if (file !== undefined) return readFileSync(join(folder, file), 'utf8').trim();
  const { license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return `${license}, ${author.name ?? author}`;
}

/** OpenPGP.js is under the LGPL: it stays a file of its own, which anyone can replace. */
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
  alias: { 'node:crypto': './src/page/browser/crypto.ts' },
};

/**
 * `verify/` loads OpenPGP only when it is needed, and with it all that a module exports. A browser loads one file: static
 * imports let the bundler leave out what a verifier does not use.
 */
const withoutLazyImports = {
  name: 'without lazy imports',
  setup: ({ onLoad }) => {
    onLoad({ filter: /src[/\\]verify[/\\].*\.ts$/ }, ({ path }) => {
      const imports = [];
      const rest = readFileSync(path, 'utf8').replace(
        /^ *const (\{[^}]*\}) = await import\(('[^']*')\);$/gm,
        (_, names, from) => {
          imports.push(`import ${names} from ${from};`);
          return '';
        },
      );
      return { loader: 'ts', contents: `${imports.join('')}${rest}` };
    });
  },
};

/** The verifier for browsers, with OpenPGP.js at this address. */
function verifying(openpgp) {
  return {
    ...common,
    format: 'esm',
    inject: ['src/page/browser/buffer.ts'],
    plugins: [openpgpFrom(openpgp), withoutLazyImports],
  };
}
const banner = { js: '/* packsign, MIT; with parts of @noble/hashes, MIT: see LICENSES.txt */' };

const PROGRAM = join(ROOT, 'dist/program/cli');
const LAUNCHER = join(ROOT, 'dist/bin');
/** Packages that every command needs, or that have only ES modules. Others stay separate, OpenPGP.js (LGPL) in any case. */
const BUNDLED = ['yargs', 'picomatch', 'chokidar', 'ora', 'plist'];
const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/**
 * To measure the width of a text, the package first sets up all of Unicode: 40 ms at every start, for a help text that
 * nobody asked for. Use the package only for text that is not plain.
 */
const widthByNeed = {
  name: 'width by need',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^string-width$/, namespace: 'file' }, ({ resolveDir }) => ({
      path: resolveDir,
      namespace: 'width',
    }));
    onLoad({ filter: /.*/, namespace: 'width' }, ({ path }) => ({
      resolveDir: path,
      contents: `export default (text, options) =>
        /^[ -~]*$/.test(text) ? text.length : require('string-width').default(text, options);`,
    }));
  },
};

const INDEX = readFileSync(join(ROOT, 'src/index.ts'), 'utf8');
/** Name → the file from which src/index.ts exports it. */
const SOURCES = new Map(
  Array.from(INDEX.matchAll(/^export \{([^}]*)\} from '\.\/([^']*)';/gms)).flatMap(([, names, file]) =>
    names.split(',').map((name) => [name.trim(), file]),
  ),
);

/** Lets a command load only what it uses of the library. */
const straightFromSource = {
  name: 'straight from source',
  setup: ({ onLoad }) => {
    onLoad({ filter: /src[/\\]cli[/\\].*\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8').replace(
        /^import \{([^}]*)\} from '((?:\.\.\/)+)index\.js';/gms,
        (_, names, up) =>
          names
            .split(',')
            .filter((name) => name.trim() !== '')
            .map((name) => `import {${name}} from '${up}${SOURCES.get(name.trim())}';`)
            .join(''),
      ),
    }));
  },
};

/** Node loads CommonJS at once, ES modules in asynchronous steps. */
const forNode = {
  absWorkingDir: ROOT,
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: ['node20.19'],
  // `import()` of a package would load its ES modules; `require` loads the one file that it has for CommonJS.
  supported: { 'dynamic-import': false },
  legalComments: 'none',
  logLevel: 'warning',
  minify: true,
  sourcemap: true,
  sourcesContent: false,
  define: { 'import.meta.url': 'addressOfThis' },
  banner: { js: "const addressOfThis = require('node:url').pathToFileURL(__filename).href;" },
};

/**
 * Bundles one file, which does not run code that a command does not need. It is as deep below the package's folder as the
 * compiler's output, so that relative paths hold.
 */
const program = await build({
  ...forNode,
  metafile: true,
  entryPoints: {
    packsign: 'src/cli/process.ts',
    // For tests that run commands inside their own process; it does not ship.
    main: 'src/cli/main.ts',
    thread: 'src/workers/thread.ts',
    'list-thread': 'src/stores/list-thread.ts',
  },
  outdir: PROGRAM,
  external: Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => !BUNDLED.includes(name)),
  plugins: [widthByNeed, straightFromSource],
});
await build({
  ...forNode,
  entryPoints: ['bin/packsign.ts', 'bin/compile-code.ts'],
  outdir: LAUNCHER,
  plugins: [straightFromSource],
});
for (const folder of [dirname(PROGRAM), LAUNCHER]) {
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
}
const foreign = Object.keys(program.metafile.inputs).flatMap(
  (path) => /(?:^|:)node_modules\/((?:.*node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
);
writeFileSync(join(PROGRAM, 'LICENSES.txt'), notices([...new Set(foreign)].sort()));
await Promise.all([
  build({
    ...verifying('openpgp/lightweight'),
    entryPoints: { verify: 'src/verify.ts' },
    outdir: BROWSER,
    banner,
  }),
  build({
    ...verifying('./openpgp/openpgp.min.js'),
    entryPoints: { worker: 'src/page/browser/worker.ts' },
    outdir: PAGE,
    minify: true,
    banner,
  }),
  build({
    ...common,
    entryPoints: { page: 'src/page/browser/page.ts' },
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
for (const folder of [PAGE, BROWSER]) writeFileSync(join(folder, 'LICENSES.txt'), notices(['@noble/hashes']));

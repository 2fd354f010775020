// npm runs this before it packs or installs a checkout: compiles to dist/.
import { lstatSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, compile, installIfNeeded } from './tools.mjs';

/**
 * `npm install --global` of a git repository has its clone prepared by an npm that installs globally too. That one links
 * the clone to where npm is about to unpack the package, so everything would be unpacked into the clone, and lost with it.
 */
function unlinkClone() {
  const { npm_config_global: isGlobal, npm_config_global_prefix: prefix } = process.env;
  if (isGlobal !== 'true' || prefix === undefined) return;
  const { name } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const target = join(prefix, process.platform === 'win32' ? '' : 'lib', 'node_modules', name);
  const isLink = lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  // `npm link`, or an installation of a folder, shall stay a link.
  if (!isLink || realpathSync(target) !== realpathSync(ROOT) || !/[\\/]_cacache[\\/]tmp[\\/]/.test(ROOT))
    return;
  rmSync(target);
  mkdirSync(target);
}

installIfNeeded();
process.exitCode = compile();
unlinkClone();

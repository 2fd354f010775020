import { lstatSync, mkdirSync } from 'node:fs';
import * as module from 'node:module';
import { compileCacheFolder } from './folders.js';
import type { Outside } from './streams.js';

/** `module.enableCompileCache`, which Node has from 22.1 on. */
type Enable = (folder: string) => unknown;

const GROUP_AND_OTHERS = 0o077;

/**
 * Lets Node keep what V8 compiles of this program, which saves a quarter of a short run. Node runs cached code without
 * comparing it with the source, so the folder must be one that only this user can open: an absolute path, no link, our
 * owner, mode 0700. Anywhere else, and on an older Node, we cache nothing and run nothing from a cache. Node reads
 * NODE_COMPILE_CACHE before any program starts; if it is set, we leave that folder to Node.
 */
export function keepCompiledCode(
  environment: Outside['environment'],
  enable: Enable | null = (module as { enableCompileCache?: Enable }).enableCompileCache ?? null,
): void {
  const isSet = (name: string) => (environment[name] ?? '') !== '';
  if (enable === null || isSet('NODE_DISABLE_COMPILE_CACHE') || isSet('NODE_COMPILE_CACHE')) return;
  try {
    const folder = compileCacheFolder({ environment });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (isOurs(folder)) enable(folder);
  } catch {
    // Without a cache the program only starts more slowly.
  }
}

function isOurs(folder: string): boolean {
  const stats = lstatSync(folder);
  // Windows has no such owners and modes; there the folder is in the user's profile.
  const isPrivate =
    process.getuid === undefined || (stats.uid === process.getuid() && (stats.mode & GROUP_AND_OTHERS) === 0);
  return stats.isDirectory() && isPrivate;
}

import { delimiter, isAbsolute } from 'node:path';
import type { Outside } from './streams.js';

/** Variables that tell packsign, Node and the programs that packsign starts where their files are. */
const FOLDERS =
  /^(?:HOME|USERPROFILE|(?:LOCAL)?APPDATA|XDG_\w+_(?:HOME|DIR)|TMPDIR|TMP|TEMP|GNUPGHOME|SEQUOIA_HOME|NODE_COMPILE_CACHE)$/i;

/** The folder that a variable names; null unless it is set to an absolute path. */
export function folderIn(environment: Outside['environment'], name: string): string | null {
  const value = environment[name] ?? '';
  return isAbsolute(value) ? value : null;
}

/**
 * Removes every relative folder from the environment, from the search path too. Such a folder would be one of the current
 * directory, which may be a download that nobody has verified yet (threat T37).
 */
export function forgetRelativeFolders(environment: NodeJS.ProcessEnv): void {
  for (const [name, value = ''] of Object.entries(environment)) {
    if (FOLDERS.test(name) && !isAbsolute(value)) Reflect.deleteProperty(environment, name);
    if (/^path$/i.test(name)) {
      const folders = value.split(delimiter).filter((folder) => isAbsolute(folder));
      // An empty search path means the current directory; without one, programs use the system's default.
      if (folders.length === 0) Reflect.deleteProperty(environment, name);
      else environment[name] = folders.join(delimiter);
    }
  }
}

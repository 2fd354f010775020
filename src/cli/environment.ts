import { delimiter, isAbsolute } from 'node:path';
import type { Outside } from './streams.js';

/** Where this program, Node and the programs that it starts look for files of theirs, and put them. */
const FOLDERS =
  /^(?:HOME|USERPROFILE|(?:LOCAL)?APPDATA|XDG_\w+_(?:HOME|DIR)|TMPDIR|TMP|TEMP|GNUPGHOME|SEQUOIA_HOME|NODE_COMPILE_CACHE)$/i;

/** The value of a variable that names a folder; null where it is not set, or not to an absolute path. */
export function folderIn(environment: Outside['environment'], name: string): string | null {
  const value = environment[name] ?? '';
  return isAbsolute(value) ? value : null;
}

/**
 * Takes every folder out of the environment that is not an absolute path, from the search path too. A relative one would be a
 * folder of the current directory, which may be a download that is yet to be verified (threat T37).
 */
export function forgetRelativeFolders(environment: NodeJS.ProcessEnv): void {
  for (const [name, value = ''] of Object.entries(environment)) {
    if (FOLDERS.test(name) && !isAbsolute(value)) Reflect.deleteProperty(environment, name);
    if (/^path$/i.test(name)) {
      const folders = value.split(delimiter).filter((folder) => isAbsolute(folder));
      // An empty search path means the current directory, and none the folders of the system.
      if (folders.length === 0) Reflect.deleteProperty(environment, name);
      else environment[name] = folders.join(delimiter);
    }
  }
}

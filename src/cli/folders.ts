import { userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { PacksignError } from '../index.js';
import { folderIn } from './environment.js';
import type { Outside } from './streams.js';

// Each throws NO_HOME unless it finds a folder that is surely this user's: never one below the current directory, which
// may be a download that nobody has verified yet (threat T37).

/** Folder of this user's notes about published directories, where each system keeps such files. */
export function notesFolder({ environment }: Outside): string {
  return join(homeOf(environment, 'state'), 'packsign', 'published');
}

/** Folder of the databases and keys that this user trusts. */
export function trustFolder({ environment }: Outside): string {
  return join(homeOf(environment, 'configuration'), 'packsign');
}

/** Folder of copies that packsign can fetch again at any time. */
export function cacheFolder({ environment }: Outside): string {
  return join(homeOf(environment, 'cache'), 'packsign', 'databases');
}

/** On Unix the variable that moves a folder, and where it is without; then its place on a Mac and on Windows. */
const CUSTOMS = {
  state: ['XDG_STATE_HOME', '.local/state', 'Application Support', 'LOCALAPPDATA'],
  configuration: ['XDG_CONFIG_HOME', '.config', 'Preferences', 'APPDATA'],
  cache: ['XDG_CACHE_HOME', '.cache', 'Caches', 'LOCALAPPDATA'],
} as const;

function homeOf(environment: Outside['environment'], kind: keyof typeof CUSTOMS): string {
  const [variable, unix, mac, windows] = CUSTOMS[kind];
  if (process.platform === 'win32') {
    const roaming = windows === 'APPDATA' ? 'Roaming' : 'Local';
    return folderIn(environment, windows) ?? join(userFolder(environment), 'AppData', roaming);
  }
  if (process.platform === 'darwin') return join(userFolder(environment), 'Library', mac);
  return folderIn(environment, variable) ?? join(userFolder(environment), unix);
}

function userFolder(environment: Outside['environment']): string {
  const folder = folderIn(environment, 'HOME') ?? accountFolder();
  if (folder !== null) return folder;
  throw new PacksignError('NO_HOME', 'packsign has no home folder to keep its state in', {
    hint: 'set HOME to an absolute path',
  });
}

/** The home folder in the system's list of users, whatever the environment says. */
function accountFolder(): string | null {
  try {
    const { homedir } = userInfo();
    return isAbsolute(homedir) ? homedir : null;
  } catch {
    // A container may run under a user id that is not in the list.
    return null;
  }
}

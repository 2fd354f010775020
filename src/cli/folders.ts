import { userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { PacksignError } from '../index.js';
import { folderIn } from './environment.js';
import type { Outside } from './streams.js';

// Each throws NO_HOME where there is no folder that is sure to be this user's: never one below the current directory,
// which may be a download that is yet to be verified (threat T37).

/** Where this user's notes of published directories lie, by the custom of each system. */
export function notesFolder({ environment }: Outside): string {
  return join(homeOf(environment, STATE), 'packsign', 'published');
}

/** Where what this user trusts lies. */
export function trustFolder({ environment }: Outside): string {
  return join(homeOf(environment, CONFIGURATION), 'packsign');
}

/** What can be fetched again at any time. */
export function cacheFolder({ environment }: Outside): string {
  return join(homeOf(environment, CACHE), 'packsign', 'databases');
}

/** Code of this program as V8 compiled it. */
export function compileCacheFolder({ environment }: Pick<Outside, 'environment'>): string {
  return join(homeOf(environment, CACHE), 'packsign', 'compiled');
}

/** One kind of folder: the variable that moves it, and where it is without. */
interface Custom {
  readonly variable: string;
  readonly unix: string;
  readonly mac: string;
  readonly windows: 'APPDATA' | 'LOCALAPPDATA';
}

const STATE: Custom = {
  variable: 'XDG_STATE_HOME',
  unix: '.local/state',
  mac: 'Application Support',
  windows: 'LOCALAPPDATA',
};
const CONFIGURATION: Custom = {
  variable: 'XDG_CONFIG_HOME',
  unix: '.config',
  mac: 'Preferences',
  windows: 'APPDATA',
};
const CACHE: Custom = {
  variable: 'XDG_CACHE_HOME',
  unix: '.cache',
  mac: 'Caches',
  windows: 'LOCALAPPDATA',
};

function homeOf(environment: Outside['environment'], { variable, unix, mac, windows }: Custom): string {
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
  throw new PacksignError('NO_HOME', 'there is no home folder for what packsign remembers', {
    hint: 'set HOME to an absolute path',
  });
}

/** What the system's list of users says, whatever the environment does. */
function accountFolder(): string | null {
  try {
    const { homedir } = userInfo();
    return isAbsolute(homedir) ? homedir : null;
  } catch {
    // A container may run under a number that is no user's.
    return null;
  }
}

import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Outside } from './streams.js';

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
  const home = environment['HOME'] ?? homedir();
  const roaming = windows === 'APPDATA' ? 'Roaming' : 'Local';
  if (process.platform === 'win32') return environment[windows] ?? join(home, 'AppData', roaming);
  if (process.platform === 'darwin') return join(home, 'Library', mac);
  const named = environment[variable] ?? '';
  // The specification says to ignore a relative path there.
  return named.startsWith('/') ? named : join(home, unix);
}

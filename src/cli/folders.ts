import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Outside } from './streams.js';

/** Where this user's notes of published directories lie, by the custom of each system. */
export function notesFolder({ environment }: Outside): string {
  return join(stateHome(environment), 'packsign', 'published');
}

function stateHome(environment: Outside['environment']): string {
  const home = environment['HOME'] ?? homedir();
  if (process.platform === 'win32') return environment['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local');
  if (process.platform === 'darwin') return join(home, 'Library', 'Application Support');
  const named = environment['XDG_STATE_HOME'] ?? '';
  // The specification says to ignore a relative path there.
  return named.startsWith('/') ? named : join(home, '.local', 'state');
}

import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { parseDestination } from '../model/destination.js';
import type { Settings } from '../model/settings.js';
import { readState, writeState } from './state-file.js';
import type { StateFile } from './state-file.js';

/** Where `Publish` sends a directory; a folder is relative to it. Throws USAGE. */
export function destinationsIn(directory: string, { Publish = [] }: Settings): readonly string[] {
  return Publish.map((one) => (parseDestination(one).kind === 'folder' ? resolve(directory, one) : one));
}

/** Notes that a destination has a database, so that `status` can tell without a network. */
export function noteSent(stateFolder: string, destination: string, sha256: string): void {
  const file = fileOf(destination);
  if (readState(stateFolder, file) !== sha256) writeState(stateFolder, file, sha256);
}

/** The destinations that did not get a database from this machine. */
export function unsentTo(
  stateFolder: string,
  { destinations, sha256 }: { readonly destinations: readonly string[]; readonly sha256: string },
): readonly string[] {
  return destinations.filter((destination) => readState(stateFolder, fileOf(destination)) !== sha256);
}

function fileOf(destination: string): StateFile<string> {
  const parsed = parseDestination(destination);
  const place = parsed.kind === 'folder' ? resolve(parsed.path) : destination;
  const name = createHash('sha256').update(place).digest('hex').slice(0, 16);
  return {
    name: `sent-to-${name}`,
    kind: 'packsign-sent-to 1',
    isValid: (value) => typeof value === 'string',
  };
}

import { posix } from 'node:path';
import { parseDestination } from '../model/destination.js';
import type { Run } from '../run.js';
import { bucketRemote } from './bucket.js';
import { folderRemote, realOf } from './folder.js';
import type { Remote } from './remote.js';
import { rsyncRemote } from './rsync.js';

export interface RemoteOptions {
  readonly run: Run;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Each destination once, as it is written first, whatever slashes, dots and links make of it. Throws USAGE. */
export function eachOnce(destinations: readonly string[]): readonly string[] {
  const names = destinations.map(nameOf);
  return destinations.filter((_, index) => names.indexOf(names[index] ?? '') === index);
}

function nameOf(text: string): string {
  const destination = parseDestination(text);
  switch (destination.kind) {
    case 'folder':
      return realOf(destination.path);
    case 'rsync': {
      const { path, target } = destination;
      const start = target.slice(0, target.length - path.length);
      // Nothing is the home folder.
      return start + posix.normalize(`${path === '' ? '.' : path}/`);
    }
    case 'bucket':
      return `s3://${destination.bucket}/${destination.prefix}`;
  }
}

/** Opens a destination of a directory; makes no connection before it is used. Throws USAGE, DESTINATION_FAILED. */
export function openRemote(text: string, directory: string, options: RemoteOptions): Remote {
  const destination = parseDestination(text);
  switch (destination.kind) {
    case 'folder':
      return folderRemote(destination.path, directory, options);
    case 'rsync':
      return rsyncRemote(destination, options);
    case 'bucket':
      return bucketRemote({ ...destination, destination: text }, options);
  }
}

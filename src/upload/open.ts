import { parseDestination } from '../model/destination.js';
import type { Run } from '../run.js';
import { bucketRemote } from './bucket.js';
import { folderRemote } from './folder.js';
import type { Remote } from './remote.js';
import { rsyncRemote } from './rsync.js';

export interface RemoteOptions {
  readonly run: Run;
  readonly environment: Readonly<Record<string, string | undefined>>;
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

import { PAGE_NAME, SETTINGS_NAME, UNSIGNED_NAME } from '../model/layout.js';
import { webFileOf } from '../model/web-file.js';
import { startServer } from '../net/server.js';
import type { Resource, RunningServer } from '../net/server.js';
import { scanDirectory } from '../places/scan.js';
import { openBelow } from './served-file.js';

export type { RunningServer } from '../net/server.js';

export interface ServeOptions {
  /** The address to listen at. */
  readonly host: string;
  readonly port: number;
  /** Whether the server tells pages to reload themselves. */
  readonly live: boolean;
}

/**
 * Serves a directory as a static host would: the published files and no others, with types and caching as docs/FORMAT.md
 * §1 implies. Throws DIRECTORY_UNREADABLE, NETWORK.
 */
export async function serve(directory: string, { host, port, live }: ServeOptions): Promise<RunningServer> {
  scanDirectory(directory, { globs: { include: [], exclude: ['**'] } });
  return await startServer({
    host,
    port,
    find: (path) => findResource(directory, path),
    changesPath: live ? '/.packsign/changes' : null,
  });
}

async function findResource(directory: string, path: string): Promise<Resource | null> {
  const name = path === '' || path.endsWith('/') ? `${path}${PAGE_NAME}` : path;
  if (isPrivate(name)) return null;
  const file = await openBelow(directory, name, isPrivate);
  return file === null ? null : { ...file, ...webFileOf(name) };
}

/** Files that packsign writes for itself; longer names are copies of them. */
const OWN_NAMES = [SETTINGS_NAME, UNSIGNED_NAME];
/** Revocation certificates, which anybody could publish, and the files that editors leave. */
const PRIVATE_NAME = /\.rev\.asc|~$|^#.*#$/;

/** Whether a path has a name that is never published, in any folder and any spelling that a file system may accept. */
function isPrivate(path: string): boolean {
  return path.split('/').some((segment) => {
    // Windows ignores dots and spaces at the end.
    const name = segment
      .normalize('NFKC')
      .toLowerCase()
      .replace(/[. ]+$/, '');
    return name.startsWith('.') || PRIVATE_NAME.test(name) || OWN_NAMES.some((own) => name.startsWith(own));
  });
}

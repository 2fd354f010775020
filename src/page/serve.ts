import {
  ASSETS_FOLDER,
  DATABASE_NAME,
  KEYRING_NAME,
  KEYS_NAME,
  PAGE_NAME,
  SETTINGS_NAME,
  SIGNATURE_COPY_NAME,
  UNSIGNED_NAME,
} from '../model/layout.js';
import { startServer } from '../net/server.js';
import type { Resource, RunningServer } from '../net/server.js';
import { isReleaseName } from '../model/release-names.js';
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
  return file === null ? null : { ...file, type: typeOf(name), cacheControl: cachingOf(name) };
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

const TYPES: readonly (readonly [pattern: RegExp, type: string])[] = [
  [/\.html$/, 'text/html; charset=utf-8'],
  [/\.css$/, 'text/css; charset=utf-8'],
  [/\.m?js$/, 'text/javascript; charset=utf-8'],
  [/\.svg$/, 'image/svg+xml'],
  [/\.txt$/, 'text/plain; charset=utf-8'],
  [/\.json$/, 'application/json'],
  [/\.plist$/, 'application/x-plist'],
  [/^keys\.(?:asc|gpg)$/, 'application/pgp-keys'],
  [/\.asc$/, 'application/pgp-signature'],
  [/\.(?:tar\.gz|tgz|taz|tar\.z)$/i, 'application/gzip'],
  [/\.(?:tar\.bz2|tbz2|tar\.bz)$/i, 'application/x-bzip2'],
  [/\.(?:tar\.xz|txz)$/i, 'application/x-xz'],
  [/\.tar\.zst$/i, 'application/zstd'],
  [/\.tar$/i, 'application/x-tar'],
  [/\.(?:zip|whl|egg)$/i, 'application/zip'],
];

function typeOf(name: string): string {
  return TYPES.find(([pattern]) => pattern.test(name))?.[1] ?? 'application/octet-stream';
}

/** Clients ask again for files that publications replace, and keep the others for ever. */
const REPLACED = new Set([DATABASE_NAME, SIGNATURE_COPY_NAME, KEYS_NAME, KEYRING_NAME, PAGE_NAME]);

function cachingOf(name: string): string {
  const isAsset = new RegExp(`^${ASSETS_FOLDER}/packsign-[0-9a-f]{12}/`).test(name);
  return !REPLACED.has(name) && (isAsset || isReleaseName(name))
    ? 'public, max-age=31536000, immutable'
    : 'no-cache';
}

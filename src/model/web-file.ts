import {
  ASSETS_FOLDER,
  DATABASE_NAME,
  KEYRING_NAME,
  KEYS_NAME,
  PAGE_NAME,
  SIGNATURE_COPY_NAME,
} from './layout.js';
import { isReleaseName } from './release-names.js';

/** What a server should say about a published file (docs/FORMAT.md §1). */
export interface WebFile {
  /** For `Content-Type`. */
  readonly type: string;
  /** For `Cache-Control`. */
  readonly cacheControl: string;
}

/** `path`: relative to the database. */
export function webFileOf(path: string): WebFile {
  const [, type = 'application/octet-stream'] = TYPES.find(([pattern]) => pattern.test(path)) ?? [];
  return { type, cacheControl: cachingOf(path) };
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

/** Clients ask again for files that publications replace, and keep the others for ever. */
const REPLACED = new Set([DATABASE_NAME, SIGNATURE_COPY_NAME, KEYS_NAME, KEYRING_NAME, PAGE_NAME]);

function cachingOf(name: string): string {
  const isAsset = new RegExp(`^${ASSETS_FOLDER}/packsign-[0-9a-f]{12}/`).test(name);
  return !REPLACED.has(name) && (isAsset || isReleaseName(name))
    ? 'public, max-age=31536000, immutable'
    : 'no-cache';
}

import { PacksignError } from '../errors.js';
import { DATABASE_NAME } from './layout.js';

/** Whether text names something by its address rather than by a path. */
export function isAddress(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
}

/**
 * The address of a database in the one form in which addresses are compared (docs/FORMAT.md §8 step 6):
 * scheme and host lower-cased, no default port, no fragment. An address that does not end in `.plist` is
 * that of the directory, and its `packages.plist` is meant.
 *
 * Throws USAGE for anything but http, https and file, and for an address with a password in it.
 */
export function databaseAddress(text: string): string {
  const url = parse(text);
  url.hash = '';
  if (!/\.plist$/i.test(url.pathname)) {
    url.pathname = `${url.pathname.replace(/\/$/, '')}/${DATABASE_NAME}`;
  }
  return url.href;
}

/** The same for an address that a database names: null where it is none that could be asked. */
export function namedAddress(text: string): string | null {
  try {
    return databaseAddress(text);
  } catch (error) {
    if (error instanceof PacksignError) return null;
    throw error;
  }
}

/** The address of a file beside a database, or beside the files of a mirror. */
export function besideAddress(base: string, path: string): string {
  const url = new URL(base);
  url.search = '';
  url.hash = '';
  const escaped = path.split('/').map(encodeURIComponent).join('/');
  return new URL(escaped, url).href;
}

/** A short name for an address: `example.org-dist`. */
export function nameForAddress(address: string): string {
  const { hostname, pathname } = new URL(address);
  const folders = pathname
    .split('/')
    .slice(0, -1)
    .map((part) => part.replace(/[^A-Za-z0-9._]+/g, '-'));
  const name = [hostname, ...folders].filter((part) => part !== '').join('-');
  return name.replace(/^[^A-Za-z0-9]+/, '').slice(0, 64) || 'database';
}

function parse(text: string): URL {
  // `example.org:8080/dist` would be read as one whose scheme is a host.
  if (!isAddress(text) || !URL.canParse(text)) {
    throw new PacksignError('USAGE', `"${text}" is not an address`, {
      hint: 'an address begins with https://, http:// or file://',
    });
  }
  const url = new URL(text);
  if (!['http:', 'https:', 'file:'].includes(url.protocol)) {
    throw new PacksignError(
      'USAGE',
      `packsign fetches from http, https and file addresses, not ${url.protocol}`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new PacksignError('USAGE', 'an address with a user name or a password in it is not used');
  }
  return url;
}

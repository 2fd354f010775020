import { PacksignError } from '../errors.js';
import { DATABASE_NAME } from './layout.js';
import { orNull } from './or-null.js';

/** Whether text is an address rather than a path. */
export function isAddress(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
}

/**
 * The address of a database in its canonical form, for comparisons (docs/FORMAT.md §8 step 6): lower-case scheme and
 * host, no default port, no fragment. An address that does not end in `.plist` is a directory, or its trust page, and
 * means its `packages.plist`.
 *
 * Throws USAGE for anything but http, https and file, and for an address with a password.
 */
export function databaseAddress(text: string): string {
  const url = parse(text);
  url.hash = '';
  if (!/\.plist$/i.test(url.pathname)) {
    url.pathname = `${url.pathname.replace(/\/(?:index\.html)?$/, '')}/${DATABASE_NAME}`;
  }
  return url.href;
}

/** The same for an address in a database: null if `databaseAddress` refuses it. */
export function namedAddress(text: string): string | null {
  return orNull(() => databaseAddress(text));
}

/** The address of a file beside a database, or beside the files of a mirror. */
export function besideAddress(base: string, path: string): string {
  return addressBeside(base, escapePath(path));
}

/** All ways to write it: object stores take a `+` for a space, and some servers do not decode `%2B`. */
export function addressesBeside(base: string, path: string): readonly string[] {
  const escaped = escapePath(path);
  return [...new Set([escaped, escaped.replaceAll('%2B', '+')])].map((one) => addressBeside(base, one));
}

function addressBeside(base: string, escaped: string): string {
  const url = new URL(base);
  url.search = '';
  url.hash = '';
  return new URL(escaped, url).href;
}

/** Leaves what means itself in a path, since some servers decode only what has to be escaped. */
function escapePath(path: string): string {
  const escaped = path.split('/').map(encodeURIComponent).join('/');
  return escaped.replace(/%(?:2C|3D|40)/g, decodeURIComponent);
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
  // In `example.org:8080/dist`, URL would take the host for the scheme.
  if (!isAddress(text) || !URL.canParse(text)) {
    throw new PacksignError('USAGE', `"${text}" is not an address`, {
      hint: 'an address begins with https://, http:// or file://',
    });
  }
  const url = new URL(text);
  if (!['http:', 'https:', 'file:'].includes(url.protocol)) {
    const hint = url.protocol === 's3:' ? { hint: `a bucket is checked by packsign verify ${text}` } : {};
    throw new PacksignError('USAGE', `packsign fetches from http, https and file, not ${url.protocol}`, hint);
  }
  if (url.username !== '' || url.password !== '') {
    throw new PacksignError('USAGE', 'an address must not contain a user name or a password');
  }
  return url;
}

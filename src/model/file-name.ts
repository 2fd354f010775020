import { isPlainWord } from './text.js';
import { plainVersion } from './version.js';

/** A name and a version, from a file name or from metadata. */
export interface NamedVersion {
  readonly name: string;
  readonly version: string;
}

const EXTENSION = /\.(?:tar(?:\.(?:gz|bz2|bz|xz|zst|z))?|tgz|tbz2|txz|taz|zip|whl|egg)$/i;

/** The whole text is an extension, and not one whose file names have more fields than name and version. */
const PLAIN_EXTENSION = /^\.(?:tar(?:\.(?:gz|bz2|bz|xz|zst|z))?|tgz|tbz2|txz|taz|zip)$/i;

/** Splits at the first hyphen before a version. */
const NAME_HYPHEN_VERSION = /^(.+?)-(v?\d+(?:[.\-+~_!].*|(?:a|b|c|rc|alpha|beta|dev|post)\d.*)?)$/;

/** Whether a name, in any case, is that of an archive. */
export function isArchiveName(name: string): boolean {
  return name.search(EXTENSION) > 0;
}

/**
 * Name and version from the name (not the path) of a file, both plain words. Null if it has no version, or is not the
 * name of an archive.
 */
export function splitFileName(fileName: string): NamedVersion | null {
  if (!isArchiveName(fileName)) return null;
  const stem = fileName.replace(EXTENSION, '');
  const [name = '', version = ''] = /\.(?:whl|egg)$/i.test(fileName)
    ? stem.split('-')
    : (NAME_HYPHEN_VERSION.exec(stem)?.slice(1) ?? []);
  return isPlainWord(name) && isPlainWord(version) && /^v?\d/.test(version) ? { name, version } : null;
}

/**
 * Whether a file is called `name-version` and an extension, exactly as in its metadata. Most files are, and then name and
 * metadata agree without splitting.
 */
export function isNamedAfter(fileName: string, { name, version }: NamedVersion): boolean {
  const stem = `${name}-${version}`;
  return fileName.startsWith(stem) && PLAIN_EXTENSION.test(fileName.slice(stem.length));
}

/**
 * Whether a file's metadata and its file name mean the same package (docs/FORMAT.md §4). A file name can be split at more
 * than one hyphen (`a-2-1.0` is `a-2` 1.0 or `a` 2-1.0): any split that agrees suffices.
 */
export function namesAgree(metadata: NamedVersion, fileName: NamedVersion): boolean {
  const names = fileNamesOf(metadata.name);
  const joined = `${fileName.name}-${fileName.version}`;
  for (let at = joined.indexOf('-'); at >= 0; at = joined.indexOf('-', at + 1)) {
    const isNamed = names.includes(plainName(joined.slice(0, at)));
    if (isNamed && versionsAgree(metadata.version, joined.slice(at + 1))) return true;
  }
  return false;
}

/** npm packs `@scope/name` as `scope-name`; archives of a scope in its own folder are called `name`. */
function fileNamesOf(name: string): readonly string[] {
  const [, scope, rest] = /^@([^/]+)\/(.+)$/.exec(name) ?? [];
  return scope === undefined || rest === undefined
    ? [plainName(name)]
    : [plainName(`${scope}-${rest}`), plainName(rest)];
}

/** PEP 503. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

function versionsAgree(metadata: string, fileName: string): boolean {
  // Wheels and eggs write `_` for `-`, which separates their fields.
  return [fileName, fileName.replaceAll('_', '-')].some(
    (version) => version === metadata || plainVersion(version) === plainVersion(metadata),
  );
}

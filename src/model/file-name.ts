import { isPlainWord } from './text.js';
import { plainVersion } from './version.js';

/** A name and a version, as a file name or the metadata inside gives them. */
export interface NamedVersion {
  readonly name: string;
  readonly version: string;
}

const EXTENSION = /\.(?:tar(?:\.(?:gz|bz2|bz|xz|zst|z))?|tgz|tbz2|txz|taz|zip|whl|egg)$/i;

/** The same and nothing before it, without those whose file names say more than name and version. */
const PLAIN_EXTENSION = /^\.(?:tar(?:\.(?:gz|bz2|bz|xz|zst|z))?|tgz|tbz2|txz|taz|zip)$/i;

/** The first hyphen after which a version starts. */
const NAME_HYPHEN_VERSION = /^(.+?)-(v?\d+(?:[.\-+~_!].*|(?:a|b|c|rc|alpha|beta|dev|post)\d.*)?)$/;

/** Whether a file of this name is looked at as a file, upper and lower case alike. */
export function isArchiveName(name: string): boolean {
  return name.search(EXTENSION) > 0;
}

/**
 * Name and version from the name (not the path) of a file, both plain words. Null where no version
 * starts anywhere, or the name is no archive's.
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
 * Whether a file is called `name-version` and an extension, just as its metadata says: most are, and then
 * nothing has to be split to know that they agree.
 */
export function isNamedAfter(fileName: string, { name, version }: NamedVersion): boolean {
  const stem = `${name}-${version}`;
  return fileName.startsWith(stem) && PLAIN_EXTENSION.test(fileName.slice(stem.length));
}

/**
 * Whether a file's own metadata and its file name mean the same package (docs/FORMAT.md §4).
 * A file name can be split at more than one hyphen (`a-2-1.0` is `a-2` 1.0 or `a` 2-1.0): they agree where any split does.
 */
export function namesAgree(metadata: NamedVersion, fileName: NamedVersion): boolean {
  const names = fileNamesOf(metadata.name);
  const joined = `${fileName.name}-${fileName.version}`;
  for (let at = joined.indexOf('-'); at >= 0; at = joined.indexOf('-', at + 1)) {
    if (
      names.includes(plainName(joined.slice(0, at))) &&
      versionsAgree(metadata.version, joined.slice(at + 1))
    )
      return true;
  }
  return false;
}

/** `@scope/name` is packed as `scope-name`, or as `name` by those who store a scope in a folder. */
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
  // Wheels, and eggs, write `_` for a `-`, which separates their fields.
  return [fileName, fileName.replaceAll('_', '-')].some(
    (version) => version === metadata || plainVersion(version) === plainVersion(metadata),
  );
}

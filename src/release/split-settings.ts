import { isAbsolute, join, relative } from 'node:path';
import { kindOf } from '../disk/files.js';
import { namedAddress } from '../model/address.js';
import { parseDestination } from '../model/destination.js';
import { fileNameOf } from '../model/file-entry.js';
import type { FileEntries } from '../model/file-entry.js';
import { DATABASE_NAME } from '../model/layout.js';
import { isFileKey } from '../model/overrides.js';
import { isReleaseName } from '../model/release-names.js';
import type { Settings, TrustSetting } from '../model/settings.js';
import { matcherOf } from '../places/matcher.js';
import { isProgram } from '../places/program.js';
import { isKeyPath } from '../signers/open.js';

/** A folder that becomes a database of its own. */
export interface SplitFolder {
  /** The directory in which it lies, and its path there. */
  readonly directory: string;
  readonly folder: string;
  /** Its files, by their paths in the directory. */
  readonly files: FileEntries;
  /** The folders in it that become databases too, by their paths in it. */
  readonly inner: readonly string[];
}

/** The settings of a folder: those of the directory, as they are written there. Every file that was listed stays so. */
export function settingsOfFolder(settings: Settings, split: SplitFolder): Readonly<Record<string, unknown>> {
  const { folder, inner } = split;
  const { Trusts: _, Include = [], Exclude = [], Mutable = [], Packages, ...same } = settings;
  const { Description = '', 'Base-URL': base, Database: address, Mirrors, Publish } = same;
  const exclude = [...globsIn(folder, Exclude), ...inner.map((one) => `${one}/**`)];
  const all: Readonly<Record<string, unknown>> = {
    ...same,
    Description: Description === '' ? folder : `${Description} (${folder})`,
    'Base-URL': base === undefined ? undefined : placeIn(base, folder),
    Database: address === undefined ? undefined : placeIn(address, folder),
    Within: same.Within === undefined ? folder : `${same.Within}/${folder}`,
    Mirrors: Mirrors?.map((mirror) => placeIn(mirror, folder)),
    Key: same.Key?.map((key) => keyFrom(key, split)),
    Include: withMissed(globsIn(folder, Include), split, (path) => isListedAnyway(path, split)),
    Exclude: exclude,
    Mutable: withMissed(globsIn(folder, Mutable), split, (path) => split.files.get(path)?.Mutable !== true),
    Publish: Publish?.map((destination) => destinationIn(destination, folder)),
    Packages: Object.fromEntries(overridesIn(Packages, split)),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => !isNothing(value)));
}

function isNothing(value: unknown): boolean {
  return (
    value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  );
}

/** The address of a folder at a place: of its database, where the place is that of a database. */
export function placeIn(place: string, folder: string): string {
  const path = folder.split('/').map(encodeURIComponent).join('/');
  return /\.plist$/i.test(place)
    ? `${place.replace(/[^/]*$/, '')}${path}/${DATABASE_NAME}`
    : `${place.replace(/\/(?:index\.html)?$/, '')}/${path}/`;
}

function destinationIn(destination: string, folder: string): string {
  const below = destination.replace(/(?<=[^/:])\/*$/, '/') + folder;
  const isRelative = parseDestination(destination).kind === 'folder' && !isAbsolute(destination);
  return isRelative ? join(folder.replace(/[^/]+/g, '..'), below) : below;
}

function keyFrom(key: string, { directory, folder }: SplitFolder): string {
  const isFile = !isAbsolute(key) && (isKeyPath(key) || kindOf(key) !== null);
  return isFile ? relative(join(directory, folder), key) : key;
}

/** Globs about files of a folder, as they are written in it. One without `/` holds in every folder. */
export function globsIn(folder: string, globs: readonly string[]): readonly string[] {
  const below = globs.flatMap((glob) =>
    glob.includes('/') ? segmentsIn(folder.split('/'), glob.replace(/^\//, '').split('/')) : [glob],
  );
  return Array.from(new Set(below));
}

function segmentsIn(names: readonly string[], [first, ...rest]: readonly string[]): readonly string[] {
  if (first === undefined) return [];
  const [name, ...inner] = names;
  // The slash keeps it from holding in every folder.
  if (name === undefined) return [rest.length === 0 ? `/${first}` : [first, ...rest].join('/')];
  if (first === '**') return [...segmentsIn(inner, [first, ...rest]), ...segmentsIn(names, rest)];
  return matcherOf([first])(name) ? segmentsIn(inner, rest) : [];
}

/** Adds the paths of files that the globs miss, because nobody can read every glob. */
function withMissed(
  globs: readonly string[],
  { folder, files }: SplitFolder,
  isServed: (path: string) => boolean,
): readonly string[] {
  const isMatched = matcherOf(globs);
  const missed = Array.from(files.keys()).flatMap((path) => {
    const below = path.slice(folder.length + 1);
    return isMatched(below) || isServed(path) ? [] : [`/${below}`];
  });
  return [...globs, ...missed];
}

function isListedAnyway(path: string, { directory }: SplitFolder): boolean {
  return isReleaseName(fileNameOf(path)) || isProgram(join(directory, path));
}

/**
 * The settings of the directory itself, as `packsign.json` has them, once folders are databases of their own: it
 * excludes and vouches for them. `files` are those that it keeps.
 */
export function settingsOfRest(
  written: Readonly<Record<string, unknown>>,
  { folders, trusts, files, all }: SplitRest,
): Readonly<Record<string, unknown>> {
  const { Exclude = [], Trusts = [], Packages = {} } = written as Written;
  const outer = folders.filter((folder) => !folders.some((one) => folder.startsWith(`${one}/`)));
  const [isHere, isAnywhere] = [namesIn(files), namesIn(all)];
  const stays = ([key, { Name }]: readonly [string, { readonly Name?: string }]) =>
    files.has(key) || isHere(key, Name) || !(all.has(key) || isAnywhere(key, Name));
  const vouched = new Set(trusts.map(({ URL }) => URL));
  return {
    ...written,
    Exclude: [...new Set([...Exclude, ...outer.map((folder) => `${folder}/**`)])],
    Trusts: [...Trusts.filter(({ URL }) => !vouched.has(namedAddress(URL) ?? URL)), ...trusts],
    ...(written['Packages'] === undefined
      ? {}
      : { Packages: Object.fromEntries(Object.entries(Packages).filter(stays)) }),
  };
}

/** What a directory keeps and gives away. */
export interface SplitRest {
  readonly folders: readonly string[];
  readonly trusts: readonly TrustSetting[];
  readonly files: FileEntries;
  /** Those that it had before. */
  readonly all: FileEntries;
}

/** The settings in which a split changes something, as they are in the file. */
interface Written {
  readonly Exclude?: readonly string[];
  readonly Trusts?: readonly TrustSetting[];
  readonly Packages?: Readonly<Record<string, { readonly Name?: string }>>;
}

/** The overrides of files in a folder, and of packages that it has. */
function overridesIn(overrides: Settings['Packages'], { folder, files }: SplitFolder) {
  const isNamed = namesIn(files);
  return Array.from(overrides ?? []).flatMap(([key, override]) => {
    if (files.has(key)) return [[key.slice(folder.length + 1), override] as const];
    return isFileKey(key) || !isNamed(key, override.Name) ? [] : [[key, override] as const];
  });
}

function namesIn(files: FileEntries): (key: string, name: string | undefined) => boolean {
  const names = new Set(Array.from(files.values(), ({ Name }) => Name));
  return (key, name) => names.has(key) || (name !== undefined && names.has(name));
}

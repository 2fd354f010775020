import { fileNameOf } from '../model/file-entry.js';
import { namesAgree, splitFileName } from '../model/file-name.js';
import type { Metadata } from '../model/metadata.js';
import {
  parseDebianControl,
  parseManifest,
  parsePkgInfoLines,
  parsePomProperties,
} from './metadata-fields.js';
import { parseCondaIndex, parseExtensionJson, parsePackageJson } from './metadata-json.js';
import { parsePkgInfo } from './metadata-python.js';
import { parseNuspec, parseVsixManifest } from './metadata-xml.js';

/** Reads a member; null if it has no usable name and version. The path is that in the archive. Never throws. */
export type Parse = (bytes: Buffer, path: string) => Metadata | null;

/** In which kind of archive a member lies: `deb` is the control archive of a Debian package, `conda` that of a .conda. */
export type Container = 'tar' | 'zip' | 'deb' | 'conda';

/** A kind of package: which member of which files has its metadata, and who reads it (docs/FORMAT.md §4). */
export interface Format {
  readonly files: RegExp;
  readonly container: Container;
  readonly member: RegExp | ((fileName: string) => RegExp);
  /** Null while the library that it needs is not loaded. */
  readonly parse: Parse | null;
  readonly load?: () => Promise<Parse>;
  /** Whether a second such member makes the first worthless: the whole archive is read, so it has to be small. */
  readonly isSole?: true;
  /** Whether it counts at once. If not, it counts if nothing else does up to the end. */
  readonly isSure?: (metadata: Metadata, fileName: string) => boolean;
}

/** Files of any name but those that are of one kind only. */
const OTHERS =
  /^(?!.*\.(?:whl|egg|gem|crate|conda|apk|jar|war|vsix|s?nupkg|u?deb|ddeb|pkg\.tar(?:\.[a-z0-9]+)?)$)/is;
/** At the top of a tar archive, where some write `./` before each path. */
const top = (name: string) => new RegExp(String.raw`^(?:\./)*${name}$`);
/** Exactly one folder deep; the folder may have any name but `.` and `..`. */
const inFolder = (name: string) => top(String.raw`(?!\.\.?/)[^/]+/${name}`);

const PKG_INFO = inFolder('PKG-INFO');
/** npm packs everything into this folder; others' package.json says nothing of the archive. */
const PACKAGE_JSON = top(String.raw`package/package\.json`);

/** In a zip, an earlier row counts before a later one; in a tar archive, the first member does. */
const FORMATS: readonly Format[] = [
  { files: OTHERS, container: 'tar', member: PKG_INFO, parse: (bytes) => parsePkgInfo(bytes, 'sdist') },
  { files: OTHERS, container: 'zip', member: PKG_INFO, parse: (bytes) => parsePkgInfo(bytes, 'sdist') },
  { files: OTHERS, container: 'tar', member: PACKAGE_JSON, parse: parsePackageJson, isSure: isNamedByNpm },
  { files: OTHERS, container: 'zip', member: PACKAGE_JSON, parse: parsePackageJson },
  {
    ...{ files: /\.whl$/i, container: 'zip', member: /^[^/]+\.dist-info\/METADATA$/ },
    parse: (bytes) => parsePkgInfo(bytes, 'wheel'),
  },
  {
    ...{ files: /\.egg$/i, container: 'zip', member: /^EGG-INFO\/PKG-INFO$/ },
    parse: (bytes) => parsePkgInfo(bytes, 'egg'),
  },
  {
    ...{ files: /\.(?:u?deb|ddeb)$/i, container: 'deb', member: top('control'), isSole: true },
    parse: parseDebianControl,
  },
  {
    ...{ files: /\.gem$/i, container: 'tar', member: top(String.raw`metadata\.gz`), parse: null },
    load: async () => (await import('./metadata-yaml.js')).parseGem,
  },
  {
    ...{ files: /\.tgz$/i, container: 'tar', member: inFolder(String.raw`Chart\.yaml`), parse: null },
    load: async () => (await import('./metadata-yaml.js')).parseChart,
  },
  {
    ...{ files: /\.crate$/i, container: 'tar', member: inFolder(String.raw`Cargo\.toml`), parse: null },
    load: async () => (await import('./metadata-toml.js')).parseCargoToml,
  },
  ...(['conda', 'tar'] as const).map((container) => ({
    ...{ files: /\.(?:conda|tar\.bz2)$/i, container, member: top(String.raw`info/index\.json`) },
    parse: parseCondaIndex,
  })),
  {
    ...{ files: /\.pkg\.tar(?:\.[a-z0-9]+)?$/i, container: 'tar', member: top(String.raw`\.PKGINFO`) },
    parse: (bytes) => parsePkgInfoLines(bytes, 'pacman'),
  },
  {
    ...{ files: /\.apk$/i, container: 'tar', member: top(String.raw`\.PKGINFO`) },
    parse: (bytes) => parsePkgInfoLines(bytes, 'alpine'),
  },
  { files: /\.s?nupkg$/i, container: 'zip', member: /^[^/]+\.nuspec$/i, parse: parseNuspec },
  { files: /\.vsix$/i, container: 'zip', member: /^extension\.vsixmanifest$/, parse: parseVsixManifest },
  { files: /\.vsix$/i, container: 'zip', member: /^extension\/package\.json$/, parse: parseExtensionJson },
  { files: /\.[jw]ar$/i, container: 'zip', member: ownPom, parse: parsePomProperties },
  { files: /\.[jw]ar$/i, container: 'zip', member: /^META-INF\/MANIFEST\.MF$/, parse: parseManifest },
];

/** The rows for a file in a container. */
export function formatsOf(fileName: string, container: Container): readonly Format[] {
  return FORMATS.filter((format) => format.container === container && format.files.test(fileName));
}

/** The rows with what they need loaded. */
export async function loadFormats(formats: readonly Format[]): Promise<readonly Format[]> {
  return Promise.all(
    formats.map(async (format) => ({ ...format, parse: format.parse ?? (await format.load?.()) ?? null })),
  );
}

/** The members of a row, for a file of that name. */
export function membersOf({ member }: Format, fileName: string): RegExp {
  return member instanceof RegExp ? member : member(fileNameOf(fileName));
}

/**
 * A jar may hold the pom.properties of everything that is packed with it. Its own is that of an artifact that the file
 * is called after, in any case of letters: `tiny` for tiny.jar and tiny-1.0-all.jar.
 */
function ownPom(fileName: string): RegExp {
  const stem = fileName.replace(/\.[jw]ar$/i, '');
  const versions = Array.from(stem.matchAll(/-(?=\d)/g), ({ index }) => stem.slice(0, index));
  const names = [stem, ...versions].map((name) => name.replace(/[^A-Za-z0-9]/g, String.raw`\$&`));
  return new RegExp(String.raw`^META-INF/maven/[^/]+/(?:${names.join('|')})/pom\.properties$`, 'i');
}

/** A Python sdist may contain such a file too, before its own PKG-INFO. */
function isNamedByNpm(metadata: Metadata, fileName: string): boolean {
  if (!/\.tgz$/i.test(fileName)) return false;
  const parts = splitFileName(fileNameOf(fileName));
  return parts !== null && namesAgree(metadata, parts);
}

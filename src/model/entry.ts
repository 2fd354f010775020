import { fileNameOf, isNamed } from './file-entry.js';
import type { FileEntry, NamedEntry } from './file-entry.js';
import { isArchiveName, isNamedAfter, namesAgree, readPath, splitFileName } from './file-name.js';
import type { Warning } from './finding.js';
import { isHashAlone } from './inspection.js';
import type { Inspection } from './inspection.js';
import { groupedBy } from './lists.js';
import type { Metadata, MetadataReading } from './metadata.js';
import { NO_TEST, isFileKey } from './overrides.js';
import { changedWarnings, printable, printableOverride } from './printable.js';
import type { Package } from './package.js';
import { namesSystem } from './platform.js';
import type { Override, Settings } from './settings.js';
import { oneLine } from './text.js';

/** A file that was hashed. */
export interface FileFacts {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** Null if it was never needed. */
  readonly md5: string | null;
  readonly reading: MetadataReading;
  readonly inspection: Inspection;
}

/** What one file adds to both lists of a database. */
export interface Entry {
  readonly file: FileEntry;
  /** Null for a file that PackMan's clients cannot install: see `isForPackMan`. */
  readonly package: Package | null;
  readonly warnings: readonly Warning[];
}

const DESCRIPTION_LIMIT = 1024;
const NOTHING = {};
export const NO_WARNINGS: readonly Warning[] = [];

type Naming = Pick<FileEntry, 'Name' | 'Version' | 'Flavor' | 'Platform'>;

export interface Listed {
  /** When these bytes were first listed (again) under their path. */
  readonly since: Date;
  /** How they are called in the published database, which stays unless the settings say otherwise; null if not there. */
  readonly naming: Naming | null;
  /** Whether it gets other bytes by design. */
  readonly isMutable: boolean;
}

/** Makes the entries of one file (docs/FORMAT.md §4 and §5). */
export function describeFile(observed: FileFacts, settings: Settings, listed: Listed): Entry {
  const { path } = observed;
  const base = listed.naming ?? namingOf(observed, settings);
  const given = overrideOf(observed, base, settings);
  const override = printableOverride(given, settings);
  const { Name = base.Name, Version = base.Version, Yanked } = override;
  const { since: Since, isMutable } = listed;
  const bytes = {
    ...{ Size: observed.size, SHA256: observed.sha256, Since },
    ...(isMutable ? { Mutable: true as const } : NOTHING),
  };
  const yank = Yanked === undefined ? NOTHING : { Yanked };
  const warnings = warningsOf(observed, override, base);
  const platform = base.Platform === undefined ? NOTHING : { Platform: base.Platform };
  if (Name === undefined || Version === undefined) {
    const unused = unusedWarnings(path, override);
    return { file: { ...platform, ...bytes, ...yank }, package: null, warnings: [...warnings, ...unused] };
  }
  const Flavor = override.Flavor ?? base.Flavor ?? flavorOf(observed);
  const file = { Name, Version, Flavor, ...platform, ...bytes };
  const listing = { ...file, ...yank };
  const isChosen = override.Flavor !== undefined;
  if (isHashAlone(observed) || !isForPackMan(listing, isChosen) || !mayHoldPackage(path, settings)) {
    return { file: listing, package: null, warnings };
  }
  const entry = packageOf(observed, { file, override, settings });
  const changed = changedWarnings(path, given.Description ?? summaryOf(observed), entry);
  return { file, package: entry, warnings: changed.length === 0 ? warnings : [...warnings, ...changed] };
}

/** A file without name and version has no entry in `Packages` that an override could change. */
function unusedWarnings(path: string, { Yanked: _, ...keys }: Override): readonly Warning[] {
  const given = Object.keys(keys);
  if (given.length === 0) return NO_WARNINGS;
  const message = `"Packages" in packsign.json gives it ${given.join(', ')}, which needs "Name" and "Version" as well`;
  return [{ code: 'UNUSED_OVERRIDE', path, message }];
}

/** What a file says of itself, or else its path. */
function namingOf(observed: FileFacts, settings: Settings): Naming {
  const { path, reading } = observed;
  const metadata = reading.kind === 'found' ? reading.metadata : null;
  // Every word of such a file name is part of the name or of the version.
  const isExact = metadata !== null && isNamedAfter(fileNameOf(path), metadata);
  const said = isExact ? null : readPathBelow(settings, path);
  const Platform = metadata?.platform ?? said?.platform ?? null;
  const { name, version } = metadata ?? said ?? NOTHING_SAID;
  return {
    ...(name === null || version === null
      ? NOTHING
      : { Name: name, Version: version, Flavor: flavorOf(observed) }),
    ...(Platform === null ? NOTHING : { Platform }),
  };
}

/** The folders around the directory speak for its files too, if the settings name them. */
function readPathBelow({ Within }: Settings, path: string): ReturnType<typeof readPath> {
  return readPath(Within === undefined ? path : `${Within}/${path}`);
}

const NOTHING_SAID = { name: null, version: null };

function flavorOf({ reading }: FileFacts): string {
  return reading.kind === 'found' && reading.metadata.kind === 'sdist' ? 'source' : 'installer';
}

/** Whether a file has an entry for PackMan (docs/FORMAT.md §4), as far as its own entry and the settings decide. */
export function isForPackMan(entry: FileEntry, hasGivenFlavor: boolean): boolean {
  if (!isNamed(entry) || entry.Yanked !== undefined || entry.Mutable === true) return false;
  return hasGivenFlavor || entry.Platform === undefined || !namesSystem(entry.Platform);
}

/**
 * Whether a file may have an entry for PackMan, so that its MD5 is of use. This has to be known before it is read, and
 * therefore says no for file names with a system or an architecture, whatever the file says of itself.
 */
export function mayHoldPackage(path: string, settings: Settings): boolean {
  const { Packages } = settings;
  if (Packages?.has(path) === true || givesFlavors(Packages)) return true;
  const { name, version, platform } = readPathBelow(settings, path);
  const isKnown = isArchiveName(fileNameOf(path)) || (name !== null && version !== null);
  return isKnown && (platform === null || !namesSystem(platform));
}

/** Whether the settings give a flavor to packages by their names, which only their files say. */
function givesFlavors(overrides: Settings['Packages']): boolean {
  for (const [key, { Flavor }] of overrides ?? []) if (Flavor !== undefined && !isFileKey(key)) return true;
  return false;
}

interface PackageSources {
  readonly file: NamedEntry;
  readonly override: Override;
  readonly settings: Settings;
}

function packageOf(
  { path, md5, reading }: FileFacts,
  { file: { Name, Version, Flavor }, override, settings }: PackageSources,
): Package {
  const metadata = reading.kind === 'found' ? reading.metadata : null;
  const summary = printable(oneLine(metadata?.summary ?? '', DESCRIPTION_LIMIT), settings);
  // Keep a key first: an object literal that begins with a spread costs ten times as much.
  return {
    Description: summary === '' ? `${Name} ${Version}` : summary,
    ...(metadata?.homePage == null ? NOTHING : { 'Home-page': metadata.homePage }),
    'Download-URL': downloadUrl(path, settings),
    ...(md5 === null || settings.PackMan === false ? NOTHING : { MD5Sum: md5 }),
    'Install-test': installTest(Name, metadata),
    ...override,
    Name,
    Version,
    Flavor,
  };
}

function summaryOf({ reading }: FileFacts): string {
  return reading.kind === 'found' ? reading.metadata.summary : '';
}

/** Python that PackMan runs. Of a file's contents, it may contain only a validated module name (threat T17). */
function installTest(name: string, metadata: Metadata | null): string {
  return metadata?.kind === 'sdist' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? `import ${name}` : NO_TEST;
}

export function downloadUrl(path: string, settings: Settings): string {
  const escaped = path.replace(
    /[^A-Za-z0-9\-._~/]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const base = settings['Base-URL'];
  return base === undefined ? escaped : `${base.replace(/\/$/, '')}/${escaped}`;
}

function overrideOf(observed: FileFacts, { Name = '' }: Naming, settings: Settings): Override {
  const { Packages } = settings;
  if (Packages === undefined) return NOTHING;
  const byPath: Override = Packages.get(observed.path) ?? NOTHING;
  // What a file says of itself comes first: the settings may have given it the name under which it is published.
  const byName =
    byPath.Name === undefined
      ? (Packages.get(namingOf(observed, settings).Name ?? '') ?? Packages.get(Name) ?? NOTHING)
      : NOTHING;
  const override: Override = { ...byName, ...byPath };
  return override.Name === undefined ? override : { ...Packages.get(override.Name), ...override };
}

const ENTRY_WARNINGS: ReadonlySet<Warning['code']> = new Set([
  ...(['NO_METADATA', 'NAME_MISMATCH', 'NOT_ASCII', 'UNUSED_OVERRIDE'] as const),
]);

/** Kinds of packages that always say what they are. */
const PACKAGE_EXTENSION = /\.(?:whl|egg|[du]?deb|rpm|gem|crate|conda|nupkg|vsix)$/i;

/** At most one. */
function warningsOf({ path, reading }: FileFacts, override: Override, base: Naming): readonly Warning[] {
  // The maintainer named the file.
  if (override.Name !== undefined || override.Version !== undefined) return NO_WARNINGS;
  const fileName = fileNameOf(path);
  if (reading.kind === 'absent') {
    const isNamed = base.Name !== undefined && base.Version !== undefined;
    if (isNamed || !PACKAGE_EXTENSION.test(fileName)) return NO_WARNINGS;
    const message = `listed without name and version: ${reading.reason}`;
    return [{ code: 'NO_METADATA', path, message }];
  }
  if (!isArchiveName(fileName)) return NO_WARNINGS;
  const { metadata } = reading;
  if (isNamedAfter(fileName, metadata)) return NO_WARNINGS;
  const fromFile = splitFileName(fileName);
  if (fromFile === null || namesAgree(metadata, fromFile)) return NO_WARNINGS;
  const inside = `${metadata.name} ${metadata.version}`;
  const outside = `${fromFile.name} ${fromFile.version}`;
  const message = `its metadata says ${inside}, its file name ${outside}; give it "Name" and "Version" in packsign.json`;
  return [{ code: 'NAME_MISMATCH', path, message }];
}

/** Whether `describeFile` gave a warning. */
export function isOfEntry({ code, path }: Warning): boolean {
  return path !== null && ENTRY_WARNINGS.has(code);
}

/** The warnings that `describeFile` gave, by path. */
export function entryWarnings(warnings: readonly Warning[]): ReadonlyMap<string | null, readonly Warning[]> {
  return groupedBy(warnings.filter(isOfEntry), ({ path }) => path);
}

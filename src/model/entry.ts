import type { Archive } from './archive.js';
import { isArchiveName, namesAgree, splitFileName } from './file-name.js';
import type { Warning } from './finding.js';
import type { Metadata, MetadataReading } from './metadata.js';
import type { Package } from './package.js';
import type { Override, Settings } from './settings.js';
import { oneLine } from './text.js';

/** An archive as it was hashed. */
export interface Observed {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** Maybe known from a time when it was wanted; null where it never was. */
  readonly md5: string | null;
  readonly reading: MetadataReading;
}

/** What one archive adds to a database, or why it is left out. */
export type Entry =
  | {
      readonly kind: 'listed';
      readonly archive: Omit<Archive, 'Since'>;
      /** Null for a yanked archive. */
      readonly package: Package | null;
      readonly warnings: readonly Warning[];
    }
  | { readonly kind: 'left-out'; readonly warning: Warning };

const DESCRIPTION_LIMIT = 1024;
const NOTHING = {};
const NO_TEST = 'raise ImportError("no test")';

/** Name, version and PackMan's keys of one archive (docs/FORMAT.md §4 and §5). */
export function describeArchive(observed: Observed, settings: Settings): Entry {
  const { path } = observed;
  const metadata = observed.reading.kind === 'found' ? observed.reading.metadata : null;
  const fromFile = splitFileName(fileNameOf(path));
  const base = metadata ?? fromFile;
  const override = overrideOf(path, base?.name ?? null, settings);
  const name = override.Name ?? base?.name;
  const version = override.Version ?? base?.version;
  if (name === undefined || version === undefined) {
    const message = `left out: no version in its metadata or file name; give it "Name" and "Version" in packsign.json`;
    return { kind: 'left-out', warning: { code: 'NO_VERSION', path, message } };
  }
  const flavor = override.Flavor ?? (metadata?.kind === 'sdist' ? 'source' : 'installer');
  const identity = { Name: name, Version: version, Flavor: flavor };
  return {
    kind: 'listed',
    archive: {
      ...identity,
      Size: observed.size,
      SHA256: observed.sha256,
      ...(override.Yanked === undefined ? NOTHING : { Yanked: override.Yanked }),
    },
    package:
      override.Yanked === undefined ? packageOf(observed, { identity, metadata, override, settings }) : null,
    warnings: warningsOf(observed, { metadata, fromFile, override }),
  };
}

interface PackageSources {
  readonly identity: { readonly Name: string; readonly Version: string; readonly Flavor: string };
  readonly metadata: Metadata | null;
  readonly override: Override;
  readonly settings: Settings;
}

function packageOf(observed: Observed, { identity, metadata, override, settings }: PackageSources): Package {
  const { Name, Version } = identity;
  const summary = oneLine(metadata?.summary ?? '', DESCRIPTION_LIMIT);
  const { Yanked: _, ...pacManKeys } = override;
  return {
    Description: summary === '' ? `${Name} ${Version}` : summary,
    ...(metadata?.homePage == null ? NOTHING : { 'Home-page': metadata.homePage }),
    'Download-URL': downloadUrl(observed.path, settings),
    ...(observed.md5 === null || settings.PackMan === false ? NOTHING : { MD5Sum: observed.md5 }),
    'Install-test': installTest(Name, metadata),
    ...pacManKeys,
    ...identity,
  };
}

/** Python that PackMan runs: from inside an archive only a validated module name reaches it (threat T17). */
function installTest(name: string, metadata: Metadata | null): string {
  return metadata?.kind === 'sdist' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? `import ${name}` : NO_TEST;
}

/** A package that is listed without an archive; PackMan tests for it, and a person installs it. */
export function pseudoPackage(name: string, override: Override): Package {
  const { Yanked: _, ...pacManKeys } = override;
  return { Name: name, Description: name, 'Install-test': NO_TEST, ...pacManKeys };
}

/** Whether an override that matches no archive describes a pseudo-package. */
export function isPseudoPackage(name: string, override: Override): boolean {
  return !isArchiveName(name) && override.Yanked === undefined && Object.keys(override).length > 0;
}

export function downloadUrl(path: string, settings: Settings): string {
  const escaped = path.replace(
    /[^A-Za-z0-9\-._~/]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const base = settings['Base-URL'];
  return base === undefined ? escaped : `${base.replace(/\/$/, '')}/${escaped}`;
}

function overrideOf(path: string, name: string | null, settings: Settings): Override {
  if (settings.Packages === undefined) return NOTHING;
  const byPath = settings.Packages.get(path) ?? {};
  const byName = settings.Packages.get(byPath.Name ?? name ?? '') ?? {};
  return { ...byName, ...byPath };
}

interface NameSources {
  readonly metadata: Metadata | null;
  readonly fromFile: { readonly name: string; readonly version: string } | null;
  readonly override: Override;
}

function warningsOf({ path, reading }: Observed, { metadata, fromFile, override }: NameSources): Warning[] {
  // A maintainer who names the archive has decided.
  if (override.Name !== undefined || override.Version !== undefined) return [];
  if (reading.kind === 'absent') {
    return [{ code: 'NO_METADATA', path, message: `named after its file: ${reading.reason}` }];
  }
  if (metadata === null || fromFile === null || namesAgree(metadata, fromFile)) return [];
  const inside = `${metadata.name} ${metadata.version}`;
  const outside = `${fromFile.name} ${fromFile.version}`;
  const message = `its metadata says ${inside}, its file name ${outside}; give it "Name" and "Version" in packsign.json`;
  return [{ code: 'NAME_MISMATCH', path, message }];
}

function fileNameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

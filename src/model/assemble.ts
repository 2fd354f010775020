import type { FileEntry } from './file-entry.js';
import { FILE_LIMIT, isNamed } from './file-entry.js';
import { FORMAT } from './database.js';
import type { Database, Signers, Trust } from './database.js';
import { describeFile } from './entry.js';
import type { Entry, FileFacts } from './entry.js';
import { compareFiles } from './file-difference.js';
import type { FileDifference } from './file-difference.js';
import type { Warning } from './finding.js';
import { keptAbsent, keptEntries } from './kept-entries.js';
import { carryHistory, sinceOf, sortedByPath } from './ledger.js';
import { packagesWithoutFile, refuseUnreadable } from './overrides.js';
import { addressOf, byAddress, comparePackages, packManVersion } from './package.js';
import type { Package } from './package.js';
import { once } from './once.js';
import { validitySeconds } from './settings.js';
import type { Settings, TrustSetting } from './settings.js';
import { isInstant } from './time.js';
import { PacksignError } from '../errors.js';

export interface AssembleContext {
  readonly settings: Settings;
  /** The verified database that this one follows; null for a first one. */
  readonly published: Database | null;
  /** Hash of the `packages.plist` that this one replaces; null for a first one. */
  readonly previous: string | null;
  readonly maintainer: string | null;
  readonly signers: Signers | null;
  readonly issued: Date;
  /** Whether the maintainer says that a file gets other bytes by design. */
  readonly isMutable?: ((path: string) => boolean) | undefined;
  /** File path → why the maintainer lets its bytes change. */
  readonly allowed: ReadonlyMap<string, string>;
  /** Paths to leave alone, while nobody is at the keyboard: published entries stay, and new files stay out. */
  readonly held?: ReadonlySet<string>;
  /** Published paths that are not here, and stay listed. */
  readonly kept?: ReadonlySet<string>;
  /** Finds the published entry of a file if it would be made again as it is. */
  readonly recall?: (file: FileFacts, listed: FileEntry) => Entry | null;
  /** Whether published bytes may get another name, version, flavor or platform without the settings saying so. */
  readonly rename?: boolean;
}

export interface Assembled {
  readonly database: Database;
  /** From the published files. */
  readonly difference: FileDifference;
  /** Path → entry of the files that were neither held nor kept. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly warnings: readonly Warning[];
}

/** Finds the entry of a file. */
function entryFinder(context: AssembleContext): (observed: FileFacts) => Entry {
  const { settings, published, issued, isMutable = () => false, rename = false, recall } = context;
  const publishedPackage = packageFinder(published?.Packages ?? []);
  return (observed) => {
    const listed = published?.Files.get(observed.path);
    const recalled = listed === undefined ? null : recall?.(observed, listed);
    if (recalled != null) return recalled;
    const isSame = listed?.SHA256 === observed.sha256;
    const since = sinceOf(listed, observed.sha256, issued);
    const entry = describeFile(observed, settings, {
      since,
      naming: isSame && !rename ? listed : null,
      isMutable: isMutable(observed.path),
    });
    if (listed === undefined) return entry;
    return {
      file: asPublished(listed, entry.file),
      package: entry.package === null ? null : asPublished(publishedPackage(entry.package), entry.package),
      warnings: entry.warnings,
    };
  };
}

/** Finds the published package with the address of another. Makes its table when it is first asked. */
function packageFinder(packages: readonly Package[]): (entry: Package) => Package | undefined {
  const table = once(() => byAddress(packages));
  return (entry) => table().get(addressOf(entry));
}

interface Listing extends Pick<Assembled, 'entries'> {
  readonly files: ReadonlyMap<string, FileEntry>;
  readonly packages: readonly Package[];
  readonly warnings: readonly Warning[];
}

/**
 * Makes a database from hashed files, which are in byte order of their paths (docs/FORMAT.md §3 to §6).
 * Same input, same value. Throws SETTINGS_INVALID for more files than a database may list, overrides that match nothing
 * or that PackMan cannot read, and a validity beyond the year 9999.
 */
export function assemble(observed: readonly FileFacts[], context: AssembleContext): Assembled {
  const { settings, published, issued } = context;
  refuseUnreadable(settings);
  const listing = listFiles(observed, context);
  if (listing.files.size > FILE_LIMIT) {
    throw new PacksignError('SETTINGS_INVALID', `more than the ${FILE_LIMIT} files that a database may list`);
  }
  const difference = compareFiles(published?.Files, listing.files);
  const ledger = carryHistory(published, listing.files, { issued, allowed: context.allowed, difference });
  const include = (settings.Trusts ?? []).filter(({ Include }) => Include === true).map(({ URL }) => URL);
  const database: Database = {
    Version: packManVersion(listing.packages),
    ...(context.maintainer === null ? {} : { Maintainer: context.maintainer }),
    Description: settings.Description ?? '',
    ...(include.length === 0 ? {} : { Include: include }),
    Packages: listing.packages,
    Files: listing.files,
    Packsign: {
      Format: FORMAT,
      ...(settings.Database === undefined ? {} : { Database: settings.Database }),
      Issued: issued,
      ...expiry(issued, settings),
      ...(context.previous === null ? {} : { Previous: context.previous }),
      ...(context.signers === null ? {} : { Signers: context.signers }),
      ...(settings.Notify === undefined ? {} : { Notify: settings.Notify }),
      ...(settings.Mirrors === undefined ? {} : { Mirrors: settings.Mirrors }),
      ...(settings.Trusts === undefined ? {} : { Trusts: settings.Trusts.map(offer) }),
      ...(ledger.history.size === 0 ? {} : { History: ledger.history }),
    },
  };
  const { entries } = listing;
  return { database, difference, entries, warnings: [...listing.warnings, ...ledger.warnings] };
}

const NO_PATHS: ReadonlySet<string> = new Set();

function listFiles(observed: readonly FileFacts[], context: AssembleContext): Listing {
  const { settings, published, held = NO_PATHS, kept: absent = NO_PATHS } = context;
  const findEntry = entryFinder(context);
  const stays = keptEntries(published, held, settings);
  const away = keptAbsent(published, absent, settings);
  const files = new Map<string, FileEntry>([...stays.files, ...away.files]);
  const isMixed = files.size > 0;
  const packages: Package[] = [...stays.packages, ...away.packages];
  const warnings: Warning[] = [];
  const entries = new Map<string, Entry>();
  for (const file of observed) {
    if (held.has(file.path)) continue;
    const entry = findEntry(file);
    entries.set(file.path, entry);
    files.set(file.path, entry.file);
    if (entry.package !== null) packages.push(entry.package);
    for (const warning of entry.warnings) warnings.push(warning);
  }
  const pseudo = packagesWithoutFile(settings, { files, published, held });
  for (const entry of pseudo.packages) {
    const before = published?.Packages.find((other) => addressOf(other) === addressOf(entry));
    packages.push(asPublished(before, entry));
  }
  packages.sort(comparePackages);
  // Only where files are listed without a package do all have to be compared.
  const mayRepeat = isMixed || files.size > packages.length || hasTwins(packages);
  return {
    files: isMixed ? sortedByPath(files) : files,
    ...{ packages, entries },
    warnings: [...warnings, ...(mayRepeat ? duplicates(files) : []), ...pseudo.warnings],
  };
}

/** The published entry if it is equal: the same object lets comparing and writing databases skip it. */
function asPublished<T extends object>(published: T | undefined, entry: T): T {
  return published !== undefined && isSameEntry(published, entry) ? published : entry;
}

function isSameEntry<T extends object>(a: T, b: T): boolean {
  const keys = Object.keys(a) as (keyof T)[];
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) if (a[key] !== b[key] && !isSameValue(a[key], b[key])) return false;
  return true;
}

function isSameValue(a: unknown, b: unknown): boolean {
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  return typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b);
}

/** Whether two of the sorted packages have the same name, version and flavor. */
function hasTwins(packages: readonly Package[]): boolean {
  return packages.some(({ Name, Version, Flavor }, index) => {
    const before = packages[index - 1];
    return before?.Name === Name && before.Version === Version && before.Flavor === Flavor;
  });
}

function duplicates(files: ReadonlyMap<string, FileEntry>): Warning[] {
  const seen = new Map<string, string>();
  const warnings: Warning[] = [];
  files.forEach((entry, path) => {
    if (!isNamed(entry) || entry.Yanked !== undefined || entry.Mutable === true) return;
    const { Name, Version, Flavor, Platform = '' } = entry;
    const key = `${Name} ${Version} ${Flavor} ${Platform}`;
    const twin = seen.get(key);
    if (twin === undefined) {
      seen.set(key, path);
      return;
    }
    const what = Platform === '' ? Flavor : `${Flavor}, ${Platform}`;
    const message = `is ${Name} ${Version} (${what}), and so is ${twin}; both are listed`;
    warnings.push({ code: 'DUPLICATE_PACKAGE', path, message });
  });
  return warnings;
}

function expiry(issued: Date, settings: Settings): { Expires?: Date } {
  const seconds = validitySeconds(settings);
  if (seconds === null) return {};
  const Expires = new Date(issued.getTime() + Math.round(seconds) * 1000);
  if (isInstant(Expires)) return { Expires };
  throw new PacksignError(
    'SETTINGS_INVALID',
    `"Validity" of ${settings.Validity ?? ''} ends after the year 9999`,
    {
      hint: 'take a shorter time, or "none"',
    },
  );
}

/** In the order of the format, because comparisons of settings depend on it. */
function offer({ URL, Fingerprints, Threshold = 1, Maintainer }: TrustSetting): Trust {
  return { URL, Fingerprints, Threshold, ...(Maintainer === undefined ? {} : { Maintainer }) };
}

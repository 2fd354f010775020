import type { FileEntry } from './file-entry.js';
import { FILE_LIMIT } from './file-entry.js';
import { FORMAT } from './database.js';
import type { Database, Signers, Trust } from './database.js';
import {
  describeFile,
  downloadUrl,
  entryWarnings,
  isPseudoPackage,
  NO_WARNINGS,
  pseudoPackage,
} from './entry.js';
import type { Entry, FileFacts } from './entry.js';
import type { Warning } from './finding.js';
import { carryHistory, sinceOf } from './ledger.js';
import { addressOf, comparePackages, compareText } from './package.js';
import type { Package } from './package.js';
import { validitySeconds } from './settings.js';
import type { Settings, TrustSetting } from './settings.js';
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
  /** File path → why the maintainer lets its bytes change. */
  readonly allowed: ReadonlyMap<string, string>;
  /**
   * Paths that are not looked at this time: what is published of them stays as it is, and a new one stays
   * out. None but where nobody is at the keyboard.
   */
  readonly held?: ReadonlySet<string>;
  readonly vouched?: Vouched | null;
}

/** Files whose published entries are known to say all that there is to say: under these very settings, of these very bytes. */
export interface Vouched {
  readonly isVouched: (path: string) => boolean;
  /** What was said when they were described, and of all else. */
  readonly warnings: readonly Warning[];
}

export interface Assembled {
  readonly database: Database;
  readonly warnings: readonly Warning[];
}

/**
 * What was found last, under some settings: a watch asks for the same again and again. Two lists side by side, and no
 * table: files come in the order of their paths.
 */
interface Found {
  readonly observed: readonly FileFacts[];
  /** Null for what was held. */
  readonly entries: readonly (Entry | null)[];
}

const NOTHING_FOUND: Found = { observed: [], entries: [] };
const lastFound = new WeakMap<Settings, Found>();

/** Finds what was found of a file before; to be asked in the order of their paths. */
function recall({ observed, entries }: Found): (file: FileFacts) => Entry | null {
  let at = 0;
  return (file) => {
    for (let last = observed[at]; last !== undefined && last !== file; last = observed[at]) {
      if (last.path >= file.path) return null;
      at += 1;
    }
    return entries[at] ?? null;
  };
}

/** Finds the entry of a file. */
function entryFinder(context: AssembleContext): (observed: FileFacts) => Entry {
  const { settings, published, issued } = context;
  const before = recall(lastFound.get(settings) ?? NOTHING_FOUND);
  const publishedPackage = packageFinder(published?.Packages ?? []);
  const vouchedEntry = vouchedFinder(context);
  return (observed) => {
    const listed = published?.Archives.get(observed.path);
    const vouched = listed === undefined ? null : vouchedEntry(observed, listed);
    if (vouched !== null) return vouched;
    const last = before(observed);
    // Only what was published since as it was found says all that there is to say.
    if (last?.kind === 'listed' && last.file === listed) return last;
    const entry = describeFile(observed, settings, sinceOf(listed, observed.sha256, issued));
    // A new file is described for the first time.
    if (listed === undefined || entry.kind === 'left-out') return entry;
    return {
      kind: 'listed',
      file: asPublished(listed, entry.file),
      package: entry.package === null ? null : asPublished(publishedPackage(entry.package), entry.package),
      warnings: entry.warnings,
    };
  };
}

/** Finds the published entry of a file that is vouched for. */
function vouchedFinder({
  settings,
  published,
  vouched = null,
}: AssembleContext): (observed: FileFacts, listed: FileEntry) => Entry | null {
  // Where addresses are given by hand, they do not tell whose a package is.
  if (vouched === null || givesAddresses(settings)) return () => null;
  const warnings = entryWarnings(vouched.warnings);
  const packages = new Map<string | undefined, Package>();
  published?.Packages.forEach((entry) => packages.set(entry['Download-URL'], entry));
  return ({ path, size, sha256 }, file) => {
    if (!vouched.isVouched(path) || file.SHA256 !== sha256 || file.Size !== size) return null;
    // A yanked file has no package.
    const entry = file.Yanked === undefined ? packages.get(downloadUrl(path, settings)) : null;
    if (entry === undefined) return null;
    return { kind: 'listed', file, package: entry, warnings: warnings.get(path) ?? NO_WARNINGS };
  };
}

function givesAddresses({ Packages }: Settings): boolean {
  return Array.from(Packages?.values() ?? []).some((override) => override['Download-URL'] !== undefined);
}

/** Finds the package that is published in the place of another. Its table is made when it is asked for the first time. */
function packageFinder(packages: readonly Package[]): (entry: Package) => Package | undefined {
  let byAddress: Map<string, Package> | null = null;
  return (entry) => {
    if (byAddress === null) {
      byAddress = new Map();
      for (const other of packages) byAddress.set(addressOf(other), other);
    }
    return byAddress.get(addressOf(entry));
  };
}

interface Listing {
  readonly files: ReadonlyMap<string, FileEntry>;
  readonly packages: readonly Package[];
  readonly warnings: readonly Warning[];
}

/**
 * Makes a database of files as they were hashed, in byte order of their paths (docs/FORMAT.md §3 to §6).
 * Same input, same value. Throws ARCHIVE_UNREADABLE when a listed file can no longer be named.
 */
export function assemble(observed: readonly FileFacts[], context: AssembleContext): Assembled {
  const { settings, published, issued } = context;
  const listing = listFiles(observed, context);
  if (listing.files.size > FILE_LIMIT) {
    throw new PacksignError('SETTINGS_INVALID', `more than the ${FILE_LIMIT} files that a database may list`);
  }
  const ledger = carryHistory(published, listing.files, { issued, allowed: context.allowed });
  const include = (settings.Trusts ?? []).filter(({ Include }) => Include === true).map(({ URL }) => URL);
  const database: Database = {
    Version: packManVersion(listing.packages),
    ...(context.maintainer === null ? {} : { Maintainer: context.maintainer }),
    Description: settings.Description ?? '',
    ...(include.length === 0 ? {} : { Include: include }),
    Packages: listing.packages,
    Archives: listing.files,
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
  return { database, warnings: [...listing.warnings, ...ledger.warnings] };
}

function listFiles(observed: readonly FileFacts[], context: AssembleContext): Listing {
  const { settings, published, held } = context;
  const findEntry = entryFinder(context);
  const kept = keptEntries(published, held);
  const files = new Map<string, FileEntry>(kept.files);
  const packages: Package[] = [...kept.packages];
  const warnings: Warning[] = [];
  const entries: (Entry | null)[] = [];
  for (const file of observed) {
    const entry = held?.has(file.path) === true ? null : findEntry(file);
    entries.push(entry);
    if (entry === null) continue;
    if (entry.kind === 'left-out') {
      refuseToDrop(entry.warning, published);
      warnings.push(entry.warning);
      continue;
    }
    files.set(file.path, entry.file);
    if (entry.package !== null) packages.push(entry.package);
    for (const warning of entry.warnings) warnings.push(warning);
  }
  lastFound.set(settings, { observed, entries });
  const pseudo = withoutFile(files, settings);
  for (const entry of pseudo.packages) {
    const before = published?.Packages.find((other) => addressOf(other) === addressOf(entry));
    packages.push(asPublished(before, entry));
  }
  packages.sort(comparePackages);
  // What is kept of held paths may be listed without a package: then only looking through all files tells.
  const mayRepeat = kept.files.size > 0 || hasTwins(packages);
  return {
    files: kept.files.size === 0 ? files : sortedByPath(files),
    packages,
    warnings: [...warnings, ...(mayRepeat ? duplicates(files) : []), ...pseudo.warnings],
  };
}

/**
 * The published entry where it says the same: one value for one entry, so that whoever compares or writes
 * databases sees at a glance what stayed.
 */
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

/** The published entries of held paths, both halves. */
function keptEntries(
  published: Database | null,
  held: ReadonlySet<string> = new Set(),
): { files: ReadonlyMap<string, FileEntry>; packages: readonly Package[] } {
  if (held.size === 0) return { files: new Map(), packages: [] };
  const files = new Map(Array.from(published?.Archives ?? []).filter(([path]) => held.has(path)));
  const addresses = new Set(Array.from(files.keys(), (path) => downloadUrl(path, {})));
  const packages = (published?.Packages ?? []).filter(({ 'Download-URL': url }) => {
    // Relative, or behind whatever Base-URL was set when it was published.
    for (let start = 0; url !== undefined && start >= 0; start = nextSegment(url, start)) {
      if (addresses.has(url.slice(start))) return true;
    }
    return false;
  });
  return { files, packages };
}

function nextSegment(url: string, start: number): number {
  const slash = url.indexOf('/', start);
  return slash < 0 ? -1 : slash + 1;
}

function sortedByPath<T>(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map(Array.from(map).sort(([a], [b]) => compareText(a, b)));
}

// A listed file is withdrawn only when it is gone or excluded (cli contract), never because a name went.
function refuseToDrop({ path, message }: Warning, published: Database | null): void {
  if (path === null || published?.Archives.has(path) !== true) return;
  throw new PacksignError('ARCHIVE_UNREADABLE', `${path} is listed and cannot be listed again: ${message}`, {
    hint: 'give it "Name" and "Version" in packsign.json, or exclude it to withdraw it',
  });
}

function withoutFile(
  files: ReadonlyMap<string, FileEntry>,
  settings: Settings,
): { packages: readonly Package[]; warnings: readonly Warning[] } {
  if (settings.Packages === undefined) return { packages: [], warnings: [] };
  const names = new Set(Array.from(files.values(), ({ Name }) => Name));
  const unmatched = Array.from(settings.Packages).filter(([key]) => !files.has(key) && !names.has(key));
  const packages = unmatched.filter(([key, override]) => isPseudoPackage(key, override));
  const unused = unmatched.filter(([key, override]) => !isPseudoPackage(key, override));
  return {
    packages: packages.map(([key, override]) => pseudoPackage(key, override)),
    warnings: unused.map(([key]) => ({
      code: 'UNUSED_OVERRIDE',
      path: null,
      message: `"Packages" in packsign.json names ${key}, and nothing here is called so`,
    })),
  };
}

/** Whether two packages have the same name, version and flavor; they are sorted. */
function hasTwins(packages: readonly Package[]): boolean {
  let before: Package | null = null;
  for (const entry of packages) {
    if (before !== null && isTwin(before, entry)) return true;
    before = entry;
  }
  return false;
}

function isTwin(a: Package, b: Package): boolean {
  return a.Name === b.Name && a.Version === b.Version && a.Flavor === b.Flavor;
}

function duplicates(files: ReadonlyMap<string, FileEntry>): Warning[] {
  const seen = new Map<string, string>();
  const warnings: Warning[] = [];
  files.forEach(({ Name, Version, Flavor, Yanked }, path) => {
    if (Yanked !== undefined) return;
    const key = `${Name} ${Version} ${Flavor} ${wheelTags(path)}`;
    const twin = seen.get(key);
    if (twin === undefined) {
      seen.set(key, path);
      return;
    }
    const message = `is ${Name} ${Version} (${Flavor}), and so is ${twin}; both are listed`;
    warnings.push({ code: 'DUPLICATE_PACKAGE', path, message });
  });
  return warnings;
}

// Wheels of one version for different platforms are not duplicates.
function wheelTags(path: string): string {
  return /\.whl$/i.test(path)
    ? path
        .slice(path.lastIndexOf('/') + 1)
        .split('-')
        .slice(2)
        .join('-')
    : '';
}

/** Only clients of 0.5 join relative addresses and know `installer` and `hidden`. */
function packManVersion(packages: readonly Package[]): string {
  return packages.some(needsVersion5) ? '0.5' : '0.3';
}

function needsVersion5(entry: Package): boolean {
  const url = entry['Download-URL'];
  const relative = url !== undefined && !/^[a-z][a-z0-9+.-]*:/i.test(url);
  return relative || entry.Flavor === 'installer' || entry.Flavor === 'hidden';
}

function expiry(issued: Date, settings: Settings): { Expires?: Date } {
  const seconds = validitySeconds(settings);
  return seconds === null ? {} : { Expires: new Date(issued.getTime() + Math.round(seconds) * 1000) };
}

/** In the order in which it is read back, or a comparison would find it changed. */
function offer({ URL, Fingerprints, Threshold = 1, Maintainer }: TrustSetting): Trust {
  return { URL, Fingerprints, Threshold, ...(Maintainer === undefined ? {} : { Maintainer }) };
}

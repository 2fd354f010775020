import type { Archive } from './archive.js';
import { ARCHIVE_LIMIT } from './archive.js';
import { FORMAT } from './database.js';
import type { Database, Signers, Trust } from './database.js';
import { describeArchive, downloadUrl, isPseudoPackage, pseudoPackage } from './entry.js';
import type { Observed } from './entry.js';
import type { Warning } from './finding.js';
import { carryHistory, sinceOf } from './ledger.js';
import { comparePackages, compareText } from './package.js';
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
  /** Archive path → why the maintainer lets its bytes change. */
  readonly allowed: ReadonlyMap<string, string>;
  /**
   * Paths that are not looked at this time: what is published of them stays as it is, and a new one stays
   * out. None but where nobody is at the keyboard.
   */
  readonly held?: ReadonlySet<string>;
}

export interface Assembled {
  readonly database: Database;
  readonly warnings: readonly Warning[];
}

/** What one archive adds to the next database, both halves of it. */
export type NextEntry =
  | {
      readonly kind: 'listed';
      readonly archive: Archive;
      /** Null for a yanked archive. */
      readonly package: Package | null;
      readonly warnings: readonly Warning[];
    }
  | { readonly kind: 'left-out'; readonly warning: Warning };

/** Finds the entry of an archive. */
type EntryFinder = (observed: Observed) => NextEntry;

/**
 * What was found last, under some settings: a watch asks for the same again and again. By path, since a table of objects
 * that may go away costs more than finding out.
 */
const lastFound = new WeakMap<
  Settings,
  Map<string, { readonly observed: Observed; readonly entry: NextEntry }>
>();

function entryFinder(context: AssembleContext): EntryFinder {
  const { settings, published } = context;
  const found = lastFound.get(settings) ?? new Map<string, { observed: Observed; entry: NextEntry }>();
  lastFound.set(settings, found);
  const packages = new Map((published?.Packages ?? []).map((entry) => [addressOf(entry), entry]));
  return (observed) => {
    const { path } = observed;
    const last = found.get(path);
    // Only what was published since as it was found says all that there is to say.
    const isPublished =
      last?.observed === observed &&
      last.entry.kind === 'listed' &&
      last.entry.archive === published?.Archives.get(path);
    if (isPublished) return last.entry;
    const entry = nextEntry(observed, { ...context, packages });
    found.set(path, { observed, entry });
    return entry;
  };
}

function nextEntry(
  observed: Observed,
  context: AssembleContext & { readonly packages: ReadonlyMap<string, Package> },
): NextEntry {
  const { settings, published, packages } = context;
  const entry = describeArchive(observed, settings);
  if (entry.kind === 'left-out') return entry;
  const { path } = observed;
  const archive = dated(entry.archive, sinceOf(path, entry.archive.SHA256, context));
  return {
    kind: 'listed',
    archive: asPublished(published?.Archives.get(path), archive),
    package:
      entry.package === null ? null : asPublished(packages.get(addressOf(entry.package)), entry.package),
    warnings: entry.warnings,
  };
}

interface Listing {
  readonly archives: ReadonlyMap<string, Archive>;
  readonly packages: readonly Package[];
  readonly warnings: readonly Warning[];
}

/**
 * Makes a database of archives as they were hashed, in byte order of their paths (docs/FORMAT.md §3 to §6).
 * Same input, same value. Throws ARCHIVE_UNREADABLE when a listed archive can no longer be named.
 */
export function assemble(observed: readonly Observed[], context: AssembleContext): Assembled {
  const { settings, published, issued } = context;
  const listing = listArchives(observed, context);
  if (listing.archives.size > ARCHIVE_LIMIT) {
    throw new PacksignError(
      'SETTINGS_INVALID',
      `more than the ${ARCHIVE_LIMIT} archives that a database may list`,
    );
  }
  const hashes = new Map(Array.from(listing.archives, ([path, { SHA256 }]) => [path, SHA256]));
  const ledger = carryHistory(published, hashes, { issued, allowed: context.allowed });
  const include = (settings.Trusts ?? []).filter(({ Include }) => Include === true).map(({ URL }) => URL);
  const database: Database = {
    Version: packManVersion(listing.packages),
    ...(context.maintainer === null ? {} : { Maintainer: context.maintainer }),
    Description: settings.Description ?? '',
    ...(include.length === 0 ? {} : { Include: include }),
    Packages: listing.packages,
    Archives: listing.archives,
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

function listArchives(observed: readonly Observed[], context: AssembleContext): Listing {
  const { settings, published, held } = context;
  const findEntry = entryFinder(context);
  const kept = keptEntries(published, held);
  const archives = new Map<string, Archive>(kept.archives);
  const packages: Package[] = [...kept.packages];
  const warnings: Warning[] = [];
  for (const file of observed) {
    if (held?.has(file.path) === true) continue;
    const entry = findEntry(file);
    if (entry.kind === 'left-out') {
      refuseToDrop(entry.warning, published);
      warnings.push(entry.warning);
      continue;
    }
    archives.set(file.path, entry.archive);
    if (entry.package !== null) packages.push(entry.package);
    warnings.push(...entry.warnings);
  }
  const pseudo = withoutArchive(archives, settings);
  for (const entry of pseudo.packages) {
    const before = published?.Packages.find((other) => addressOf(other) === addressOf(entry));
    packages.push(asPublished(before, entry));
  }
  return {
    archives: kept.archives.size === 0 ? archives : sortedByPath(archives),
    packages: packages.sort(comparePackages),
    warnings: [...warnings, ...duplicates(archives), ...pseudo.warnings],
  };
}

/** What tells one package from another: where it is fetched, or its name where it has no archive. */
function addressOf(entry: Package): string {
  return entry['Download-URL'] ?? entry.Name;
}

/**
 * The published entry where it says the same: one value for one entry, so that whoever compares or writes
 * databases sees at a glance what stayed.
 */
function asPublished<T extends object>(published: T | undefined, entry: T): T {
  return published !== undefined && isSameEntry(published, entry) ? published : entry;
}

function isSameEntry(a: object, b: object): boolean {
  const keys = Object.keys(a) as (keyof typeof a)[];
  return keys.length === Object.keys(b).length && keys.every((key) => isSameValue(a[key], b[key]));
}

function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  return typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b);
}

/** The published entries of held paths, both halves. */
function keptEntries(
  published: Database | null,
  held: ReadonlySet<string> = new Set(),
): { archives: ReadonlyMap<string, Archive>; packages: readonly Package[] } {
  if (held.size === 0) return { archives: new Map(), packages: [] };
  const archives = new Map(Array.from(published?.Archives ?? []).filter(([path]) => held.has(path)));
  const addresses = new Set(Array.from(archives.keys(), (path) => downloadUrl(path, {})));
  const packages = (published?.Packages ?? []).filter(({ 'Download-URL': url }) => {
    // Relative, or behind whatever Base-URL was set when it was published.
    for (let start = 0; url !== undefined && start >= 0; start = nextSegment(url, start)) {
      if (addresses.has(url.slice(start))) return true;
    }
    return false;
  });
  return { archives, packages };
}

function nextSegment(url: string, start: number): number {
  const slash = url.indexOf('/', start);
  return slash < 0 ? -1 : slash + 1;
}

function sortedByPath<T>(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map(Array.from(map).sort(([a], [b]) => compareText(a, b)));
}

// A listed archive is withdrawn only when it is gone or excluded (cli contract), never because a name went.
function refuseToDrop({ path, message }: Warning, published: Database | null): void {
  if (path === null || published?.Archives.has(path) !== true) return;
  throw new PacksignError('ARCHIVE_UNREADABLE', `${path} is listed and cannot be listed again: ${message}`, {
    hint: 'give it "Name" and "Version" in packsign.json, or exclude it to withdraw it',
  });
}

function withoutArchive(
  archives: ReadonlyMap<string, Archive>,
  settings: Settings,
): { packages: readonly Package[]; warnings: readonly Warning[] } {
  const names = new Set(Array.from(archives.values(), ({ Name }) => Name));
  const unmatched = Array.from(settings.Packages ?? []).filter(
    ([key]) => !archives.has(key) && !names.has(key),
  );
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

function duplicates(archives: ReadonlyMap<string, Archive>): Warning[] {
  const seen = new Map<string, string>();
  const warnings: Warning[] = [];
  for (const [path, { Name, Version, Flavor, Yanked }] of archives) {
    if (Yanked !== undefined) continue;
    const key = `${Name} ${Version} ${Flavor} ${wheelTags(path)}`;
    const twin = seen.get(key);
    if (twin === undefined) {
      seen.set(key, path);
      continue;
    }
    const message = `is ${Name} ${Version} (${Flavor}), and so is ${twin}; both are listed`;
    warnings.push({ code: 'DUPLICATE_PACKAGE', path, message });
  }
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

function dated(
  { Name, Version, Flavor, Size, SHA256, Yanked }: Omit<Archive, 'Since'>,
  Since: Date,
): Archive {
  const archive = { Name, Version, Flavor, Size, SHA256, Since };
  return Yanked === undefined ? archive : { ...archive, Yanked };
}

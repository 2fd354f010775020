import { changedKeys, show } from './changed-value.js';
import type { ChangedValue } from './changed-value.js';
import { downloadUrl } from './entry.js';
import type { FileEntries } from './file-entry.js';
import { groupedBy } from './lists.js';
import { EXECUTABLE_KEYS, addressOf, comparePackages, wordsOf } from './package.js';
import type { Package } from './package.js';
import type { Update } from './update.js';

/** How `Packages` of one database differ from those of the one before it. */
export interface PackageChanges {
  /** The beginning that most addresses have in common, if that is another one. */
  readonly settings: readonly ChangedValue[];
  readonly metadata: readonly ChangedValue[];
  readonly executable: readonly ChangedValue[];
}

interface Pair {
  readonly before: Package;
  readonly after: Package;
}

/** Packages that differ: those that are in both databases, and those that are only in one. */
interface Pairing {
  readonly pairs: readonly Pair[];
  readonly gone: readonly Package[];
  readonly added: readonly Package[];
}

/** What changes for PackMan, but for what a package has from a file that comes, goes or is described differently. */
export function changedPackages(update: Update, described: ReadonlySet<string>): PackageChanges {
  const published = update.before?.Packages ?? [];
  const next = update.next.Packages;
  const gone = otherPackages(published, next);
  const fresh = otherPackages(next, published);
  if (gone.length + fresh.length === 0) return { settings: [], metadata: [], executable: [] };
  const { pairs, ...rest } = pairPackages({ pairs: [], gone, added: fresh }, update);
  const base = changedBase(pairs, next.length - rest.added.length);
  const changes = pairs.flatMap(({ before, after }) => {
    const isMoved = base !== null && isSameBase(base, basesOf({ before, after }));
    const changed = changedKeys(addressOf(before), before, after);
    return isMoved ? changed.filter(({ key }) => key !== 'Download-URL') : changed;
  });
  const isRun = ({ key, after }: ChangedValue) => after !== null && isExecutable(key);
  return {
    settings: base === null ? [] : [base],
    metadata: [
      ...newPackages(rest.added, { update, described, base }),
      ...gonePackages(rest.gone, update, described),
      // Values that PackMan no longer runs are listed with the rest.
      ...changes.filter((change) => !isRun(change)),
    ],
    executable: [...changes.filter(isRun), ...rest.added.flatMap(executableOf)],
  };
}

/** The packages that are not objects of the other list. Both lists have the same order. */
function otherPackages(packages: readonly Package[], others: readonly Package[]): readonly Package[] {
  let at = 0;
  return packages.filter((entry) => {
    let other = others[at];
    while (other !== undefined && other !== entry && comparePackages(other, entry) < 0) {
      at += 1;
      other = others[at];
    }
    return other !== entry;
  });
}

/** Pairs by address, then by the file that an address ends with, then by name, version and flavor. */
function pairPackages(start: Pairing, { before, next }: Update): Pairing {
  const byAddress = pairBy(start, { before: addressOf, after: addressOf });
  if (byAddress.gone.length === 0 || byAddress.added.length === 0) return byAddress;
  const byFile = pairBy(byAddress, {
    before: (entry) => (before === null ? null : fileOf(entry, before.Files)),
    after: (entry) => fileOf(entry, next.Files),
  });
  const words = (entry: Package) => (entry['Download-URL'] === undefined ? null : wordsOf(entry));
  return pairBy(byFile, { before: words, after: words });
}

type KeyOf = (entry: Package) => string | null;

/** One to one, in their order: no package hides behind another one with the same key. */
function pairBy({ pairs, gone, added }: Pairing, keyOf: { before: KeyOf; after: KeyOf }): Pairing {
  const waiting = groupedBy(gone, keyOf.before);
  const taken = new Map<string, number>();
  const found: Pair[] = [];
  const left = added.filter((after) => {
    const key = keyOf.after(after);
    if (key === null) return true;
    const count = taken.get(key) ?? 0;
    const before = waiting.get(key)?.[count];
    if (before === undefined) return true;
    taken.set(key, count + 1);
    found.push({ before, after });
    return false;
  });
  const rest = Array.from(waiting, ([key, entries]) => entries.slice(taken.get(key ?? '') ?? 0));
  return { pairs: [...pairs, ...found], gone: rest.flat(), added: left };
}

/** The path with which the address of a package ends; null if that is no file of it. */
function fileOf(entry: Package, files: FileEntries): string | null {
  const segments = entry['Download-URL']?.split('/') ?? [];
  for (const index of segments.keys()) {
    const end = segments.slice(index).join('/');
    const path = end.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    const file = files.get(path);
    if (file !== undefined && wordsOf(file) === wordsOf(entry)) return path;
  }
  return null;
}

/** The change of `Base-URL`, in place of a line for each of the addresses; null unless most of them changed so. */
function changedBase(pairs: readonly Pair[], stayed: number): ChangedValue | null {
  const counts = new Map<string, { readonly bases: ChangedValue; count: number }>();
  for (const pair of pairs) {
    const bases = basesOf(pair);
    if (bases === null) continue;
    const key = JSON.stringify(bases);
    const group = counts.get(key) ?? { bases, count: 0 };
    group.count += 1;
    counts.set(key, group);
  }
  const most = Array.from(counts.values()).find(({ count }) => count > 1 && count > stayed / 2);
  return most?.bases ?? null;
}

/** What stands before the path of a file in two addresses; null if they are the same or end with other names. */
function basesOf({ before, after }: Pair): ChangedValue | null {
  if (before['Download-URL'] === after['Download-URL']) return null;
  const old = before['Download-URL']?.split('/') ?? [];
  const now = after['Download-URL']?.split('/') ?? [];
  const length = old.length;
  while (old.length > 0 && now.length > 0 && old.at(-1) === now.at(-1)) {
    old.pop();
    now.pop();
  }
  if (old.length === length || old.length + now.length === 0) return null;
  const base = (segments: readonly string[]) => (segments.length === 0 ? null : `${segments.join('/')}/`);
  return { of: '', key: 'Base-URL', before: base(old), after: base(now) };
}

function isSameBase(base: ChangedValue, other: ChangedValue | null): boolean {
  return base.before === other?.before && base.after === other.after;
}

interface Known {
  readonly update: Update;
  /** Paths in both databases whose files are named or offered differently, which the difference lists. */
  readonly described: ReadonlySet<string>;
  readonly base: ChangedValue | null;
}

/** A package that no file brings is named, and of one that a file brings, an address that is not below the known ones. */
function newPackages(entries: readonly Package[], { update, described, base }: Known): ChangedValue[] {
  const { files, next, before } = update;
  if (before === null) return entries.filter(isWithoutFile).map(nameOf);
  const take = takerOf([...files.added, ...described], next.Files);
  const isKnown = knownBases(before.Packages, base);
  return entries.flatMap((entry) => {
    const path = isWithoutFile(entry) ? null : take(entry);
    if (path === null) return [nameOf(entry)];
    const after = entry['Download-URL'] ?? '';
    const own = downloadUrl(path, {});
    const isOwn = after === own || after.endsWith(`/${own}`);
    if (isOwn && isKnown(after.slice(0, -own.length))) return [];
    return [{ of: path, key: 'Download-URL', before: null, after }];
  });
}

/** A package that is gone although its file is as it was. */
function gonePackages(
  entries: readonly Package[],
  { files, before }: Update,
  described: ReadonlySet<string>,
): ChangedValue[] {
  if (before === null) return [];
  const take = takerOf([...files.withdrawn, ...described], before.Files);
  return entries
    .filter((entry) => isWithoutFile(entry) || take(entry) === null)
    .map((entry) => ({ ...nameOf(entry), before: entry.Name, after: null }));
}

/** Finds the file that explains a package, each once: the one of its address, or one of its name, version and flavor. */
function takerOf(paths: readonly string[], files: FileEntries): (entry: Package) => string | null {
  const left = new Set(paths);
  const byWords = groupedBy(paths, (path) => wordsOf(files.get(path) ?? {}));
  const reached = new Map<string, number>();
  return (entry) => {
    const own = fileOf(entry, files);
    if (own !== null) return left.delete(own) ? own : null;
    const words = wordsOf(entry);
    const same = byWords.get(words) ?? [];
    let at = reached.get(words) ?? 0;
    while (at < same.length && !left.delete(same[at] ?? '')) at += 1;
    reached.set(words, at + 1);
    return same[at] ?? null;
  };
}

/** Tells whether published addresses begin so too, or begin so from now on. Looks for each beginning once. */
function knownBases(published: readonly Package[], changed: ChangedValue | null): (base: string) => boolean {
  const isRelative = (address: string) => !/^[a-z][a-z0-9+.-]*:/i.test(address);
  const isBelow = (base: string, address: string | undefined) =>
    address !== undefined && (base === '' ? isRelative(address) : address.startsWith(base));
  const isAny = (base: string) => published.some((entry) => isBelow(base, entry['Download-URL']));
  const isNew = (base: string) =>
    changed !== null && (changed.after === null ? isRelative(base) : base.startsWith(changed.after));
  const known = new Map<string, boolean>();
  return (base) => {
    const is = known.get(base) ?? (isNew(base) || isAny(base) || published.every(isWithoutFile));
    known.set(base, is);
    return is;
  };
}

function isWithoutFile(entry: Package): boolean {
  return entry['Download-URL'] === undefined;
}

function nameOf(entry: Package): ChangedValue {
  return { of: addressOf(entry), key: 'Name', before: null, after: entry.Name };
}

/** Of a new package, only the values that PackMan executes. */
function executableOf(entry: Package): ChangedValue[] {
  return EXECUTABLE_KEYS.flatMap((key) => {
    const after = show(entry[key]);
    return after === null ? [] : [{ of: entry.Name, key, before: null, after }];
  });
}

function isExecutable(key: string): boolean {
  return (EXECUTABLE_KEYS as readonly string[]).includes(key);
}

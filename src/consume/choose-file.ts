import { PacksignError } from '../errors.js';
import { fileNameOf, isNamed } from '../model/file-entry.js';
import type { FileEntry, NamedEntry } from '../model/file-entry.js';
import { plainName } from '../model/file-name.js';
import { nearestOf } from '../model/nearest.js';
import { shellWord } from '../model/shell.js';
import { compareNatural, isComparable, plainVersion } from '../model/version.js';
import { filesFor, machineFor, machineName, ofEachKind } from './choose-platform.js';
import type { WantedFile } from './stream-file.js';
import { versionRules } from './version-rules.js';

interface NamedFile extends WantedFile {
  readonly entry: NamedEntry;
}

export interface FindOptions {
  /** Whether a pre-release may be the newest version, also where there are releases. */
  readonly allowPre: boolean;
  /** The platform that the user named; null for the machine that this runs on. */
  readonly platform: string | null;
  /** The database that the user named; null if packsign searched the trust store. */
  readonly from: string | null;
  /** The name of the database in the trust store, or its address. */
  readonly place: string;
}

/** A file that a name means, and what its user should know about the choice. */
export interface Found {
  readonly file: WantedFile;
  readonly notices: readonly string[];
}

/**
 * The file that a name means: a path, or the one for the machine among those of an exact version, or of the newest release
 * that is neither yanked nor mutable. Throws PACKAGE_NOT_FOUND, PLATFORM_MISSING, AMBIGUOUS, USAGE.
 */
export async function findFile(
  wanted: string,
  files: ReadonlyMap<string, FileEntry>,
  options: FindOptions,
): Promise<Found> {
  const exact = files.get(wanted);
  if (exact !== undefined) return { file: { path: wanted, entry: exact }, notices: [] };
  const [, name = wanted, version] = /^(.+?)==(.+)$/.exec(wanted) ?? [];
  const all = Array.from(files).flatMap(([path, entry]) => (isNamed(entry) ? [{ path, entry }] : []));
  const isMutable = ({ entry }: NamedFile) => entry.Mutable === true;
  const named = ofName(
    all.filter((file) => !isMutable(file)),
    name,
  );
  const live = named.filter(({ entry }) => entry.Yanked === undefined);
  const left = version === undefined ? live.filter(({ entry }) => !isComparable(entry.Version)) : [];
  const candidates = version === undefined ? await newest(live, options) : ofVersion(named, version);
  if (candidates.length === 0) {
    const mutable = ofName(all.filter(isMutable), name);
    const meant = version === undefined ? mutable : ofVersion(mutable, version);
    throw meant.length > 0 && (named.length === 0 || version !== undefined)
      ? onlyMutable(wanted, meant, options)
      : notFound(wanted, { named, known: files, place: options.place, from: options.from });
  }
  const machine = machineFor(options.platform);
  const fitting = filesFor(candidates, machine);
  if (fitting.length === 0) {
    const others = version === undefined ? await newest(filesFor(live, machine), options) : [];
    throw platformMissing(wanted, { candidates, others }, options);
  }
  const file = onlyOne(wanted, fitting, options);
  return { file, notices: left.length === 0 || left.includes(file) ? [] : [leftOut(name, left)] };
}

function leftOut(name: string, left: readonly NamedFile[]): string {
  const paths = left.map(({ path }) => path).join(', ');
  return `versions of ${name} that cannot be compared were left out: ${paths}`;
}

function ofName(files: readonly NamedFile[], name: string): readonly NamedFile[] {
  const exact = files.filter(({ entry }) => entry.Name === name);
  return exact.length > 0 ? exact : files.filter(({ entry }) => plainName(entry.Name) === plainName(name));
}

function onlyOne(wanted: string, fitting: readonly NamedFile[], options: FindOptions): NamedFile {
  const [first, ...more] = fitting;
  if (first !== undefined && more.length === 0) return first;
  throw new PacksignError('AMBIGUOUS', [`${wanted} is more than one file:`, ...linesOf(fitting)].join('\n'), {
    hint: `name one by its path: ${commandFor(first?.path ?? '', options)}`,
  });
}

/** The error for a package that has no file for the machine in its newest version, and `others` in another one. */
function platformMissing(
  wanted: string,
  { candidates, others }: Readonly<Record<'candidates' | 'others', readonly NamedFile[]>>,
  options: FindOptions,
): PacksignError {
  const machine = machineName(machineFor(options.platform));
  const [first] = candidates;
  const [other] = others;
  const what = other === undefined ? wanted : `${wanted} ${versionsOf(candidates)}`;
  const lines = [`there is no ${what} for ${machine}, only`, ...linesOf(candidates)];
  if (other === undefined) {
    return new PacksignError('PLATFORM_MISSING', lines.join('\n'), {
      hint: `name one by its path: ${commandFor(first?.path ?? '', options)}, or another platform with --platform`,
    });
  }
  const named = commandFor(`${other.entry.Name}==${other.entry.Version}`, options);
  const hint = options.platform === null ? named : `${named} --platform ${shellWord(options.platform)}`;
  const more = [`for ${machine} there is`, ...linesOf(others)];
  return new PacksignError('PLATFORM_MISSING', [...lines, ...more].join('\n'), { hint });
}

/** The error for a name or version that only files have that get other bytes under their paths. */
function onlyMutable(wanted: string, files: readonly NamedFile[], options: FindOptions): PacksignError {
  const lines = [`${wanted} is only in files that change under their names (mutable):`, ...linesOf(files)];
  const hint = `name one by its path: ${commandFor(files[0]?.path ?? '', options)}`;
  return new PacksignError('PACKAGE_NOT_FOUND', lines.join('\n'), { hint });
}

function linesOf(files: readonly NamedFile[]): readonly string[] {
  return files.map(({ path, entry }) => `  ${path}  ${[entry.Version, entry.Platform].join('  ').trimEnd()}`);
}

function commandFor(wanted: string, { from }: Pick<FindOptions, 'from'>): string {
  return `packsign get ${shellWord(wanted)}${from === null ? '' : ` --from ${shellWord(from)}`}`;
}

/** Each version once. */
function versionsOf(files: readonly NamedFile[]): string {
  const versions = files.map(
    ({ entry }) => `${entry.Version}${entry.Yanked === undefined ? '' : ' (yanked)'}`,
  );
  return Array.from(new Set(versions)).join(', ');
}

function ofVersion(named: readonly NamedFile[], version: string): readonly NamedFile[] {
  const exact = named.filter(({ entry }) => entry.Version === version);
  return exact.length > 0
    ? exact
    : named.filter(({ entry }) => plainVersion(entry.Version) === plainVersion(version));
}

/** Packages of systems, whose versions end with a revision of the packaging. */
const SYSTEM_PACKAGE = /\.(?:(u?deb|ddeb)|(rpm)|(apk)|(pkg\.tar)(?:\.[a-z0-9]+)?)$/i;

/**
 * Chooses as pip and npm do: a pre-release only if the user asks for it, or if there is nothing else. Revisions of the
 * packaging, `-1` of a .deb, count only among files of one kind: the same release may lie there as .deb and as .tar.gz.
 */
async function newest(live: readonly NamedFile[], { allowPre }: FindOptions): Promise<readonly NamedFile[]> {
  const comparable = live.filter(({ entry }) => isComparable(entry.Version));
  // Without any order, only a choice among files of one version is left.
  if (comparable.length === 0) return live;
  const isMixed = new Set(comparable.map(kindOf)).size > 1;
  const releaseOf = (file: NamedFile) =>
    isMixed && kindOf(file) !== '' ? withoutRevision(file.entry.Version) : file.entry.Version;
  const isNpm = comparable.every(({ path }) => /\.tgz$/i.test(path));
  const { compare, isFinal } = await versionRules(comparable.map(releaseOf), { isNpm });
  const final = allowPre ? [] : comparable.filter((file) => isFinal(releaseOf(file)));
  const best = highest(final.length > 0 ? final : comparable, (a, b) => compare(releaseOf(a), releaseOf(b)));
  const byRevision = (a: NamedFile, b: NamedFile) => compareNatural(a.entry.Version, b.entry.Version);
  return isMixed ? ofEachKind(best, kindOf, (same) => highest(same, byRevision)) : best;
}

/** Empty for everything but a package of a system. */
function kindOf({ path }: NamedFile): string {
  return SYSTEM_PACKAGE.exec(path)?.slice(1).find(Boolean)?.toLowerCase() ?? '';
}

function withoutRevision(version: string): string {
  return version.replace(/^\d+:/, '').replace(/-[^-]*$/, '');
}

function highest(
  files: readonly NamedFile[],
  compare: (a: NamedFile, b: NamedFile) => number,
): readonly NamedFile[] {
  const [first, ...rest] = files;
  if (first === undefined) return [];
  const best = rest.reduce((a, b) => (compare(b, a) > 0 ? b : a), first);
  return files.filter((file) => compare(file, best) === 0);
}

interface Missing {
  readonly named: readonly NamedFile[];
  /** Every file that there is, by its path. */
  readonly known: ReadonlyMap<string, FileEntry>;
  readonly place: string;
  readonly from?: string | null;
}

/** What people may type: names of packages, and paths. */
function wordsFor(known: ReadonlyMap<string, FileEntry>): readonly string[] {
  return Array.from(known).flatMap(([path, { Name }]) => (Name === undefined ? [path] : [Name, path]));
}

export function notFound(wanted: string, { named, known, place, from = null }: Missing): PacksignError {
  const isYanked = named.some(({ entry }) => entry.Yanked !== undefined);
  const what =
    named.length === 0 ? `there is no package ${wanted}` : `there is no ${wanted}, only ${versionsOf(named)}`;
  const [one] = named;
  const near = named.length > 0 ? null : nearestOf(wanted.replace(/==.*$/, ''), wordsFor(known));
  const list = `packsign list ${shellWord(place)} shows what there is`;
  return new PacksignError('PACKAGE_NOT_FOUND', near === null ? what : `${what}; did you mean "${near}"?`, {
    hint:
      isYanked && one !== undefined
        ? `packsign downloads a yanked version only if you name it: ${commandFor(`${one.entry.Name}==${one.entry.Version}`, { from })}`
        : near === null
          ? list
          : `${commandFor(near, { from })}; ${list}`,
  });
}

export function requireFileNames(chosen: readonly WantedFile[]): void {
  const paths = new Map<string, string>();
  for (const { path } of chosen) {
    const twin = paths.get(fileNameOf(path).toLowerCase());
    if (twin !== undefined && twin !== path) {
      throw new PacksignError('AMBIGUOUS', `${twin} and ${path} would be the same file`, {
        hint: 'download them one by one, each with its own --output DIR',
      });
    }
    paths.set(fileNameOf(path).toLowerCase(), path);
  }
}

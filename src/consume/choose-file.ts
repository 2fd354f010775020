import { PacksignError } from '../errors.js';
import { isNamed } from '../model/file-entry.js';
import type { FileEntry, NamedEntry } from '../model/file-entry.js';
import { plainName } from '../model/file-name.js';
import { shellWord } from '../model/shell.js';
import { compareNatural, isComparable, plainVersion } from '../model/version.js';
import { filesFor, machineFor, machineName } from './choose-platform.js';
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
  const all = Array.from(files).flatMap(([path, entry]) =>
    isNamed(entry) && entry.Mutable !== true ? [{ path, entry }] : [],
  );
  const sameName = all.filter(({ entry }) => entry.Name === name);
  const named =
    sameName.length > 0 ? sameName : all.filter(({ entry }) => plainName(entry.Name) === plainName(name));
  const live = named.filter(({ entry }) => entry.Yanked === undefined);
  const left = version === undefined ? live.filter(({ entry }) => !isComparable(entry.Version)) : [];
  const candidates = version === undefined ? await newest(live, options) : ofVersion(named, version);
  if (candidates.length === 0) throw notFound(wanted, { named, place: options.place });
  const file = onlyOne(wanted, candidates, options);
  return { file, notices: left.length === 0 || left.includes(file) ? [] : [leftOut(name, left)] };
}

function leftOut(name: string, left: readonly NamedFile[]): string {
  const paths = left.map(({ path }) => path).join(', ');
  return `versions of ${name} that cannot be compared were left out: ${paths}`;
}

/** The one for the machine. */
function onlyOne(
  wanted: string,
  candidates: readonly NamedFile[],
  { from, platform }: FindOptions,
): NamedFile {
  const machine = machineFor(platform);
  const fitting = filesFor(candidates, machine);
  const [first, ...more] = fitting;
  if (first !== undefined && more.length === 0) return first;
  const shown = fitting.length > 0 ? fitting : candidates;
  const { path = '' } = shown[0] ?? {};
  const lines = shown.map(
    (file) => `  ${file.path}  ${[file.entry.Version, file.entry.Platform].join('  ').trimEnd()}`,
  );
  const byPath = `name one by its path: packsign get ${path}${from === null ? '' : ` --from ${shellWord(from)}`}`;
  if (first === undefined) {
    const what = `${wanted} is not there for ${machineName(machine)}, only`;
    throw new PacksignError('PLATFORM_MISSING', [what, ...lines].join('\n'), {
      hint: `${byPath}, or another platform with --platform`,
    });
  }
  throw new PacksignError('AMBIGUOUS', [`${wanted} is more than one file:`, ...lines].join('\n'), {
    hint: byPath,
  });
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
  if (!isMixed) return best;
  const kinds = new Set(best.map(kindOf));
  return Array.from(kinds).flatMap((kind) =>
    highest(
      best.filter((file) => kindOf(file) === kind),
      (a, b) => compareNatural(a.entry.Version, b.entry.Version),
    ),
  );
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

export function notFound(
  wanted: string,
  { named, place }: { named: readonly NamedFile[]; place: string },
): PacksignError {
  if (named.length === 0)
    return new PacksignError('PACKAGE_NOT_FOUND', `there is no package ${wanted}`, {
      hint: `packsign list ${shellWord(place)} shows what there is`,
    });
  const versions = named
    .map(({ entry }) => `${entry.Version}${entry.Yanked === undefined ? '' : ' (yanked)'}`)
    .join(', ');
  return new PacksignError('PACKAGE_NOT_FOUND', `there is no ${wanted}, only ${versions}`, {
    hint: 'packsign downloads a yanked version only if you name it: NAME==VERSION',
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

export function fileNameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

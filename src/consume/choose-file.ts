import { PacksignError } from '../errors.js';
import { isNamed } from '../model/file-entry.js';
import type { FileEntry, NamedEntry } from '../model/file-entry.js';
import { plainName } from '../model/file-name.js';
import { shellWord } from '../model/shell.js';
import { finalRelease, plainVersion, versionOrder } from '../model/version.js';
import type { WantedFile } from './stream-file.js';

interface NamedFile extends WantedFile {
  readonly entry: NamedEntry;
}

export interface FindOptions {
  /** Whether a pre-release may be the newest version, also where there are releases. */
  readonly allowPre: boolean;
  /** The database that the user named; null if packsign searched the trust store. */
  readonly from: string | null;
  /** The name of the database in the trust store, or its address. */
  readonly place: string;
}

/** The file that a name means: a path, an exact version, or the newest release that is neither yanked nor mutable. */
export function findFile(
  wanted: string,
  files: ReadonlyMap<string, FileEntry>,
  { allowPre, from, place }: FindOptions,
): WantedFile {
  const exact = files.get(wanted);
  if (exact !== undefined) return { path: wanted, entry: exact };
  const [, name = wanted, version] = /^(.+?)==(.+)$/.exec(wanted) ?? [];
  const all = Array.from(files).flatMap(([path, entry]) =>
    isNamed(entry) && entry.Mutable !== true ? [{ path, entry }] : [],
  );
  const sameName = all.filter(({ entry }) => entry.Name === name);
  const named =
    sameName.length > 0 ? sameName : all.filter(({ entry }) => plainName(entry.Name) === plainName(name));
  const candidates = version === undefined ? newest(named, allowPre) : ofVersion(named, version);
  const [first] = candidates;
  if (first === undefined) throw notFound(wanted, { named, place });
  if (candidates.length === 1) return first;
  throw new PacksignError(
    'AMBIGUOUS',
    [
      `${wanted} is more than one file:`,
      ...candidates.map(({ path, entry }) => `  ${path}  ${entry.Version}`),
    ].join('\n'),
    {
      hint: `name one by its path: packsign get ${first.path}${from === null ? '' : ` --from ${shellWord(from)}`}`,
    },
  );
}

function ofVersion(named: readonly NamedFile[], version: string): readonly NamedFile[] {
  const exact = named.filter(({ entry }) => entry.Version === version);
  return exact.length > 0
    ? exact
    : named.filter(({ entry }) => plainVersion(entry.Version) === plainVersion(version));
}

/** Chooses as pip and npm do: a pre-release only if the user asks for it, or if there is nothing else. */
function newest(named: readonly NamedFile[], allowPre: boolean): readonly NamedFile[] {
  const live = named.filter(({ entry }) => entry.Yanked === undefined);
  const kind = { isNpm: live.every(({ path }) => /\.tgz$/i.test(path)) };
  const versions = live.map(({ entry }) => entry.Version);
  const order = versionOrder(versions, kind);
  const isFinal = finalRelease(versions, kind);
  const final = allowPre ? [] : live.filter(({ entry }) => isFinal(entry.Version));
  const [top, ...rest] = final.length > 0 ? final : live;
  if (top === undefined) return [];
  const best = rest.reduce((a, b) => (order(b.entry.Version, a.entry.Version) > 0 ? b : a), top);
  return live.filter(({ entry }) => order(entry.Version, best.entry.Version) === 0);
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

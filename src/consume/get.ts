import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { digestListed } from '../workers/digest-listed.js';
import { findPartialFiles, openPartialFile } from './partial-file.js';
import type { PartialFile } from './partial-file.js';
import { PacksignError } from '../errors.js';
import { namedAddress } from '../model/address.js';
import type { FileEntry } from '../model/file-entry.js';
import type { Finding } from '../model/finding.js';
import { plainName } from '../model/file-name.js';
import { shellWord } from '../model/shell.js';
import { finalRelease, plainVersion, versionOrder } from '../model/version.js';
import { openNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import { STREAMS, expectation, worstOf } from './compare.js';
import type { Suspect } from './report.js';
import { fetchThrough } from './fetch.js';
import type { FetchedDatabase } from './fetch.js';
import { inParallel } from './parallel.js';
import { entriesOf } from './sources.js';
import type { FetchOptions } from './sources.js';
import { streamFile } from './stream-file.js';
import type { Streamed, WantedFile } from './stream-file.js';

export interface GetOptions extends FetchOptions {
  /** Database to take them from, by address or name; null looks in all that are trusted. */
  readonly from: string | null;
  /** Folder for the files. */
  readonly output: string;
  /** Whether an expired database will do. */
  readonly allowStale: boolean;
  /** Whether a database that is nobody's will do: its hashes then prove nothing. */
  readonly allowUnauthenticated: boolean;
  /** Whether a pre-release may be the newest version, also where there are releases. */
  readonly allowPre: boolean;
  /** Whether a file with other bytes is kept as `NAME.UNVERIFIED`. */
  readonly keepUnverified: boolean;
  readonly onProgress?: (progress: GetProgress) => void;
  /** Told of each database that is not good enough, and of files that are not as signed: for a report. */
  readonly onSuspect?: (suspect: Suspect) => void;
}

export interface GetProgress {
  readonly files: number;
  readonly ofFiles: number;
  readonly bytes: number;
  readonly ofBytes: number;
  /** The files that are on their way, in the order in which they began. */
  readonly active: readonly FileProgress[];
}

export interface FileProgress {
  /** Path in the database. */
  readonly path: string;
  readonly bytes: number;
  readonly ofBytes: number;
}

/** A file that lies under its name, with the bytes that were signed. */
export interface DownloadedFile {
  readonly name: string;
  readonly version: string;
  /** Path in the database. */
  readonly path: string;
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
  /** Address that it came from; null where it lay there already. */
  readonly from: string | null;
  /** Why it was withdrawn from use; null where it was not. */
  readonly yanked: string | null;
}

export interface GetResult {
  readonly database: string;
  readonly name: string | null;
  readonly status: FetchedDatabase['status'];
  readonly code: FetchedDatabase['code'];
  readonly sha256: string | null;
  readonly issued: Date | null;
  readonly packages: readonly DownloadedFile[];
  readonly notices: readonly string[];
  /** Files that are not what was signed; where there are any, `get` has failed. */
  readonly findings: readonly Finding[];
  readonly notify: string | null;
}

/**
 * Downloads packages: `NAME`, `NAME==VERSION`, or the path of a file. A file gets its name only once its
 * size and SHA-256 are those that were signed (docs/FORMAT.md §8 step 11). Files with other bytes are in
 * `findings`. Throws PACKAGE_NOT_FOUND, AMBIGUOUS, FILE_EXISTS, FILE_UNWRITABLE, the code of a database that is
 * not good enough, and what `fetchDatabase` throws.
 */
export async function get(names: readonly string[], options: GetOptions): Promise<GetResult> {
  const network = openNetwork(options.run.network);
  try {
    const { database, chosen, notices } = await choose(network, names, options);
    requireFileNames(chosen);
    const { packages, findings } = await download(network, { database, chosen }, options);
    if (findings.length > 0) options.onSuspect?.(suspectOf(database, findings));
    const { url, name, status, code, sha256, notify, trusted } = database;
    const issued = trusted?.Packsign.Issued ?? null;
    return { database: url, name, status, code, sha256, issued, packages, notices, findings, notify };
  } finally {
    await network.close();
  }
}

interface Choice {
  readonly database: FetchedDatabase;
  readonly chosen: readonly WantedFile[];
}

function suspectOf(database: FetchedDatabase, findings: readonly Finding[]): Suspect {
  const code = database.code ?? worstOf(findings);
  return { ...database, database: database.url, code, findings };
}

/** The one database that has all of it. */
async function choose(
  network: Network,
  names: readonly string[],
  options: GetOptions,
): Promise<Choice & { readonly notices: readonly string[] }> {
  const targets =
    options.from === null ? entriesOf(options.run.trust).map(({ name }) => name) : [options.from];
  if (targets.length === 0) {
    throw new PacksignError('NOT_TRUSTED', 'no database is trusted yet', {
      hint: 'packsign trust add URL --keys FILE, or name one with --from URL',
    });
  }
  const choices: Choice[] = [];
  const failures: PacksignError[] = [];
  for (const target of targets) {
    try {
      const database = await fetchThrough(network, target, options);
      choices.push({
        database,
        chosen: names.map((name) =>
          find(name, filesOf(database, options), { ...options, place: placeOf(database) }),
        ),
      });
    } catch (error) {
      if (!(error instanceof PacksignError)) throw error;
      failures.push(error);
    }
  }
  const [choice] = choices;
  if (choice === undefined)
    throw (
      failures.find(({ code }) => code !== 'PACKAGE_NOT_FOUND') ?? failures[0] ?? new Error('no database')
    );
  if (choices.length === 1)
    return { ...choice, notices: [...choice.database.notices, ...failures.flatMap(silence)] };
  throw new PacksignError(
    'AMBIGUOUS',
    ['several trusted databases have it:', ...choices.map(({ database }) => `  ${placeOf(database)}`)].join(
      '\n',
    ),
    {
      hint: `say which: packsign get ${names.join(' ')} --from ${shellWord(placeOf(choice.database))}`,
    },
  );
}

/** What a database is called here, or its address. */
function placeOf({ name, url }: FetchedDatabase): string {
  return name ?? url;
}

/** A database that could not be asked, or is not good enough, might have had it too: whoever fetches should know. */
function silence({ code, message }: PacksignError): string[] {
  return code === 'PACKAGE_NOT_FOUND' ? [] : [`not looked for everywhere: ${message} (${code})`];
}

/** What may be downloaded at all. Throws the code of a database that is not good enough. */
function filesOf(
  database: FetchedDatabase,
  options: Pick<GetOptions, 'allowStale' | 'allowUnauthenticated' | 'onSuspect'>,
): ReadonlyMap<string, FileEntry> {
  const { status, code, message, url, trusted, notify } = database;
  if (trusted !== null && (status === 'authentic' || options.allowStale)) return trusted.Archives;
  if (status === 'unauthenticated' && options.allowUnauthenticated) {
    throw new PacksignError(
      'USAGE',
      'packages of a database that is nobody’s have no hash that means anything',
      {
        hint: `fetch them with another program, or trust it: packsign trust add ${url} --keys FILE`,
      },
    );
  }
  options.onSuspect?.(suspectOf(database, []));
  const tell = notify === null ? '' : `; tell its maintainer: ${notify} (--report FILE writes what to send)`;
  throw new PacksignError(code ?? 'NOT_PINNED', `${url} is ${status}: ${message ?? ''}`, {
    hint:
      status === 'unauthenticated'
        ? `trust it by its key first: packsign trust add ${url} --keys FILE`
        : status === 'stale'
          ? `wait for a newer one, or accept this one with --allow-stale${tell}`
          : `do not use it${tell}`,
  });
}

/** The file that a name means: a path, an exact version, or the newest release that is not yanked. */
function find(
  wanted: string,
  files: ReadonlyMap<string, FileEntry>,
  { allowPre, from, place }: Pick<GetOptions, 'allowPre' | 'from'> & { readonly place: string },
): WantedFile {
  const exact = files.get(wanted);
  if (exact !== undefined) return { path: wanted, entry: exact };
  const [, name = wanted, version] = /^(.+?)==(.+)$/.exec(wanted) ?? [];
  const all = Array.from(files, ([path, entry]) => ({ path, entry }));
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

function ofVersion(named: readonly WantedFile[], version: string): readonly WantedFile[] {
  const exact = named.filter(({ entry }) => entry.Version === version);
  return exact.length > 0
    ? exact
    : named.filter(({ entry }) => plainVersion(entry.Version) === plainVersion(version));
}

/** As pip and npm choose: a pre-release only where it is asked for, or there is nothing else. */
function newest(named: readonly WantedFile[], allowPre: boolean): readonly WantedFile[] {
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

function notFound(
  wanted: string,
  { named, place }: { named: readonly WantedFile[]; place: string },
): PacksignError {
  if (named.length === 0)
    return new PacksignError('PACKAGE_NOT_FOUND', `there is no package ${wanted}`, {
      hint: `packsign list ${shellWord(place)} shows what there is`,
    });
  const versions = named
    .map(({ entry }) => `${entry.Version}${entry.Yanked === undefined ? '' : ' (yanked)'}`)
    .join(', ');
  return new PacksignError('PACKAGE_NOT_FOUND', `there is no ${wanted}, only ${versions}`, {
    hint: 'a yanked version is only fetched when it is named: NAME==VERSION',
  });
}

function requireFileNames(chosen: readonly WantedFile[]): void {
  const paths = new Map<string, string>();
  for (const { path } of chosen) {
    const twin = paths.get(fileNameOf(path).toLowerCase());
    if (twin !== undefined && twin !== path) {
      throw new PacksignError('AMBIGUOUS', `${twin} and ${path} would be the same file`, {
        hint: 'fetch them one by one, each with its --output DIR',
      });
    }
    paths.set(fileNameOf(path).toLowerCase(), path);
  }
}

function fileNameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

interface Downloaded {
  readonly packages: readonly DownloadedFile[];
  readonly findings: readonly Finding[];
}

async function download(
  network: Network,
  { database, chosen }: Choice,
  options: GetOptions,
): Promise<Downloaded> {
  const wanted = Array.from(new Map(chosen.map((one) => [one.path, one])).values());
  const left = findPartialFiles(options.output);
  const progress = progressOf(wanted, options);
  const answers = await inParallel(wanted, STREAMS, async (one) => {
    const answer = await place(network, one, {
      ...{ database, options, left },
      onBytes: (count) => progress.add(one, count),
    });
    progress.finish(one);
    return answer;
  });
  const failed = answers.find((answer) => answer instanceof PacksignError);
  if (failed !== undefined) throw failed;
  return {
    packages: answers.filter((answer) => 'file' in answer),
    findings: answers.filter((answer) => 'kind' in answer),
  };
}

interface Counting {
  readonly add: (wanted: WantedFile, count: number) => void;
  readonly finish: (wanted: WantedFile) => void;
}

/** Counts for somebody who watches; nothing where nobody does. */
function progressOf(wanted: readonly WantedFile[], { onProgress }: GetOptions): Counting {
  if (onProgress === undefined) return { add: () => undefined, finish: () => undefined };
  const active = new Map<string, FileProgress>();
  const ofBytes = wanted.reduce((sum, { entry }) => sum + entry.Size, 0);
  const done = { files: 0, bytes: 0 };
  const tell = () => {
    onProgress({ ...done, ofFiles: wanted.length, ofBytes, active: Array.from(active.values()) });
  };
  return {
    add: ({ path, entry }, count) => {
      done.bytes += count;
      active.set(path, { path, bytes: (active.get(path)?.bytes ?? 0) + count, ofBytes: entry.Size });
      tell();
    },
    finish: ({ path }) => {
      done.files += 1;
      active.delete(path);
      tell();
    },
  };
}

interface Download {
  readonly database: FetchedDatabase;
  readonly options: GetOptions;
  readonly left: ReadonlyMap<string, string>;
  readonly onBytes: (count: number) => void;
}

/** One file under its name; a finding where it is not to be had as it was signed. */
async function place(
  network: Network,
  wanted: WantedFile,
  placing: Download,
): Promise<DownloadedFile | Finding | PacksignError> {
  try {
    const { database, options } = placing;
    if (await isThere(wanted, options.output)) {
      placing.onBytes(wanted.entry.Size);
      return got(wanted, { output: options.output, from: null });
    }
    const first = await attempt(network, wanted, placing);
    if (!('kind' in first) || database.trusted === null) return first;
    // A new database may have been published while we read: it is asked once before the bytes are blamed.
    const again = await fetchThrough(network, database.url, { ...options, fresh: true });
    const entry = again.trusted?.Archives.get(wanted.path);
    if (entry === undefined || entry.SHA256 === wanted.entry.SHA256) return first;
    return await attempt(network, { ...wanted, entry }, placing);
  } catch (error) {
    if (error instanceof PacksignError) return error;
    throw error;
  }
}

/** Whether the file is there already, with the right bytes. Throws FILE_EXISTS for another. */
async function isThere({ path, entry }: WantedFile, output: string): Promise<boolean> {
  const name = fileNameOf(path);
  if (lstatSync(join(output, name), { throwIfNoEntry: false }) === undefined) return false;
  const found = (await digestListed(output, new Map([[name, entry]]))).get(name);
  if (found?.kind === 'digested' && found.sha256 === entry.SHA256 && found.size === entry.Size) return true;
  throw new PacksignError('FILE_EXISTS', `${join(output, name)} exists, and is not what was signed`, {
    hint: 'move it away, or name another folder with --output DIR',
  });
}

async function attempt(
  network: Network,
  wanted: WantedFile,
  placing: Download,
): Promise<DownloadedFile | Finding> {
  const { options, left, onBytes, database } = placing;
  const part = await openPartialFile(options.output, { sha256: wanted.entry.SHA256, left });
  onBytes(part.length());
  const sink: PartialFile = {
    ...part,
    write: async (bytes) => {
      await part.write(bytes);
      onBytes(bytes.length);
    },
    restart: async () => {
      onBytes(-part.length());
      await part.restart();
    },
  };
  let isDone = false;
  try {
    const streamed = await streamFile(network, wanted, { places: placesOf(database), sink });
    isDone = true;
    return await finishDownload(streamed, { wanted, part, options });
  } finally {
    if (!isDone) await part.leave();
  }
}

async function finishDownload(
  streamed: Streamed,
  { wanted, part, options }: { wanted: WantedFile; part: PartialFile; options: GetOptions },
): Promise<DownloadedFile | Finding> {
  const { path, entry } = wanted;
  const name = fileNameOf(path);
  const expected = expectation(entry);
  switch (streamed.kind) {
    case 'good':
      await part.finish(name);
      return got(wanted, { output: options.output, from: streamed.from });
    case 'altered':
      if (options.keepUnverified && part.length() > 0) await part.finish(`${name}.UNVERIFIED`);
      else await part.remove();
      return { kind: 'altered', path, expected, found: streamed.found };
    case 'missing':
      await part.remove();
      return { kind: 'missing', path, expected, found: null };
    case 'failed':
      await part.leave();
      throw streamed.error;
  }
}

/** Where the files may lie: beside the database that answered, its own address, and its mirrors. */
function placesOf({ from, url, trusted }: FetchedDatabase): readonly string[] {
  const mirrors = (trusted?.Packsign.Mirrors ?? []).flatMap((mirror) => namedAddress(mirror) ?? []);
  return [...new Set([from, url, ...mirrors])];
}

function got(
  { path, entry }: WantedFile,
  { output, from }: { output: string; from: string | null },
): DownloadedFile {
  const { Name, Version, Size, SHA256, Yanked } = entry;
  const file = join(output, fileNameOf(path));
  return {
    name: Name,
    version: Version,
    path,
    file,
    size: Size,
    sha256: SHA256,
    from,
    yanked: Yanked ?? null,
  };
}

export interface FetchFileOptions extends Omit<GetOptions, 'from' | 'allowUnauthenticated' | 'allowPre'> {
  /** Path in the database. */
  readonly path: string;
}

/**
 * Downloads one file of a database that was fetched, as `get` does. Throws ARCHIVE_ALTERED, ARCHIVE_MISSING,
 * PACKAGE_NOT_FOUND, the code of a database that is not good enough, and what `get` throws.
 */
export async function fetchFile(
  database: FetchedDatabase,
  options: FetchFileOptions,
): Promise<DownloadedFile> {
  const { path } = options;
  const all = { ...options, from: null, allowUnauthenticated: false, allowPre: false };
  const entry = filesOf(database, all).get(path);
  if (entry === undefined) throw notFound(path, { named: [], place: placeOf(database) });
  const network = openNetwork(options.run.network);
  try {
    const { packages, findings } = await download(network, { database, chosen: [{ path, entry }] }, all);
    const [one] = packages;
    if (one !== undefined) return one;
    throw fileError(findings, database.notify);
  } finally {
    await network.close();
  }
}

/** What `get` fails with for files that are not what was signed. */
export function fileError(findings: readonly Finding[], notify: string | null): PacksignError {
  const isAltered = findings.some(({ kind }) => kind === 'altered');
  const lines = findings.flatMap(({ kind, path, expected, found }) => [
    `${path} is ${kind === 'altered' ? 'not what was signed' : 'nowhere to be had'}`,
    `  expected ${expected ?? ''}`,
    ...(found === null ? [] : [`  found    ${found}`]),
  ]);
  const tell = `tell its maintainer${notify === null ? '' : `: ${notify}`} (--report FILE writes what to send)`;
  return new PacksignError(isAltered ? 'ARCHIVE_ALTERED' : 'ARCHIVE_MISSING', lines.join('\n'), {
    hint: isAltered ? `do not use it; ${tell}` : tell,
  });
}

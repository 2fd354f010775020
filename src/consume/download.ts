import { lstatSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import type { TrustedDatabase } from '../verify/verify-database.js';
import { openDigests } from '../workers/growing-digest.js';
import type { GrowingDigests } from '../workers/growing-digest.js';
import { digestListed } from '../workers/digest-listed.js';
import { dropPartialFile, findPartialFiles, openPartialFile } from './partial-file.js';
import type { PartialFile } from './partial-file.js';
import { PacksignError } from '../errors.js';
import { namedAddress } from '../model/address.js';
import { fileNameOf } from '../model/file-entry.js';
import type { Finding } from '../model/finding.js';
import type { Network } from '../net/transport.js';
import { UNSEEN } from '../model/work.js';
import { STREAMS, expectation } from './compare.js';
import type { Suspect } from './report.js';
import { fetchThrough } from './fetch.js';
import type { FetchedDatabase } from './fetch.js';
import { orError } from './or-error.js';
import type { Tolerance } from './outcome.js';
import { inParallel } from './parallel.js';
import { rereadUntil } from './reread.js';
import type { FetchOptions } from './sources.js';
import { streamFile } from './stream-file.js';
import type { Streamed, WantedFile } from './stream-file.js';

export interface GetOptions extends FetchOptions, Required<Omit<Tolerance, 'strict'>> {
  /** The database to download from, by address or name; null searches all trusted ones. */
  readonly from: string | null;
  /** Folder for the files. */
  readonly output: string;
  /** Whether a pre-release may be the newest version, also where there are releases. */
  readonly allowPre: boolean;
  /** The platform that files are for, like `linux-arm64`; null for the machine that this runs on. */
  readonly platform: string | null;
  /** Whether a file with other bytes is kept as `NAME.UNVERIFIED`. */
  readonly keepUnverified: boolean;
  /** Called with each database that is not good enough, and with files that differ from what was signed: for a report. */
  readonly onSuspect?: (suspect: Suspect) => void;
}

/** A file that has its name, and the bytes that were signed. */
export interface DownloadedFile {
  /** Null, as the version, for a file whose name and version are not known. */
  readonly name: string | null;
  readonly version: string | null;
  /** Path in the database. */
  readonly path: string;
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
  /** Where it was downloaded from; null if it was there already. */
  readonly from: string | null;
  /** Why the maintainer yanked it; null if it is not yanked. */
  readonly yanked: string | null;
}

export interface Choice {
  readonly database: FetchedDatabase;
  readonly chosen: readonly WantedFile[];
}

interface Downloaded {
  readonly packages: readonly DownloadedFile[];
  readonly findings: readonly Finding[];
}

export async function download(
  network: Network,
  { database, chosen }: Choice,
  options: GetOptions,
): Promise<Downloaded> {
  const wanted = Array.from(new Map(chosen.map((one) => [one.path, one])).values());
  const left = findPartialFiles(options.output);
  const bytes = wanted.reduce((sum, { entry }) => sum + entry.Size, 0);
  const digests = openDigests(bytes);
  const here = { done: 0, had: 0, files: 0 };
  const { progress } = options.run;
  progress({
    ...{ doing: 'downloading', bytes, done: () => here.done, had: () => here.had },
    files: { count: wanted.length, done: () => here.files },
  });
  const answers = await inParallel(wanted, STREAMS, async (one) => {
    const answer = await orError(() => place(network, one, { database, options, left, digests, here }));
    here.files += 1;
    return answer;
  }).finally(() => {
    progress(null);
    digests.stop();
  });
  const failed = answers.find((answer) => answer instanceof PacksignError);
  if (failed !== undefined) throw failed;
  return {
    packages: answers.filter((answer) => 'file' in answer),
    findings: answers.filter((answer) => 'kind' in answer),
  };
}

interface Download {
  readonly database: FetchedDatabase;
  readonly options: GetOptions;
  readonly left: ReadonlyMap<string, string>;
  readonly digests: GrowingDigests;
  /** The bytes of all files that are here: those that came, and those that were here before. */
  readonly here: { done: number; had: number };
}

/** Downloads one file. A finding says that no place has it as it was signed. */
async function place(
  network: Network,
  wanted: WantedFile,
  placing: Download,
): Promise<DownloadedFile | Finding> {
  const { database, options } = placing;
  if (await isThere(wanted, options.output)) {
    dropPartialFile(placing.left, wanted.entry.SHA256);
    placing.here.had += wanted.entry.Size;
    return got(wanted, { output: options.output, from: null });
  }
  const first = await attempt(network, wanted, placing);
  if (!('kind' in first) || database.trusted === null) return first;
  const again = () => fetchThrough(network, database.url, { ...options, fresh: true });
  const entryIn = ({ Files }: TrustedDatabase) => Files.get(wanted.path);
  const isOther = (now: TrustedDatabase) => entryIn(now)?.SHA256 !== wanted.entry.SHA256;
  const reread = await rereadUntil(database, isOther, { again, run: options.run });
  const entry = reread?.trusted == null ? undefined : entryIn(reread.trusted);
  return entry === undefined ? first : await attempt(network, { ...wanted, entry }, placing);
}

/** Whether the file is there already, with the right bytes. Throws FILE_EXISTS for other bytes. */
async function isThere({ path, entry }: WantedFile, output: string): Promise<boolean> {
  const name = fileNameOf(path);
  const stats = lstatSync(join(output, name), { throwIfNoEntry: false });
  if (stats === undefined) return false;
  const found = (await digestListed(output, new Map([[name, entry]]), UNSEEN)).get(name);
  const isGood = found?.kind === 'digested' && found.sha256 === entry.SHA256 && found.size === entry.Size;
  if (isGood && !isStrange(stats)) return true;
  const what = isGood
    ? 'and belongs to somebody else or has set-id rights'
    : 'and differs from what was signed';
  throw new PacksignError('FILE_EXISTS', `${join(output, name)} exists, ${what}`, {
    hint: 'move it away, or name another folder with --output DIR',
  });
}

const SET_ID_BITS = 0o6000;

/** A file found is not a file made (threat T35): its owner can change it later, and its rights are not ours. */
function isStrange({ uid, mode }: Stats): boolean {
  const own = process.geteuid?.();
  return (own !== undefined && uid !== own && uid !== 0) || (mode & SET_ID_BITS) !== 0;
}

async function attempt(
  network: Network,
  wanted: WantedFile,
  placing: Download,
): Promise<DownloadedFile | Finding> {
  const { options, left, digests, here, database } = placing;
  const { SHA256: sha256, Size: size } = wanted.entry;
  const part = openPartialFile(options.output, { sha256, size, left, digests });
  let had = part.length();
  here.had += had;
  const sink: PartialFile = {
    ...part,
    write: async (bytes) => {
      await part.write(bytes);
      here.done += bytes.length;
    },
    restart: () => {
      here.had -= had;
      here.done -= part.length() - had;
      had = 0;
      part.restart();
    },
  };
  let isDone = false;
  try {
    const streamed = await streamFile(network, wanted, { places: placesOf(database), sink });
    isDone = true;
    return await finishDownload(streamed, { wanted, part, options });
  } finally {
    if (!isDone) part.leave();
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
      return got(wanted, {
        output: options.output,
        from: (await tookName(part, wanted, options)) ? streamed.from : null,
      });
    case 'altered':
      if (options.keepUnverified && part.length() > 0) part.finish(`${name}.UNVERIFIED`);
      else part.remove();
      return { kind: 'altered', path, expected, found: streamed.found };
    case 'missing':
      // A later run may find the rest.
      part.leave();
      return { kind: 'missing', path, expected, found: null };
    case 'failed':
      part.leave();
      throw streamed.error;
  }
}

/** False if another run has given the name to the same bytes meanwhile. Throws FILE_EXISTS for other bytes. */
async function tookName(part: PartialFile, wanted: WantedFile, { output }: GetOptions): Promise<boolean> {
  try {
    part.finish(fileNameOf(wanted.path));
    return true;
  } catch (error) {
    const isTaken = error instanceof PacksignError && error.code === 'FILE_EXISTS';
    if (isTaken && (await isThere(wanted, output))) return false;
    throw error;
  }
}

/** Where to look for the files: beside the database that answered, at its own address, at its mirrors. */
function placesOf({ from, url, trusted }: FetchedDatabase): readonly string[] {
  const mirrors = (trusted?.Packsign.Mirrors ?? []).flatMap((mirror) => namedAddress(mirror) ?? []);
  return [...new Set([from, url, ...mirrors])];
}

function got(
  { path, entry }: WantedFile,
  { output, from }: { output: string; from: string | null },
): DownloadedFile {
  const { Name: name = null, Version: version = null, Yanked: yanked = null } = entry;
  const { Size: size, SHA256: sha256 } = entry;
  return { name, version, path, file: join(output, fileNameOf(path)), size, sha256, from, yanked };
}

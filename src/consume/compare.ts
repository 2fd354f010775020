import type { Coverage } from '../model/coverage.js';
import type { Database } from '../model/database.js';
import type { FileEntries, FileEntry } from '../model/file-entry.js';
import type { Finding } from '../model/finding.js';
import { compareText } from '../model/package.js';
import type { Network } from '../net/transport.js';
import { coverageIn } from '../places/coverage.js';
import type { Objects } from '../places/objects.js';
import { NO_GLOBS } from '../places/scan.js';
import type { Run } from '../run.js';
import type { TrustedDatabase } from '../verify/verify-database.js';
import { digestListed, digestListedObjects } from '../workers/digest-listed.js';
import type { FoundFile } from '../workers/digest-listed.js';
import type { FetchedDatabase } from './fetch.js';
import { inParallel } from './parallel.js';
import { rereadUntil } from './reread.js';
import type { Rereading } from './reread.js';
import { hashingSink, streamFile } from './stream-file.js';
import type { Streamed } from './stream-file.js';

/** How many files are downloaded at once. */
export const STREAMS = 8;

export interface Comparison {
  readonly files: { readonly checked: number; readonly ok: number };
  /** Sorted by path. */
  readonly findings: readonly Finding[];
}

/** Of a directory, whose other files are looked at too. */
export type DirectoryComparison = Comparison & Coverage;

/**
 * Hashes every listed file of a directory, and names the files that are not listed (docs/FORMAT.md §8 step 11). Never
 * uses a cache.
 */
export async function compareDirectory(
  directory: string,
  database: Database,
  run: Run,
): Promise<DirectoryComparison> {
  const found = await digestListed(directory, database.Files, run);
  return compareFound(directory, database, { found, objects: null });
}

/** The same for files that lie in a bucket. */
export async function compareObjects(
  objects: Objects,
  database: Database,
  run: Run,
): Promise<DirectoryComparison> {
  const found = await digestListedObjects(objects, database.Files, run);
  return compareFound('', database, { found, objects });
}

interface FoundFiles {
  readonly found: ReadonlyMap<string, FoundFile>;
  readonly objects: Objects | null;
}

function compareFound(
  directory: string,
  database: Database,
  { found: results, objects }: FoundFiles,
): DirectoryComparison {
  const { Files } = database;
  const compared = comparison(Files, (path, entry) => {
    const found = results.get(path) ?? { kind: 'missing' };
    if (found.kind === 'missing') return { kind: 'missing', found: null };
    if (found.kind === 'other') return { kind: 'altered', found: found.found };
    const { size: Size, sha256: SHA256 } = found;
    if (Size === entry.Size && SHA256 === entry.SHA256) return null;
    return { kind: 'altered', found: expectation({ SHA256, Size }) };
  });
  // Also what can never be listed, such as links: people fetch and run those too.
  const { uncovered, companions } = coverageIn(directory, database, { globs: NO_GLOBS, objects });
  const unlisted = uncovered.map(({ path }) => {
    return { kind: 'unlisted', path, expected: null, found: null } as const;
  });
  return { ...compared, uncovered, companions, findings: sorted([...compared.findings, ...unlisted]) };
}

/**
 * Reads every file of a database over the network, and compares it (docs/FORMAT.md §8 step 11). A file that a publication
 * replaces meanwhile is held to the database that lists it then.
 */
export async function compareRemote(
  network: Network,
  database: FetchedDatabase,
  { run, again }: Rereading,
): Promise<Comparison> {
  const { trusted, from } = database;
  const listed: FileEntries = trusted?.Files ?? new Map<string, FileEntry>();
  let [done, compared] = [0, 0];
  const sink = () => hashingSink((bytes) => (done += bytes));
  const bytes = Array.from(listed.values()).reduce((sum, { Size }) => sum + Size, 0);
  const counted = { count: listed.size, done: () => Math.min(compared, listed.size) };
  run.progress({ doing: 'checking', bytes, done: () => Math.min(done, bytes), files: counted });
  const entries = new Map(listed);
  const stream = async (paths: readonly string[]): Promise<readonly (readonly [string, Streamed])[]> =>
    await inParallel(paths, STREAMS, async (path) => {
      const entry = entries.get(path);
      if (entry === undefined) return [path, WITHDRAWN] as const;
      const answer = await streamFile(network, { path, entry }, { places: [from], sink: sink() });
      compared += 1;
      return [path, answer] as const;
    });
  const streamed = new Map(await stream(Array.from(listed.keys())));
  const bad = () => Array.from(entries.keys()).filter((path) => isBad(streamed.get(path)));
  let latest = database;
  // What is replaced all the time is not waited for.
  for (let round = 0; round < ROUNDS && bad().length > 0; round += 1) {
    const isOther = (path: string, { Files }: TrustedDatabase) =>
      Files.get(path)?.SHA256 !== entries.get(path)?.SHA256;
    const says = (now: TrustedDatabase) => bad().some((path) => isOther(path, now));
    const reread = await rereadUntil(latest, says, { again, run });
    if (reread?.trusted == null) break;
    latest = reread;
    const now = reread.trusted;
    const due = bad().filter((path) => isOther(path, now));
    for (const path of due) {
      const entry = now.Files.get(path);
      if (entry === undefined) entries.delete(path);
      else entries.set(path, entry);
    }
    for (const [path, answer] of await stream(due)) streamed.set(path, answer);
  }
  run.progress(null);
  const { files, findings } = comparison(listed, (path) => {
    const answer = streamed.get(path) ?? { kind: 'missing' };
    if (answer.kind === 'failed') throw answer.error;
    if (answer.kind === 'good') return null;
    return { kind: answer.kind, found: answer.kind === 'altered' ? answer.found : null };
  });
  return { files, findings: sorted(findings) };
}

const ROUNDS = 3;
/** A file that a later database no longer lists is nothing to complain of. */
const WITHDRAWN = { kind: 'good', from: '' } as const;

function isBad(answer: Streamed | undefined): boolean {
  return answer?.kind === 'altered' || answer?.kind === 'missing';
}

function comparison(
  listed: FileEntries,
  defectOf: (path: string, entry: FileEntry) => Pick<Finding, 'kind' | 'found'> | null,
): Comparison {
  const findings: Finding[] = [];
  let ok = 0;
  for (const [path, entry] of listed) {
    const defect = defectOf(path, entry);
    if (defect === null) ok += 1;
    else findings.push({ kind: defect.kind, path, expected: expectation(entry), found: defect.found });
    const { Yanked } = entry;
    if (Yanked !== undefined) findings.push({ kind: 'yanked', path, expected: null, found: Yanked });
  }
  return { files: { checked: listed.size, ok }, findings };
}

function sorted(findings: readonly Finding[]): readonly Finding[] {
  return [...findings].sort((a, b) => compareText(a.path, b.path) || compareText(a.kind, b.kind));
}

/** The signed bytes as messages name them. */
export function expectation({ SHA256, Size }: Pick<FileEntry, 'SHA256' | 'Size'>): string {
  return `sha256 ${SHA256}, ${Size} bytes`;
}

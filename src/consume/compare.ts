import type { Coverage } from '../model/coverage.js';
import type { Database } from '../model/database.js';
import type { FileEntries, FileEntry } from '../model/file-entry.js';
import type { Finding } from '../model/finding.js';
import { compareText } from '../model/package.js';
import type { Network } from '../net/transport.js';
import { coverageIn } from '../places/coverage.js';
import { NO_GLOBS } from '../places/scan.js';
import type { Run } from '../run.js';
import { digestListed } from '../workers/digest-listed.js';
import type { FetchedDatabase } from './fetch.js';
import { inParallel } from './parallel.js';
import { hashingSink, streamFile } from './stream-file.js';

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
  { progress }: Run,
): Promise<DirectoryComparison> {
  const { Files } = database;
  const results = await digestListed(directory, Files, progress);
  const compared = comparison(Files, (path, entry) => {
    const found = results.get(path) ?? { kind: 'missing' };
    if (found.kind === 'missing') return { kind: 'missing', found: null };
    if (found.kind === 'other') return { kind: 'altered', found: found.found };
    const { size: Size, sha256: SHA256 } = found;
    if (Size === entry.Size && SHA256 === entry.SHA256) return null;
    return { kind: 'altered', found: expectation({ SHA256, Size }) };
  });
  // Also what can never be listed, such as links: people fetch and run those too.
  const { uncovered, companions } = coverageIn(directory, database, NO_GLOBS);
  const unlisted = uncovered.map(({ path }) => {
    return { kind: 'unlisted', path, expected: null, found: null } as const;
  });
  return { ...compared, uncovered, companions, findings: sorted([...compared.findings, ...unlisted]) };
}

/**
 * Reads every file of a database over the network, and compares it (docs/FORMAT.md §8 step 11). Before a file is called
 * altered or missing, `again` reads the database once more: a new one may be published by now.
 */
export async function compareRemote(
  network: Network,
  { trusted, from }: FetchedDatabase,
  { run, again }: { readonly run: Run; readonly again: () => Promise<FetchedDatabase> },
): Promise<Comparison> {
  const listed: FileEntries = trusted?.Files ?? new Map<string, FileEntry>();
  let done = 0;
  const streamed = new Map(
    await inParallel(Array.from(listed), STREAMS, async ([path, entry]) => {
      const answer = await streamFile(network, { path, entry }, { places: [from], sink: hashingSink() });
      done += 1;
      run.progress(done, listed.size);
      return [path, answer] as const;
    }),
  );
  const isBad = Array.from(streamed.values()).some(({ kind }) => kind === 'altered' || kind === 'missing');
  const now = isBad ? ((await again()).trusted ?? trusted) : trusted;
  const { files, findings } = comparison(listed, (path) => {
    const answer = streamed.get(path) ?? { kind: 'missing' };
    if (answer.kind === 'failed') throw answer.error;
    if (answer.kind === 'good') return null;
    return { kind: answer.kind, found: answer.kind === 'altered' ? answer.found : null };
  });
  // A file for which a newer database has other bytes was replaced while we read.
  const isCurrent = (path: string) => now?.Files.get(path)?.SHA256 === listed.get(path)?.SHA256;
  return {
    files,
    findings: sorted(findings.filter(({ kind, path }) => kind === 'yanked' || isCurrent(path))),
  };
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

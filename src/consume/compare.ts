import type { ErrorCode } from '../errors.js';
import type { FileEntry } from '../model/file-entry.js';
import type { Finding } from '../model/finding.js';
import { compareText } from '../model/package.js';
import type { Network } from '../net/transport.js';
import type { Run } from '../run.js';
import type { FetchedDatabase } from './fetch.js';
import { inParallel } from './parallel.js';
import { hashingSink, streamFile } from './stream-file.js';
import type { Streamed, WantedFile } from './stream-file.js';

/** Files on their way at once. */
export const STREAMS = 8;

export interface Comparison {
  readonly files: { readonly checked: number; readonly ok: number };
  /** Sorted by path. */
  readonly findings: readonly Finding[];
}

export interface CompareOptions {
  readonly run: Run;
  /** Reads the database once more, for when something is wrong. */
  readonly again: () => Promise<FetchedDatabase>;
}

/** The gravest of what was found; null where nothing was. */
export function worstOf(findings: readonly Finding[]): ErrorCode | null {
  if (findings.some(({ kind }) => kind === 'altered')) return 'ARCHIVE_ALTERED';
  return findings.some(({ kind }) => kind === 'missing') ? 'ARCHIVE_MISSING' : null;
}

/**
 * Reads every file of a database over the network, and compares it (docs/FORMAT.md §8 step 11). Before
 * anything is called altered or missing the database is read once more: a new one may stand there by now.
 */
export async function compareRemote(
  network: Network,
  { trusted, from }: FetchedDatabase,
  options: CompareOptions,
): Promise<Comparison> {
  const wanted = Array.from(trusted?.Archives ?? [], ([path, entry]) => ({ path, entry }));
  let done = 0;
  const streamed = await inParallel(wanted, STREAMS, async (one) => {
    const answer = await streamFile(network, one, { places: [from], sink: hashingSink() });
    done += 1;
    options.run.progress(done, wanted.length);
    return answer;
  });
  const isBad = streamed.some(({ kind }) => kind === 'altered' || kind === 'missing');
  const now = isBad ? ((await options.again()).trusted ?? trusted) : trusted;
  const findings: Finding[] = [];
  let ok = 0;
  for (const [index, one] of wanted.entries()) {
    const finding = findingOf(one, streamed[index]);
    const { Yanked } = one.entry;
    if (finding === null) ok += 1;
    // What a newer database says otherwise of was replaced while we read.
    else if (now?.Archives.get(one.path)?.SHA256 === one.entry.SHA256) findings.push(finding);
    if (Yanked !== undefined)
      findings.push({ kind: 'yanked', path: one.path, expected: null, found: Yanked });
  }
  findings.sort((a, b) => compareText(a.path, b.path) || compareText(a.kind, b.kind));
  return { files: { checked: wanted.length, ok }, findings };
}

/** How a message names the bytes that were signed. */
export function expectation({ SHA256, Size }: FileEntry): string {
  return `sha256 ${SHA256}, ${Size} bytes`;
}

function findingOf({ path, entry }: WantedFile, streamed: Streamed | undefined): Finding | null {
  const expected = expectation(entry);
  switch (streamed?.kind) {
    case 'good':
      return null;
    case 'altered':
      return { kind: 'altered', path, expected, found: streamed.found };
    case 'failed':
      throw streamed.error;
    default:
      return { kind: 'missing', path, expected, found: null };
  }
}

import type { Chain, ChainRecord } from '../model/chain.js';
import { isSafePath, isSha256 } from '../model/file-entry.js';
import { inPieces } from '../model/lists.js';
import { formatInstant, parseInstant } from '../model/time.js';
import { Misfit } from './misfit.js';

/** The last line, which shows that the file is whole. */
const END = 'end';

/** How many lines are made at once: those of many files together take much memory. */
const PIECE = 1000;

/**
 * The text in which a reader remembers what it holds a database to: one line for each file (`SHA256  PATH`), and one for
 * each record of the history (`SHA256 UNTIL PATH`, and the reason as JSON).
 */
export function encodeChain({ files, records }: Chain): string {
  const pieces = inPieces(Array.from(files.keys()), PIECE).map((paths) =>
    paths.map((path) => `${files.get(path) ?? ''}  ${path}\n`).join(''),
  );
  return `${pieces.join('')}${records.map(recordLine).join('')}${END}\n`;
}

function recordLine({ path, SHA256, Until, Reason }: ChainRecord): string {
  const reason = Reason === undefined ? '' : ` ${JSON.stringify(Reason)}`;
  return `${SHA256} ${formatInstant(Until)} ${path}${reason}\n`;
}

/** Reads such a text. Throws `Misfit` if it is not whole, or has a line that was not written by packsign. */
export function decodeChain(text: string): Chain {
  if (!text.endsWith(`\n${END}\n`) && text !== `${END}\n`) throw new Misfit('it is not whole');
  const files = new Map<string, string>();
  const records: ChainRecord[] = [];
  for (const [index, line] of text
    .slice(0, -END.length - 1)
    .split('\n')
    .slice(0, -1)
    .entries()) {
    const [sha256, path] = [line.slice(0, 64), line.slice(66)];
    const isFile = line.slice(64, 66) === '  ' && isSha256(sha256) && isSafePath(path) && !files.has(path);
    const record = isFile ? null : recordIn(line);
    if (isFile) files.set(path, sha256);
    else if (record !== null) records.push(record);
    else throw new Misfit(`line ${index + 1} was not written by packsign`);
  }
  return { files, records };
}

function recordIn(line: string): ChainRecord | null {
  const [, sha256 = '', date = '', path = '', json] =
    /^([0-9a-f]{64}) (\S+) (\S+)(?: (".*"))?$/.exec(line) ?? [];
  const until = parseInstant(date);
  if (until === null || !isSafePath(path)) return null;
  const record = { path, SHA256: sha256, Until: until };
  if (json === undefined) return record;
  try {
    return { ...record, Reason: String(JSON.parse(json)) };
  } catch {
    return null;
  }
}

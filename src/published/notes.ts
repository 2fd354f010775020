import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { PacksignError, reasonOf } from '../errors.js';
import { isSha256 } from '../model/file-entry.js';
import { orElse } from '../model/or-null.js';
import { formatInstant, parseInstant } from '../model/time.js';
import { SECRET } from '../disk/access.js';
import {
  kindOf,
  listFolder,
  makeFolder,
  quietly,
  readBounded,
  removeDurably,
  writeDurably,
} from '../disk/files.js';
import { decodeChain, encodeChain } from '../format/chain.js';
import { Misfit } from '../format/misfit.js';
import type { Chain } from '../model/chain.js';
import { DATABASE_LIMIT_BYTES } from '../model/database.js';

/**
 * What this machine knows about a directory because it published there: the keys to check it against, and the last
 * published database. Kept outside the directory, which others may write.
 */
export interface PublisherNote {
  readonly directory: string;
  readonly fingerprints: readonly string[];
  readonly threshold: number;
  readonly issued: Date;
  readonly sha256: string;
}

const LIMIT_BYTES = 64 * 1024;

/**
 * The note of a directory; null if this machine never published there. A damaged one is not an absent one: an older
 * database would count as the first, and `--allow-unauthenticated` would let it pass. Throws TRUST_DAMAGED,
 * FILE_UNREADABLE.
 */
export function readNote(folder: string, directory: string): PublisherNote | null {
  const real = orElse(() => realpathSync(directory), null);
  // There is no such directory, so nobody published there.
  if (real === null) return null;
  const path = join(folder, nameFor(real));
  const bytes = readBounded(path, LIMIT_BYTES);
  if (bytes === null) return null;
  const note = parseNote(bytes);
  if (typeof note !== 'string' && note.directory === real) return note;
  const reason = typeof note === 'string' ? note : 'directory: is another one';
  throw damaged(path, directory, reason);
}

function damaged(path: string, directory: string, reason: string): PacksignError {
  return new PacksignError('TRUST_DAMAGED', `${path} cannot be used: ${reason}`, {
    hint: `restore it from a backup, or name the keys with --keys FILE; it says what this machine published in ${directory}, and the next publication writes it again`,
  });
}

/** What later databases of the directory have to continue. Throws TRUST_DAMAGED, FILE_UNREADABLE. */
export function readNoteChain(folder: string, { directory, sha256 }: PublisherNote): Chain {
  const path = join(folder, chainNameFor(directory, sha256));
  try {
    return decodeChain(readBounded(path, DATABASE_LIMIT_BYTES)?.toString() ?? '');
  } catch (error) {
    if (error instanceof Misfit) throw damaged(path, directory, error.describe());
    throw error;
  }
}

/** `chain` is asked for only if it is not noted yet. Throws FILE_UNWRITABLE. */
export function writeNote(
  folder: string,
  directory: string,
  { chain, ...note }: Omit<PublisherNote, 'directory'> & { readonly chain: () => Chain },
): void {
  const real = realpathSync(directory);
  makeFolder(folder);
  const chainName = chainNameFor(real, note.sha256);
  const isNoted = kindOf(join(folder, chainName)) !== null;
  // Before the note that refers to it.
  if (!isNoted) writeDurably(join(folder, chainName), Buffer.from(encodeChain(chain())), { mode: SECRET });
  const content = { directory: real, ...note, issued: formatInstant(note.issued) };
  const bytes = Buffer.from(`${JSON.stringify(content, null, 2)}\n`);
  writeDurably(join(folder, nameFor(real)), bytes, { mode: SECRET });
  if (!isNoted) quietly(() => removeOldChains(folder, real, chainName));
}

function removeOldChains(folder: string, directory: string, current: string): void {
  const [prefix] = nameFor(directory).split('.json');
  for (const name of listFolder(folder)) {
    if (name.startsWith(`${prefix}.`) && name.endsWith('.txt') && name !== current)
      removeDurably(join(folder, name));
  }
}

function chainNameFor(directory: string, sha256: string): string {
  return nameFor(directory).replace(/json$/, `${sha256}.txt`);
}

function nameFor(directory: string): string {
  return `${createHash('sha256').update(directory).digest('hex')}.json`;
}

/** The note, or what is wrong with it. */
function parseNote(bytes: Buffer): PublisherNote | string {
  let value: Readonly<Record<string, unknown>>;
  try {
    value = { ...(JSON.parse(bytes.toString()) as object) };
  } catch (error) {
    return reasonOf(error);
  }
  const { directory, fingerprints, threshold, issued, sha256 } = value;
  if (typeof directory !== 'string') return 'directory: expected a path';
  if (!areFingerprints(fingerprints))
    return 'fingerprints: expected fingerprints of 40 upper-case hex digits';
  const isThreshold = typeof threshold === 'number' && Number.isInteger(threshold) && threshold >= 1;
  if (!isThreshold || threshold > fingerprints.length) {
    return `threshold: expected a number from 1 to ${fingerprints.length}`;
  }
  const date = typeof issued === 'string' ? parseInstant(issued) : null;
  if (date === null) return 'issued: expected a date like 2026-11-22T14:05:09Z';
  if (typeof sha256 !== 'string' || !isSha256(sha256)) return 'sha256: expected 64 lower-case hex digits';
  return { directory, fingerprints, threshold, issued: date, sha256 };
}

function areFingerprints(value: unknown): value is readonly string[] {
  const isOne = (text: unknown) => typeof text === 'string' && /^[0-9A-F]{40}$/.test(text);
  return (
    Array.isArray(value) && value.length > 0 && new Set(value).size === value.length && value.every(isOne)
  );
}

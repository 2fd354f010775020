import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { formatInstant, parseInstant } from '../model/time.js';
import { makeFolder, readBounded, writeDurably } from '../disk/files.js';

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

/** The note of a directory; null if this machine never published there, or the note is unreadable. */
export function readNote(folder: string, directory: string): PublisherNote | null {
  try {
    const real = realpathSync(directory);
    const bytes = readBounded(join(folder, nameFor(real)), LIMIT_BYTES);
    return bytes === null ? null : parseNote(bytes, real);
  } catch {
    // Without its note, a directory is never more trusted.
    return null;
  }
}

/** Throws FILE_UNWRITABLE. */
export function writeNote(folder: string, directory: string, note: Omit<PublisherNote, 'directory'>): void {
  const real = realpathSync(directory);
  makeFolder(folder);
  const content = { directory: real, ...note, issued: formatInstant(note.issued) };
  writeDurably(join(folder, nameFor(real)), Buffer.from(`${JSON.stringify(content, null, 2)}\n`), {
    mode: 0o600,
  });
}

function nameFor(directory: string): string {
  return `${createHash('sha256').update(directory).digest('hex')}.json`;
}

function parseNote(bytes: Buffer, directory: string): PublisherNote | null {
  const value = JSON.parse(bytes.toString()) as Partial<Record<keyof PublisherNote, unknown>>;
  const issued = typeof value.issued === 'string' ? parseInstant(value.issued) : null;
  const { fingerprints, threshold, sha256 } = value;
  const isNote =
    value.directory === directory &&
    Array.isArray(fingerprints) &&
    fingerprints.length > 0 &&
    typeof threshold === 'number' &&
    typeof sha256 === 'string';
  return isNote && issued !== null
    ? { directory, fingerprints: fingerprints.map(String), threshold, issued, sha256 }
    : null;
}

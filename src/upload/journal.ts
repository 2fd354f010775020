import { createHash } from 'node:crypto';
import { isRecord, readState, writeState } from '../release/state-file.js';
import type { StateFile } from '../release/state-file.js';

/** What this machine put at a destination: what need not be sent again, and what it may remove there. */
export interface Journal {
  /** Its name (`Remote`). */
  readonly destination: string;
  /** SHA-256 of the database that it last published there; null before the first. */
  readonly last: string | null;
  /** Path → SHA-256 of what it wrote for a publication that has not ended. */
  readonly sent: Readonly<Record<string, string>>;
  /** Path → SHA-256 of the files that no database lists. */
  readonly others: Readonly<Record<string, string>>;
  /** Path → when it was first missed, of files that it put there or found listed there. */
  readonly missed: Readonly<Record<string, string>>;
}

/** Empty if there is none, or it is damaged: then more is sent, and less removed. */
export function readJournal(stateFolder: string, destination: string): Journal {
  const journal = readState(stateFolder, fileOf(destination));
  if (journal?.destination === destination) return journal;
  return { destination, last: null, sent: {}, others: {}, missed: {} };
}

export function writeJournal(stateFolder: string, journal: Journal): void {
  writeState(stateFolder, fileOf(journal.destination), journal);
}

function fileOf(destination: string): StateFile<Journal> {
  const name = createHash('sha256').update(destination).digest('hex').slice(0, 16);
  return { name: `published-to-${name}`, kind: 'packsign-published-to 1', isValid };
}

function isValid(value: unknown): value is Journal {
  if (!isRecord(value)) return false;
  const { destination, last, sent, others, missed } = value;
  return (
    typeof destination === 'string' &&
    (last === null || typeof last === 'string') &&
    [sent, others, missed].every(
      (one) => isRecord(one) && Object.values(one).every((text) => typeof text === 'string'),
    )
  );
}

import { PacksignError } from '../errors.js';
import { breaksIn } from '../model/chain.js';
import type { Break } from '../model/chain.js';
import type { Warning } from '../model/finding.js';
import { orNull } from '../model/or-null.js';
import { SLACK_MS, formatInstant } from '../model/time.js';
import { readNote, readNoteChain } from '../published/notes.js';
import type { PublisherNote } from '../published/notes.js';
import type { Published } from '../published/published.js';
import type { Run } from '../run.js';
import type { Candidate } from './candidate.js';

const NAMED_LIMIT = 5;
const WAY_OUT = 'every reader who knows it refuses this one, until it is accepted with packsign trust accept';

/**
 * Says, before it happens, that a database breaks the chain for every reader: after `--first`, a restored backup or a
 * fork (threat T33). Null if it continues the last one that this machine published, as far as this machine knows.
 */
export function brokenChainWarning(
  published: Published,
  { database, predecessor }: Candidate,
  { notesFolder }: Pick<Run, 'notesFolder'>,
): Warning | null {
  const noted =
    notesFolder === null ? null : notedBreaks(notesFolder, published.directory, { database, predecessor });
  if (noted === null) {
    const isAnew = predecessor === null && published.sha256() !== null;
    return isAnew
      ? warning(`starts a new history, which does not continue the published database: ${WAY_OUT}`)
      : null;
  }
  const { breaks, issued } = noted;
  if (breaks.length === 0) return null;
  const named = breaks.slice(0, NAMED_LIMIT).map(({ path, message }) => `${path} ${message}`);
  const more = breaks.length > NAMED_LIMIT ? [`and ${breaks.length - NAMED_LIMIT} more`] : [];
  const what = [...named, ...more].join('; ');
  return warning(`does not continue the database of ${formatInstant(issued)}: ${WAY_OUT}: ${what}`);
}

/**
 * Refuses a database that is not dated later than the one before, also than the last that this machine published: no
 * reader would take it (docs/FORMAT.md §6, `Issued`). Throws STALE_BUILD.
 */
export function refuseEarlier(
  published: Published,
  { database, predecessor }: Candidate,
  { notesFolder, now }: Pick<Run, 'notesFolder' | 'now'>,
): void {
  const { Issued } = database.Packsign;
  // A directory that was made anew, as for a reproducible build, may be dated as the one before.
  const isAnew = notesFolder === null || published.sha256() === null;
  const noted = isAnew ? null : (noteOf(notesFolder, published.directory)?.issued ?? null);
  // No reader can have accepted one that is further ahead.
  const isPossible = noted !== null && noted.getTime() <= now.getTime() + SLACK_MS;
  const last = [predecessor?.database.Packsign.Issued ?? null, isPossible ? noted : null].find(
    (date) => date !== null && Issued <= date,
  );
  if (last == null) return;
  throw new PacksignError(
    'STALE_BUILD',
    `the new database is dated ${formatInstant(Issued)}, and one of ${formatInstant(last)} was published before`,
    { hint: 'build again a little later: packsign build DIRECTORY' },
  );
}

function noteOf(folder: string, directory: string): PublisherNote | null {
  return orNull(() => readNote(folder, directory));
}

function warning(message: string): Warning {
  return { code: 'HISTORY_BROKEN', path: null, message };
}

/** What does not continue the noted database; null if there is no note that can be read. */
function notedBreaks(
  folder: string,
  directory: string,
  { database, predecessor }: Pick<Candidate, 'database' | 'predecessor'>,
): { readonly breaks: readonly Break[]; readonly issued: Date } | null {
  const note = noteOf(folder, directory);
  if (note === null) return null;
  const { issued, sha256 } = note;
  if (predecessor?.content.sha256() === sha256) return { breaks: [], issued };
  try {
    return { breaks: breaksIn(database, { issued, chain: readNoteChain(folder, note) }), issued };
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    return { breaks: [{ path: directory, message: `may lack files: ${error.message}` }], issued };
  }
}

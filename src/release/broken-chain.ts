import { PacksignError } from '../errors.js';
import { breaksIn } from '../model/chain.js';
import type { Break } from '../model/chain.js';
import type { Warning } from '../model/finding.js';
import { formatInstant } from '../model/time.js';
import { readNote, readNoteChain } from '../published/notes.js';
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
    return isAnew ? warning(`begins a new history beside the published database: ${WAY_OUT}`) : null;
  }
  const { breaks, issued } = noted;
  if (breaks.length === 0) return null;
  const named = breaks.slice(0, NAMED_LIMIT).map(({ path, message }) => `${path} ${message}`);
  const more = breaks.length > NAMED_LIMIT ? [`and ${breaks.length - NAMED_LIMIT} more`] : [];
  const what = [...named, ...more].join('; ');
  return warning(`does not continue the database of ${formatInstant(issued)}: ${WAY_OUT}: ${what}`);
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
  try {
    const note = readNote(folder, directory);
    if (note === null) return null;
    const { issued, sha256 } = note;
    if (predecessor?.content.sha256() === sha256) return { breaks: [], issued };
    return { breaks: breaksIn(database, { issued, chain: readNoteChain(folder, note) }), issued };
  } catch (error) {
    if (error instanceof PacksignError) return null;
    throw error;
  }
}

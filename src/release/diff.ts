import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import { readDraft } from '../format/database.js';
import { sharingWith } from '../format/shared-entries.js';
import { absenceRule } from '../model/absence.js';
import { diffDatabases } from '../model/diff.js';
import type { FileEntry } from '../model/file-entry.js';
import type { Difference } from '../model/diff.js';
import type { Coverage } from '../model/coverage.js';
import type { Continued } from '../model/join.js';
import type { Warning } from '../model/finding.js';
import { DATABASE_NAME, UNSIGNED_NAME } from '../model/layout.js';
import { orItsError } from '../model/or-null.js';
import { coverageIn } from '../places/coverage.js';
import { globsOf } from '../places/scan.js';
import { readPublished } from '../published/read.js';
import { seenWhole } from '../published/whole.js';
import { updateOf } from '../model/update.js';
import type { Update } from '../model/update.js';
import { continuedFrom } from './adopt.js';
import { refuseRemovals } from './absent.js';
import { buildInMemory } from './in-memory.js';
import type { InMemoryOptions } from './in-memory.js';

export interface DiffResult {
  /** The database that would be published next; the published one if nothing changes. */
  readonly database: string;
  /** Whether that is a waiting database, and not one made in memory. */
  readonly waiting: boolean;
  readonly difference: Difference;
  /** The entries of the files that come and go, by their paths. */
  readonly files: ReadonlyMap<string, FileEntry>;
  readonly coverage: Coverage;
  readonly warnings: readonly Warning[];
}

/**
 * What the next publication changes: compares the waiting database, or one made in memory if none waits, with the
 * published one. Writes nothing. Throws what `buildInMemory` throws, and DATABASE_MALFORMED.
 */
export async function diff(directory: string, options: InMemoryOptions): Promise<DiffResult> {
  const path = join(directory, UNSIGNED_NAME);
  const seen = await seenWhole(readPublished(directory, options.run.stateFolder));
  const { published } = seen;
  const bytes = published.bytes(UNSIGNED_NAME);
  if (bytes === null) {
    const candidate = await buildInMemory(published, options);
    const { difference, coverage, warnings, unchanged, continued, update } = candidate;
    const removal = removalWarning(continued, update, options);
    return {
      database: unchanged ? join(directory, DATABASE_NAME) : path,
      waiting: false,
      difference,
      files: entriesOf(update),
      coverage,
      warnings: [...warnings, ...removal, ...seen.warnings],
    };
  }
  const signed = options.first ? null : await published.verified();
  const { database } = readDraft(bytes, sharingWith(signed?.reading));
  const update = updateOf(signed?.database ?? null, database);
  const { settings, run, allowed } = options;
  return {
    database: path,
    waiting: true,
    difference: diffDatabases(update),
    files: entriesOf(update),
    coverage: coverageIn(directory, update.next, { globs: globsOf(settings), objects: run.objects }),
    warnings: [...removalWarning(continuedFrom(signed, null, allowed), update, options), ...seen.warnings],
  };
}

function entriesOf({ before, next, files }: Update): ReadonlyMap<string, FileEntry> {
  const gone = files.withdrawn.map((path) => [path, before?.Files.get(path)] as const);
  const came = files.added.map((path) => [path, next.Files.get(path)] as const);
  return new Map([...gone, ...came].flatMap(([path, entry]) => (entry === undefined ? [] : [[path, entry]])));
}

/** That the difference withdraws more than may be published without a word; the difference itself names the files. */
function removalWarning(
  continued: Continued | null,
  update: Update,
  options: Pick<InMemoryOptions, 'settings' | 'absent' | 'previous'>,
): readonly Warning[] {
  const rule = absenceRule(options.settings, options);
  const refusal = orItsError(() => refuseRemovals(continued, update, rule));
  if (!(refusal instanceof PacksignError)) return [];
  const [message = ''] = refusal.message.split('\n');
  const why = `${message.replace(/:$/, '')}; ${refusal.hint ?? ''}`;
  return [{ code: 'MASS_REMOVAL', path: null, message: why }];
}

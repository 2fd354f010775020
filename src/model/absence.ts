import { PacksignError } from '../errors.js';
import { shellWord } from './shell.js';

/** What happens to listed files that are not in the directory (docs/FORMAT.md §5, `Absent`). */
export type Absent = 'ask' | 'withdraw' | 'keep';

export const ABSENT: readonly Absent[] = ['ask', 'withdraw', 'keep'];

export interface AbsenceRule {
  readonly absent: Absent;
  /** Whether the user typed it for this run. Only then may a database list nothing. */
  readonly isTyped: boolean;
  /** Where the predecessor comes from if that is not this directory, which then need not hold its files. */
  readonly previous: string | null;
}

/** The rule of one run: what the user typed, else the setting, else `ask`. */
export function absenceRule(
  settings: { readonly Absent?: Absent },
  { absent, previous }: { readonly absent: Absent | null; readonly previous: string | null },
): AbsenceRule {
  return { absent: absent ?? settings.Absent ?? 'ask', isTyped: absent !== null, previous };
}

/** What goes, out of how many. */
export interface Removal {
  /** Paths that were listed and no longer are. */
  readonly gone: readonly string[];
  /** How many files were listed. */
  readonly listed: number;
  /** Whether nothing is listed any more. */
  readonly isEmpty: boolean;
}

const NAMED_LIMIT = 10;
const MANY_LEAST = 2;

/**
 * Refuses to withdraw files that may only be absent by accident (docs/FORMAT.md §5; threat T14). Throws MASS_REMOVAL.
 */
export function refuseMassRemoval(removal: Removal, rule: AbsenceRule): void {
  const { gone, listed, isEmpty } = removal;
  if (gone.length === 0 || isMeant(removal, rule)) return;
  const named = gone.slice(0, NAMED_LIMIT).map((path) => `  ${path}`);
  const more = gone.length > NAMED_LIMIT ? [`  … and ${gone.length - NAMED_LIMIT} more`] : [];
  const what = `${gone.length} of ${listed} published files ${gone.length === 1 ? 'is' : 'are'} not here, or excluded`;
  const emptied = isEmpty ? ', and nothing would be left on the list' : '';
  throw new PacksignError('MASS_REMOVAL', [`${what}${emptied}:`, ...named, ...more].join('\n'), {
    hint: waysOut(rule),
  });
}

function isMeant({ gone, listed, isEmpty }: Removal, { absent, isTyped, previous }: AbsenceRule): boolean {
  if (isEmpty) return absent === 'withdraw' && isTyped;
  if (absent === 'withdraw') return true;
  if (absent === 'ask' && previous !== null) return false;
  return gone.length < MANY_LEAST || gone.length <= listed / 2;
}

function waysOut({ previous }: AbsenceRule): string {
  const command = `packsign build DIRECTORY${previous === null ? '' : ` --previous ${shellWord(previous)}`}`;
  return `put the files back; or keep their entries, if the files are missing only on this machine: ${command} --absent keep; or take them off the list: ${command} --absent withdraw`;
}

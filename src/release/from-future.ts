import { dateBefore, datedBack, isFromFuture } from '../model/dated-back.js';
import { clockBehind } from '../model/policy.js';
import type { SignedDatabase } from '../published/published.js';
import { isClockConfirmed } from './clock-evidence.js';
import type { ClockContext } from './clock-evidence.js';
import type { Predecessor } from './predecessor.js';

export interface FutureContext extends ClockContext {
  /** When it counts as issued, if the next database has its date already. */
  readonly before?: Date;
}

/**
 * What the next database goes on from. One from the future, which no reader with a right clock took, counts as issued
 * just before the next one if the clock is certainly right (docs/FORMAT.md §6). Throws CLOCK_BEHIND, CLOCK_DOUBTFUL.
 */
export async function continuedNow<T extends Pick<Predecessor, 'signed' | 'adopted'>>(
  found: T,
  { before, ...context }: FutureContext,
): Promise<T & { readonly adopted: SignedDatabase | null }> {
  const { signed, adopted = null } = found;
  const { now } = context.run;
  const databases = [signed, adopted].flatMap((one) => one?.database ?? []);
  const future = databases.find((database) => isFromFuture(database, now));
  if (future === undefined) return { ...found, adopted };
  if (!(await isClockConfirmed(context))) throw clockBehind(future.Packsign.Issued, now);
  const latest = before ?? dateBefore(databases, now);
  const back = (one: SignedDatabase | null) =>
    one === null ? null : { ...one, database: datedBack(one.database, latest), reading: null };
  return { ...found, signed: back(signed), adopted: back(adopted) };
}

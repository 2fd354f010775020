import { PacksignError, SLACK_MS, formatInstant, makeRun } from '../index.js';
import type { Run } from '../index.js';
import type { Session } from './command.js';
import { notesFolder } from './folders.js';
import { isDateGiven, isSet, nowFor, waitOf } from './options.js';
import type { Place, Values } from './options.js';
import { networkOf } from './network.js';
import { placeOfTrust } from './remote.js';
import { warningLines } from './report.js';

/** Where a command works, for those that work on a directory. */
type Workplace = Pick<Place, 'stateFolder' | 'objects'>;

/** The run of a command that decides on what others published: by the real clock. */
export function runOf(values: Values, session: Session, place?: Workplace): Run {
  const { outside, progress } = session;
  // `makeRun` gives a signal that never comes. Only a command that runs until it is stopped asks for the real one, so
  // that for all others a signal ends the program.
  const waitMs = waitOf(values);
  return makeRun({
    clock: outside.clock,
    nowFrom: isSet(values, 'trust-clock') ? 'trusted clock' : 'clock',
    network: networkOf(values, outside),
    trust: placeOfTrust(values, outside),
    stateFolder: place?.stateFolder ?? '',
    objects: place?.objects ?? null,
    atSignal: outside.atSignal,
    ...(waitMs === undefined ? {} : { waitMs }),
    notesFolder: notesFolder(outside),
    progress: (work) => {
      if (work === null) progress.rest();
      else progress.say(work);
    },
    warn: (warning) => session.notice(...warningLines([warning])),
  });
}

/** The run of a command that writes: *now* may be SOURCE_DATE_EPOCH. */
export function writingRun(values: Values, session: Session, place?: Workplace): Run {
  const { outside } = session;
  const run = runOf(values, session, place);
  if (!isDateGiven(outside)) return run;
  if (isSet(values, 'trust-clock')) {
    const message = '--trust-clock has no effect with SOURCE_DATE_EPOCH, which sets the date';
    throw new PacksignError('USAGE', message, { hint: 'unset SOURCE_DATE_EPOCH' });
  }
  const now = nowFor(outside);
  if (now.getTime() > run.now.getTime() + SLACK_MS) {
    const message = `SOURCE_DATE_EPOCH is ${formatInstant(now)}, which is in the future: readers refuse a database with such a date`;
    run.warn({ code: 'DATED_AHEAD', path: null, message });
  }
  return { ...run, now, nowFrom: 'given date' };
}

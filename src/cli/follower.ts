import { PacksignError, exitStatusOf, follow, formatInstant } from '../index.js';
import type { Follower, Hooks } from '../index.js';
import type { Session } from './command.js';
import { publishEach, publishOptions } from './destinations.js';
import type { Place, Values } from './options.js';
import { reportUpload } from './report-publish.js';
import { harmlessJson } from './terminal.js';

export interface FollowerOptions {
  readonly place: Place;
  readonly destinations: readonly string[];
  readonly session: Session;
  readonly signal: AbortSignal;
  readonly once: boolean;
  readonly hooks: Hooks;
  /** Gets the exit status of each upload. */
  readonly onStatus: (status: 0 | 1 | 2) => void;
}

/** What a watch signs goes to its destinations. An outcome is told once, until it is another one. */
export function followerFor(
  values: Values,
  { place, destinations, session, signal, once, hooks, onStatus }: FollowerOptions,
): Follower {
  const told = new Map<string, string>();
  return follow({
    once,
    signal,
    publish: async () => {
      const options = publishOptions(values, { place, session });
      const run = { ...options.run, signal };
      const attempts = await publishEach(place.directory, destinations, {
        ...options,
        run,
        isJustBuilt: true,
      });
      for (const attempt of attempts) {
        const { destination, outcome } = attempt;
        const isError = outcome instanceof PacksignError;
        onStatus(isError ? exitStatusOf(outcome) : 0);
        // Before the first database there is nothing to send.
        const code = isError ? outcome.code : null;
        const gist = isError ? outcome.message : outcome.sha256;
        if (signal.aborted || code === 'NOT_PUBLISHED' || told.get(destination) === gist) continue;
        told.set(destination, gist);
        const report = reportUpload(attempt, formatInstant(session.outside.clock()));
        session.print(report);
        const event = isError ? 'unpublished' : 'published';
        hooks.tell({
          ...{ event, code, json: harmlessJson(report.json) },
          hook: isError ? '--on-failure' : '--on-publish',
        });
      }
      return attempts.every(({ outcome }) => !(outcome instanceof PacksignError));
    },
  });
}

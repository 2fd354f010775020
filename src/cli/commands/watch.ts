import { PacksignError, eachOnce, isPublication, isTrouble, serve, watch } from '../../index.js';
import type { Hooks, RunningServer } from '../../index.js';
import { inPlace } from '../bucket.js';
import type { Command, Report, Session } from '../command.js';
import { destinationsOf } from '../destinations.js';
import { followerFor } from '../follower.js';
import { HOOK_OPTIONS, hooksOf, tellFailure, tellHooks } from '../hooks.js';
import { flag, rare, single, timer } from '../option.js';
import { BUCKET_OPTIONS } from '../option-tables.js';
import {
  DIRECTORY,
  KEY_OPTIONS,
  SETTINGS_OPTIONS,
  absentOf,
  isSet,
  placeOf,
  portOf,
  secondsOf,
  textOf,
} from '../options.js';
import type { Place, Values } from '../options.js';
import { knownOf } from '../hint.js';
import { reportEvent, statusAfter } from '../report-status.js';
import { warningLines } from '../report.js';
import { runOf } from '../run.js';
import { harmless } from '../terminal.js';
import { writeLines } from '../wrap.js';
import { publishingOptions, signersFor } from './build.js';

export const watchCommand: Command = {
  examples: [
    ['packsign watch dist --key key.asc', 'sign what is complete, until stopped'],
    ['packsign watch dist --key key.asc --once', 'sign what is there and end, for cron'],
    ['packsign watch dist --key key.asc --serve', 'with a preview that reloads'],
    ['packsign watch s3://BUCKET/dist --state own --key key.asc --poll 5min', 'what lies in a bucket'],
    [`packsign watch dist --on-failure 'mail -s packsign you@example.org'`, 'mail what goes wrong'],
  ],
  positionals: DIRECTORY,
  options: {
    ...KEY_OPTIONS,
    once: flag('end when everything there is signed'),
    publish: flag('publish to the destinations in packsign.json'),
    ...HOOK_OPTIONS,
    serve: flag('show the directory in a browser meanwhile'),
    port: single('PORT', 'port for --serve (default: any free one)'),
    ...rare({
      'wait-for-directory': flag('wait for a directory that is not there yet'),
      poll: timer('check on a timer: a network file system (1s), or a bucket (1min)'),
    }),
    ...SETTINGS_OPTIONS,
    ...BUCKET_OPTIONS,
  },
  run: async (values, session) => {
    const stopped = new AbortController();
    const hooks = hooksOf(values, session, stopped.signal);
    session.outside.onCrash((error) => tellFailure({ tell: hooks.tellNow }, error, values));
    try {
      const report = await inPlace(values, session, async (place) => {
        // Of a bucket, the settings are in the folder of --state.
        const here = { ...values, directory: place.directory };
        return await watchWith(hooks, { values, here, place, session, stopped });
      });
      // A signal says no more than that it came; standard output that nobody reads is a failure.
      const { reason } = stopped.signal as { readonly reason: unknown };
      if (reason instanceof PacksignError) tellFailure(hooks, reason, values);
      return report;
    } catch (error) {
      tellFailure(hooks, error, values);
      throw error;
    } finally {
      await hooks.ended();
    }
  },
};

interface Watching {
  readonly values: Values;
  /** The same, with the directory that has packsign.json. */
  readonly here: Values;
  readonly place: Place;
  readonly session: Session;
  readonly stopped: AbortController;
}

async function watchWith(hooks: Hooks, { values, here, place, session, stopped }: Watching): Promise<Report> {
  const { outside, print } = session;
  const { directory, objects } = place;
  const [destinations, pollMs] = [destinationsIn(values, place), pollOf(values, place)];
  const typed = await knownOf(values, outside);
  const signers = await signersFor(values, { place, session }, { signal: stopped.signal });
  // While it asks for a passphrase, a signal ends the program.
  const signal = outside.stopSignal();
  signal.addEventListener('abort', () => stopped.abort(signal.reason));
  const once = isSet(values, 'once');
  const server = await previewOf(values, place);
  const tell = (...lines: readonly string[]) => {
    if (!isSet(values, 'quiet')) writeLines(outside.stderr, lines);
  };
  // Standard output is for events alone.
  if (server !== null) tell(`packsign: serving ${server.url}`);
  const events = watch(directory, {
    ...publishingOptions(values, place),
    signers,
    run: {
      ...runOf(values, session, place),
      signal,
      warn: (warning) => tell(...warningLines([warning])),
    },
    settings: () => placeOf(here, { isAwaited: true }).settings,
    absent: absentOf(values),
    ...{ pollMs, once },
    // What somebody removed or replaced there is published again.
    onOwnChanged: () => follower?.tell(),
    onFallback: (reason) => {
      outside.stderr.write(`packsign: warning: ${harmless(reason)}: checking on a timer from now on\n`);
    },
  });
  let exitStatus: 0 | 1 | 2 = 0;
  const worse = (status: 0 | 1 | 2) => {
    if (once) exitStatus = Math.max(exitStatus, status) as 0 | 1 | 2;
  };
  const follower =
    destinations.length === 0
      ? null
      : followerFor(values, { place, destinations, session, signal, once, hooks, onStatus: worse });
  try {
    for await (const event of events) {
      const report = reportEvent(event, { directory: objects?.address ?? directory, typed });
      print(report);
      // What is signed for a bucket is published there by the follower, which tells them.
      if (objects === undefined || isTrouble(event)) tellHooks(hooks, event, report);
      if (isPublication(event)) server?.tellChange();
      if (!once && (isPublication(event) || event.event === 'ready')) follower?.tell();
      if (once) exitStatus = statusAfter(event, exitStatus);
    }
    // What an earlier run could not publish goes out too.
    if (once) follower?.tell();
  } finally {
    await follower?.ended();
    await server?.close();
  }
  return { json: null, lines: [], exitStatus };
}

/** How often to look, in milliseconds; null leaves it to `watch`. Throws USAGE. */
function pollOf(values: Values, { objects }: Place): number | null {
  const text = textOf(values, 'poll');
  if (text === '') return objects === undefined ? 1000 : null;
  if (text === null) return null;
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text) * 1000;
  return secondsOf(text, { name: 'poll', example: '30s or 5min', limitSeconds: 2_000_000 }) * 1000;
}

/** Throws USAGE for files that lie elsewhere. */
async function previewOf(values: Values, { directory, objects }: Place): Promise<RunningServer | null> {
  if (!isSet(values, 'serve')) return null;
  if (objects === undefined) {
    return await serve(directory, { host: '127.0.0.1', port: portOf(values), live: true });
  }
  throw new PacksignError('USAGE', `--serve shows a directory, and not the files of ${objects.address}`);
}

/** Where to publish what is signed. Throws USAGE. */
function destinationsIn(values: Values, place: Place): readonly string[] {
  const { objects } = place;
  return eachOnce([
    ...(objects === undefined ? [] : [objects.address]),
    ...(isSet(values, 'publish') ? destinationsOf(values, place) : []),
  ]);
}

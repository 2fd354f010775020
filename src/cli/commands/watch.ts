import { PacksignError, isPublication, serve, watch } from '../../index.js';
import type { Hooks } from '../../index.js';
import type { Command, Report, Session } from '../command.js';
import { followerFor } from '../follower.js';
import { HOOK_OPTIONS, hooksOf, tellFailure, tellHooks } from '../hooks.js';
import { flag, rare, single } from '../option.js';
import { DIRECTORY, KEY_OPTIONS, SETTINGS_OPTIONS, absentOf, isSet, placeOf, portOf } from '../options.js';
import type { Values } from '../options.js';
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
      poll: flag('check on a timer, for network file systems'),
    }),
    ...SETTINGS_OPTIONS,
  },
  run: async (values, session) => {
    const stopped = new AbortController();
    const hooks = hooksOf(values, session, stopped.signal);
    session.outside.onCrash((error) => tellFailure({ tell: hooks.tellNow }, error, values));
    try {
      const report = await watchWith(hooks, { values, session, stopped });
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
  readonly session: Session;
  readonly stopped: AbortController;
}

async function watchWith(hooks: Hooks, { values, session, stopped }: Watching): Promise<Report> {
  const { outside, print } = session;
  const place = placeOf(values, { isAwaited: isSet(values, 'wait-for-directory') });
  const { directory } = place;
  const typed = await knownOf(values, outside);
  const signers = await signersFor(values, { place, session, signal: stopped.signal });
  // While it asks for a passphrase, a signal ends the program.
  const signal = outside.stopSignal();
  signal.addEventListener('abort', () => stopped.abort(signal.reason));
  const once = isSet(values, 'once');
  const server = isSet(values, 'serve')
    ? await serve(directory, { host: '127.0.0.1', port: portOf(values), live: true })
    : null;
  const tell = (...lines: readonly string[]) => {
    if (!isSet(values, 'quiet')) writeLines(outside.stderr, lines);
  };
  // Standard output is for events alone.
  if (server !== null) tell(`packsign: serving ${server.url}`);
  const events = watch(directory, {
    ...publishingOptions(values, place),
    signers,
    run: {
      ...runOf(values, session, { place }),
      signal,
      warn: (warning) => tell(...warningLines([warning])),
    },
    settings: () => placeOf(values, { isAwaited: true }).settings,
    absent: absentOf(values),
    poll: isSet(values, 'poll'),
    once,
    onFallback: (reason) => {
      outside.stderr.write(`packsign: warning: ${harmless(reason)}: checking on a timer from now on\n`);
    },
  });
  let exitStatus: 0 | 1 | 2 = 0;
  const worse = (status: 0 | 1 | 2) => {
    if (once) exitStatus = Math.max(exitStatus, status) as 0 | 1 | 2;
  };
  const follower = isSet(values, 'publish')
    ? followerFor(values, { place, session, signal, once, hooks, onStatus: worse })
    : null;
  try {
    for await (const event of events) {
      const report = reportEvent(event, { directory, typed });
      print(report);
      tellHooks(hooks, event, report);
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

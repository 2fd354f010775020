import { serve, watch } from '../../index.js';
import type { Command } from '../command.js';
import {
  absentOf,
  flag,
  isSet,
  placeOf,
  portOf,
  single,
  withDirectory,
  withKeys,
  withSettings,
} from '../options.js';
import { reportEvent, statusAfter } from '../report-status.js';
import { warningLines } from '../report.js';
import { runOf } from '../run.js';
import { harmless } from '../terminal.js';
import { publishingOptions, signersFor } from './build.js';

export const watchCommand: Command = {
  examples: [
    ['packsign watch dist --key key.asc', 'sign every complete file in dist, until stopped'],
    ['packsign watch dist --key key.asc --once', 'sign what is there and end, for cron'],
    ['packsign watch dist --key key.asc --serve', 'the same with a preview that follows'],
  ],
  options: (yargs) =>
    withKeys(withSettings(withDirectory(yargs)))
      .option('once', flag('end when everything there is signed'))
      .option('wait-for-directory', flag('wait for a directory that is not there yet'))
      .option('poll', flag('look on a timer: for network file systems'))
      .option('serve', flag('show the directory in a browser meanwhile; pages reload themselves'))
      .option('port', single('port for --serve (default: any free one)')),
  run: async (values, session) => {
    const { outside, print } = session;
    const place = placeOf(values, { isAwaited: isSet(values, 'wait-for-directory') });
    const { directory } = place;
    const stopped = new AbortController();
    const signers = await signersFor(values, { place, session, signal: stopped.signal });
    // While it asks for a passphrase, a signal ends the program.
    const signal = outside.stopSignal();
    signal.addEventListener('abort', () => stopped.abort());
    const once = isSet(values, 'once');
    const server = isSet(values, 'serve')
      ? await serve(directory, { host: '127.0.0.1', port: portOf(values), live: true })
      : null;
    const tell = (...lines: readonly string[]) => {
      if (!isSet(values, 'quiet')) for (const line of lines) outside.stderr.write(`${line}\n`);
    };
    // Standard output is for events alone.
    if (server !== null) tell(`packsign: serving ${server.url}`);
    const events = watch(directory, {
      ...publishingOptions(values, place),
      signers,
      run: {
        ...runOf(values, session, { place, doing: 'hashing' }),
        signal,
        warn: (warning) => tell(...warningLines([warning])),
      },
      settings: () => placeOf(values, { isAwaited: true }).settings,
      absent: absentOf(values),
      poll: isSet(values, 'poll'),
      once,
      onFallback: (reason) => {
        outside.stderr.write(`packsign: warning: ${harmless(reason)}: looking on a timer from now on\n`);
      },
    });
    let exitStatus: 0 | 1 | 2 = 0;
    try {
      for await (const event of events) {
        print(reportEvent(event, { directory }));
        const isPutBack = event.event === 'unchanged' && event.message !== null;
        if (isPutBack || event.event === 'signed' || event.event === 'refreshed') server?.tellChange();
        if (once) exitStatus = statusAfter(event, exitStatus);
      }
    } finally {
      await server?.close();
    }
    return { json: null, lines: [], exitStatus };
  },
};

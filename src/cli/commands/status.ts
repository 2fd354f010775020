import { status } from '../../index.js';
import type { Command } from '../command.js';
import { knownOf } from '../hint.js';
import { inPlace } from '../bucket.js';
import { DIRECTORY, isSet, keysOf } from '../options.js';
import { reportStatus } from '../report-status.js';
import { PREVIEW_OPTIONS, buildOptions } from './build.js';

export const statusCommand: Command = {
  examples: [['packsign status dist', 'exit 1 if anything needs attention']],
  positionals: DIRECTORY,
  options: PREVIEW_OPTIONS,
  run: async (values, session) =>
    await inPlace(values, session, async (place) => {
      const result = await status(place.directory, buildOptions(values, { place, session }));
      return reportStatus(result, {
        directory: place.directory,
        verbose: isSet(values, 'verbose'),
        typed: await knownOf(values, session.outside),
        keyBy: keysOf(values, { settings: place.settings, outside: session.outside })?.by ?? null,
      });
    }),
};

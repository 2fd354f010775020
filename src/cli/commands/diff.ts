import { diff } from '../../index.js';
import type { Command } from '../command.js';
import { lookInPlace } from '../bucket.js';
import { DIRECTORY, isSet } from '../options.js';
import { reportDiff } from '../report-diff.js';
import { PREVIEW_OPTIONS } from '../option-tables.js';
import { buildOptions } from './build.js';

export const diffCommand: Command = {
  examples: [['packsign diff dist', 'compare what waits, or would be built, with what is published']],
  positionals: DIRECTORY,
  options: PREVIEW_OPTIONS,
  run: async (values, session) =>
    await lookInPlace(values, session, async (place) => {
      const result = await diff(place.directory, buildOptions(values, { place, session }));
      return reportDiff(result, { verbose: isSet(values, 'verbose') });
    }),
};

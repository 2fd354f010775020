import { diff } from '../../index.js';
import type { Command } from '../command.js';
import { DIRECTORY, isSet, placeOf } from '../options.js';
import { reportDiff } from '../report-diff.js';
import { PREVIEW_OPTIONS, buildOptions } from './build.js';

export const diffCommand: Command = {
  examples: [['packsign diff dist', 'compare what waits, or would be built, with what is published']],
  positionals: DIRECTORY,
  options: PREVIEW_OPTIONS,
  run: async (values, session) => {
    const place = placeOf(values);
    const result = await diff(place.directory, buildOptions(values, { place, session }));
    return reportDiff(result, { verbose: isSet(values, 'verbose') });
  },
};

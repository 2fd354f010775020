import { diff } from '../../index.js';
import type { Command } from '../command.js';
import { isSet, placeOf } from '../options.js';
import { reportDiff } from '../report.js';
import { buildOptions, withPreview } from './build.js';

export const diffCommand: Command = {
  examples: [['packsign diff dist', 'compare what waits, or would be built, with what is published']],
  options: withPreview,
  run: async (values, session) => {
    const place = placeOf(values);
    const result = await diff(place.directory, buildOptions(values, { place, session }));
    return reportDiff(result, { directory: place.directory, verbose: isSet(values, 'verbose') });
  },
};

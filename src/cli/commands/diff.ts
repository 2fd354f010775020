import { diff } from '../../index.js';
import type { Command } from '../command.js';
import { placeOf, repeated, withDirectory, withSettings } from '../options.js';
import { reportDiff } from '../report.js';
import { buildOptions, withBase } from './build.js';

export const diffCommand: Command = {
  examples: [['packsign diff dist', 'compare what waits, or would be built, with what is published']],
  options: (yargs) =>
    withSettings(withBase(withDirectory(yargs))).option('key', repeated('key that is going to sign')),
  run: async (values, session) => {
    const place = placeOf(values);
    const result = await diff(place.directory, buildOptions(values, { place, session }));
    return reportDiff(result, { directory: place.directory });
  },
};

import { status } from '../../index.js';
import type { Command } from '../command.js';
import { placeOf, repeated, withDirectory, withSettings } from '../options.js';
import { reportStatus } from '../report-status.js';
import { buildOptions, withBase } from './build.js';

export const statusCommand: Command = {
  examples: [['packsign status dist', 'exit 1 if anything needs attention']],
  options: (yargs) =>
    withSettings(withBase(withDirectory(yargs))).option('key', repeated('key that is going to sign')),
  run: async (values, session) => {
    const place = placeOf(values);
    const result = await status(place.directory, buildOptions(values, { place, session }));
    return reportStatus(result, { directory: place.directory });
  },
};

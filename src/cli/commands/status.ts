import { status } from '../../index.js';
import type { Command } from '../command.js';
import { placeOf, repeated, withDirectory, withSettings } from '../options.js';
import { reportStatus } from '../report.js';
import { prepareOptions, withBase } from './build.js';

export const statusCommand: Command = {
  usage: 'status [directory]',
  summary: 'say what state a directory is in and what to do next',
  group: 'maintain',
  examples: [['packsign status dist', 'exit 1 if anything needs attention']],
  options: (yargs) =>
    withSettings(withBase(withDirectory(yargs))).option('key', repeated('key that is going to sign')),
  run: async (values, session) => {
    const place = placeOf(values);
    const result = await status(place.directory, prepareOptions(values, { place, session }));
    return reportStatus(result, { directory: place.directory });
  },
};

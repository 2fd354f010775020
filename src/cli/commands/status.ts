import { lintKeys, status } from '../../index.js';
import type { Command } from '../command.js';
import { nowFor, placeOf, repeated, withDirectory, withSettings } from '../options.js';
import { reportStatus, warningLines } from '../report.js';
import { prepareOptions, withBase } from './build.js';

export const statusCommand: Command = {
  examples: [['packsign status dist', 'exit 1 if anything needs attention']],
  options: (yargs) =>
    withSettings(withBase(withDirectory(yargs))).option('key', repeated('key that is going to sign')),
  run: async (values, session) => {
    const place = placeOf(values);
    const result = await status(place.directory, prepareOptions(values, { place, session }));
    const report = reportStatus(result, { directory: place.directory });
    const databaseExpires = result.expires;
    const now = nowFor(session.outside);
    const lint = await lintKeys(place.directory, { certificates: null, databaseExpires, now });
    return { ...report, notices: [...(report.notices ?? []), ...warningLines(lint)] };
  },
};

import { split } from '../../index.js';
import type { Command } from '../command.js';
import { knownOf } from '../hint.js';
import { MOST_FILES, SPLIT_OPTIONS } from '../option-tables.js';
import { DIRECTORY, keysOf, numberOf, placeOf } from '../options.js';
import { reportSplit } from '../report-split.js';
import { buildOptions } from './build.js';
import { keysHere } from './status.js';

export const splitCommand: Command = {
  examples: [
    ['packsign split dist', 'how to divide a database that has become large'],
    [
      'packsign split dist --max-files 2000 --key key.asc',
      'into smaller ones, with the commands for this key',
    ],
  ],
  positionals: DIRECTORY,
  options: SPLIT_OPTIONS,
  run: async (values, session) => {
    const { outside } = session;
    const place = placeOf(values);
    const { directory, settings } = place;
    const limit = numberOf(values, 'max-files') ?? Number(MOST_FILES);
    session.progress.say('looking at the files');
    const { run, signing } = buildOptions(values, { place, session });
    const plan = await split(directory, { run, settings, limit, signing });
    const named = keysOf(values, { settings, outside });
    const { Fingerprints: signers = [] } = plan.signers ?? {};
    const found = named === null && signers.length > 0 ? await keysHere(signers, outside) : [];
    const typed = await knownOf(values, outside);
    return reportSplit(plan, {
      ...{ directory, limit, isSent: settings.Publish !== undefined },
      typed: found.length === 1 ? { ...typed, key: found } : typed,
      keys: (named?.keys ?? found).length,
      keyBy: found.length === 1 ? '--key' : (named?.by ?? null),
    });
  },
};

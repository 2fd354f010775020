import { list } from '../../index.js';
import type { Command } from '../command.js';
import { complain, withReportFile } from '../complaint.js';
import { isSet, single, textOf } from '../options.js';
import { pinsOf, withTarget } from '../remote.js';
import { passes } from '../report-verify.js';
import { reportList } from '../report-trust.js';
import { runOf } from '../run.js';

export const listCommand: Command = {
  examples: [
    ['packsign list example.org', 'what a database that you trust holds'],
    ['packsign list https://example.org/dist', 'the same by its address'],
  ],
  options: (yargs) =>
    withReportFile(withTarget(yargs)).option(
      'signature',
      single('the signature file, where it is not beside the database'),
    ),
  run: async (values, session) => {
    const { outside, progress } = session;
    const target = textOf(values, 'target') ?? '.';
    progress.say('looking at the database');
    const result = await list(target, {
      ...pinsOf(values),
      signatureFile: textOf(values, 'signature'),
      run: runOf(values, session),
    });
    const tolerance = {
      strict: false,
      allowStale: isSet(values, 'allow-stale'),
      allowUnauthenticated: isSet(values, 'allow-unauthenticated'),
    };
    const suspect = { ...result, findings: [] };
    const notices = complain(values, outside, passes(suspect, tolerance) ? [] : [suspect]);
    return { ...reportList(result, tolerance), notices };
  },
};

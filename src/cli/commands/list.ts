import { list } from '../../index.js';
import type { Command } from '../command.js';
import { positional, rare } from '../option.js';
import { SIGNATURE_OPTION, textOf } from '../options.js';
import { TRUST_OPTIONS, pinsOf, toleranceOf } from '../remote.js';
import { REPORT_OPTION, writeReportFile } from '../report-file.js';
import { reportList } from '../report-trust.js';
import { runOf } from '../run.js';

const TARGET = 'directory, bucket, database file, address, or name of a trusted database';

export const listCommand: Command = {
  examples: [
    ['packsign list example.org', 'what a database that you trust holds'],
    ['packsign list https://example.org/dist', 'the same by its address'],
  ],
  positionals: { target: positional('TARGET', TARGET, { default: '.' }) },
  options: { ...TRUST_OPTIONS, ...rare({ signature: SIGNATURE_OPTION, report: REPORT_OPTION }) },
  run: async (values, session) => {
    session.progress.say('looking at the database');
    const result = await list(textOf(values, 'target') ?? '.', {
      ...pinsOf(values),
      ...toleranceOf(values),
      signatureFile: textOf(values, 'signature'),
      ...{ run: runOf(values, session), environment: session.outside.environment },
    });
    const suspects = result.ok ? [] : [{ ...result, findings: [] }];
    return { ...reportList(result), notices: writeReportFile(values, session.outside, suspects) };
  },
};

import { setFlagsFromString } from 'node:v8';
import { PacksignError, get } from '../../index.js';
import type { Suspect } from '../../index.js';
import type { Command } from '../command.js';
import { flag, positionals, rare, single } from '../option.js';
import { isSet, listOf, textOf } from '../options.js';
import { TRUST_OPTIONS, pinsOf, toleranceOf } from '../remote.js';
import { REPORT_OPTION, writeReportFile } from '../report-file.js';
import { reportGot } from '../report-trust.js';
import { runOf } from '../run.js';

export const getCommand: Command = {
  examples: [
    ['packsign get demo', 'the newest release from a database that you trust'],
    ['packsign get demo==1.2 --from example.org --output downloads', 'a version from one of them'],
  ],
  positionals: { packages: positionals('PACKAGE', 'NAME, NAME==VERSION, or the path of a file') },
  options: {
    from: single('DATABASE', 'address or name of the database (default: all that you trust)'),
    output: single('FOLDER', 'folder for the files', { default: '.' }),
    platform: single('PLATFORM', 'platform of another machine, like linux-arm64 or windows'),
    pre: flag('take a pre-release if it is the newest (default: only if there is nothing else)'),
    ...TRUST_OPTIONS,
    ...rare({
      'keep-unverified': flag('keep a file with other bytes as NAME.UNVERIFIED'),
      report: REPORT_OPTION,
    }),
  },
  run: async (values, session) => {
    const { outside, progress, print } = session;
    const suspects: Suspect[] = [];
    const reportFile = () => writeReportFile(values, outside, suspects);
    progress.say('looking at the database');
    // The buffers of a download count as garbage of a heap that is small: V8 would search it again for each few of them.
    setFlagsFromString('--heap-growing-percent=400');
    try {
      const result = await get(listOf(values, 'packages'), {
        ...pinsOf(values),
        ...toleranceOf(values),
        run: runOf(values, session),
        from: textOf(values, 'from'),
        output: textOf(values, 'output') ?? '.',
        allowPre: isSet(values, 'pre'),
        platform: textOf(values, 'platform'),
        keepUnverified: isSet(values, 'keep-unverified'),
        onSuspect: (suspect) => suspects.push(suspect),
      });
      const report = reportGot(result);
      return { ...report, notices: [...(report.notices ?? []), ...reportFile()] };
    } catch (error) {
      if (error instanceof PacksignError)
        print({ json: null, lines: [], notices: reportFile(), exitStatus: 1 });
      throw error;
    }
  },
};

import { PacksignError, lint, once } from '../../index.js';
import { lookInPlace } from '../bucket.js';
import type { Command } from '../command.js';
import { flag, rare, repeated } from '../option.js';
import { ALLOW_DAMAGED_OPTION, DIRECTORY, isSet, listOf } from '../options.js';
import { reportLint } from '../report-lint.js';
import { sarifOf } from '../sarif.js';
import { PREVIEW_OPTIONS } from '../option-tables.js';
import { buildOptions } from './build.js';

export const lintCommand: Command = {
  examples: [
    ['packsign lint dist', 'exit 1 if there is an error or a warning; notes do not count'],
    ['packsign lint dist --key key.asc', 'and what verifiers say of the key that is going to sign'],
    ['packsign lint dist --sarif > lint.sarif', 'for code hosts, which show it beside the files'],
  ],
  positionals: DIRECTORY,
  options: {
    ...PREVIEW_OPTIONS,
    sarif: flag('print SARIF 2.1.0 instead of text'),
    ...rare({
      'allow-damaged': ALLOW_DAMAGED_OPTION,
      'allow-secret': repeated('PATH', 'file that may hold a secret: a published key for tests'),
    }),
  },
  run: async (values, session) => {
    const isSarif = isSet(values, 'sarif');
    const other = ['json', 'quiet'].find((name) => isSet(values, name));
    if (isSarif && other !== undefined)
      throw new PacksignError('USAGE', `--sarif and --${other} exclude each other: type one of them`);
    return await lookInPlace(values, session, async (place) => {
      const directory = place.objects?.address ?? place.directory;
      const typed = { ...values, directory };
      const options = buildOptions(values, { place, session });
      const signing = once(options.signing);
      // A key that is typed must be there; one that the settings name may be on another machine.
      if (listOf(values, 'key').length > 0) await signing();
      const result = await lint(place.directory, {
        ...options,
        signing,
        allowDamaged: listOf(values, 'allow-damaged'),
        allowSecrets: listOf(values, 'allow-secret'),
      });
      const report = reportLint(result, { directory, typed, verbose: isSet(values, 'verbose') });
      return isSarif ? { ...report, lines: [sarifOf(result, place.directory)], isExact: true } : report;
    });
  },
};

import { get } from '../../index.js';
import type { Command } from '../command.js';
import { isSet, single, textOf } from '../options.js';
import { pinsOf, remoteOf, withNetwork, withPins, withTolerance } from '../remote.js';
import { reportGot } from '../report-trust.js';
import { formatBytes } from '../terminal.js';

export const getCommand: Command = {
  examples: [
    ['packsign get demo', 'the newest release from a database that you trust'],
    ['packsign get demo==1.2 --from example.org --output downloads', 'a version from one of them'],
  ],
  options: (yargs) =>
    withTolerance(
      withNetwork(
        withPins(
          yargs.positional('packages', {
            type: 'string',
            array: true,
            describe: 'NAME, NAME==VERSION, or the path of an archive',
          }),
        ),
      ),
    )
      .option('from', single('address or name of the database (default: all that you trust)'))
      .option('output', single('folder for the files', { default: '.' }))
      .option('pre', {
        type: 'boolean',
        default: false,
        describe: 'take a pre-release where it is the newest (default: only where there is nothing else)',
      })
      .option('keep-unverified', {
        type: 'boolean',
        default: false,
        describe: 'keep a file with other bytes as NAME.UNVERIFIED',
      }),
  run: async (values, { outside, progress }) => {
    const packages = Array.isArray(values['packages']) ? values['packages'].map(String) : [];
    progress.say('looking at the database');
    const result = await get(packages, {
      ...pinsOf(values),
      ...remoteOf(values, outside),
      now: outside.clock(),
      from: textOf(values, 'from'),
      output: textOf(values, 'output') ?? '.',
      allowStale: isSet(values, 'allow-stale'),
      allowUnauthenticated: isSet(values, 'allow-unauthenticated'),
      allowPre: isSet(values, 'pre'),
      keepUnverified: isSet(values, 'keep-unverified'),
      onProgress: ({ files, ofFiles, bytes, ofBytes }) => {
        progress.say(
          `${bar(bytes, ofBytes)} ${files} of ${ofFiles}, ${formatBytes(bytes)} of ${formatBytes(ofBytes)}`,
        );
      },
    });
    return reportGot(result);
  },
};

const BAR_WIDTH = 20;

function bar(done: number, of: number): string {
  const filled = of === 0 ? BAR_WIDTH : Math.min(BAR_WIDTH, Math.floor((BAR_WIDTH * done) / of));
  return `[${'#'.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}]`;
}

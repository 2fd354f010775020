import { PacksignError, get } from '../../index.js';
import type { GetProgress, Suspect } from '../../index.js';
import type { Command } from '../command.js';
import { complain, withReportFile } from '../complaint.js';
import { isSet, single, textOf } from '../options.js';
import { pinsOf, withNetwork, withPins, withTolerance } from '../remote.js';
import { reportGot } from '../report-trust.js';
import { runOf } from '../run.js';
import type { Outside } from '../streams.js';
import { formatBytes, harmless } from '../terminal.js';

export const getCommand: Command = {
  examples: [
    ['packsign get demo', 'the newest release from a database that you trust'],
    ['packsign get demo==1.2 --from example.org --output downloads', 'a version from one of them'],
  ],
  options: (yargs) =>
    withReportFile(
      withTolerance(
        withNetwork(
          withPins(
            yargs.positional('packages', {
              type: 'string',
              array: true,
              describe: 'NAME, NAME==VERSION, or the path of a file',
            }),
          ),
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
  run: async (values, session) => {
    const { outside, progress, print } = session;
    const packages = Array.isArray(values['packages']) ? values['packages'].map(String) : [];
    const suspects: Suspect[] = [];
    const complaint = () => complain(values, outside, suspects);
    progress.say('looking at the database');
    try {
      const result = await get(packages, {
        ...pinsOf(values),
        run: runOf(values, session),
        from: textOf(values, 'from'),
        output: textOf(values, 'output') ?? '.',
        allowStale: isSet(values, 'allow-stale'),
        allowUnauthenticated: isSet(values, 'allow-unauthenticated'),
        allowPre: isSet(values, 'pre'),
        keepUnverified: isSet(values, 'keep-unverified'),
        ...(progress.isShown ? { onProgress: (state) => progress.say(bars(state, outside)) } : {}),
        onSuspect: (suspect) => suspects.push(suspect),
      });
      const report = reportGot(result);
      return { ...report, notices: [...(report.notices ?? []), ...complaint()] };
    } catch (error) {
      if (error instanceof PacksignError)
        print({ json: null, lines: [], notices: complaint(), exitStatus: 1 });
      throw error;
    }
  },
};

const BAR_WIDTH = 20;
/** Of a line beside its bar and the name. */
const LEAST_WIDTH = 30;

/** One line for all, and one for each file that is on its way. */
function bars({ files, ofFiles, bytes, ofBytes, active }: GetProgress, { stderr }: Outside): string {
  const total = `${bar(bytes, ofBytes)} ${files} of ${ofFiles}, ${formatBytes(bytes)} of ${formatBytes(ofBytes)}`;
  const width = Math.max(0, (stderr.columns ?? 0) - BAR_WIDTH - LEAST_WIDTH);
  const lines = active.map((file) => {
    const name = harmless(file.path);
    const shown = name.length > width ? `…${name.slice(name.length - width + 1)}` : name;
    return `  ${bar(file.bytes, file.ofBytes)} ${formatBytes(file.bytes)} of ${formatBytes(file.ofBytes)}  ${shown}`;
  });
  return ofFiles === 1 || width === 0 ? total : [total, ...lines].join('\n');
}

function bar(done: number, of: number): string {
  const filled = of === 0 ? BAR_WIDTH : Math.min(BAR_WIDTH, Math.floor((BAR_WIDTH * done) / of));
  return `[${'#'.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}]`;
}

import { audit, verify } from '../../index.js';
import type { Command, Report, Session } from '../command.js';
import { complain, withReportFile } from '../complaint.js';
import { isSet, single, textOf } from '../options.js';
import type { Values } from '../options.js';
import { pinsOf, withTarget } from '../remote.js';
import { passes, reportVerify } from '../report-verify.js';
import { reportStranger } from '../report-trust.js';
import { runOf } from '../run.js';

export const verifyCommand: Command = {
  examples: [
    ['packsign verify dist', 'check a directory that this machine published'],
    ['packsign verify dist --fingerprint 0123…CDEF', 'hold it to a key that you know'],
    ['packsign verify packages.plist --keys maintainer.asc', 'check one file, with its signature beside it'],
    ['packsign verify https://example.org/dist --archives', 'check a trusted database and all it lists'],
  ],
  options: (yargs) =>
    withReportFile(withTarget(yargs))
      .option('signature', single('the signature file, where it is not beside the database'))
      .option('archives', {
        type: 'boolean',
        describe: 'check the files too (default for directories; not for addresses)',
      })
      .option('strict', {
        type: 'boolean',
        default: false,
        describe: 'unlisted and yanked files fail too',
      })
      .option('as-stranger', {
        type: 'boolean',
        default: false,
        describe: 'for maintainers: an address as newcomers see it, with every mirror, gpgv and sqv',
      }),
  run: async (values, session) => {
    if (isSet(values, 'as-stranger')) return await runAsStranger(values, session);
    const { outside } = session;
    const result = await verify(textOf(values, 'target') ?? '.', {
      ...pinsOf(values),
      signatureFile: textOf(values, 'signature'),
      files: typeof values['archives'] === 'boolean' ? values['archives'] : null,
      run: runOf(values, session, { doing: 'checking files:' }),
    });
    const tolerance = {
      strict: isSet(values, 'strict'),
      allowStale: isSet(values, 'allow-stale'),
      allowUnauthenticated: isSet(values, 'allow-unauthenticated'),
    };
    const notices = complain(values, outside, passes(result, tolerance) ? [] : [result]);
    const report = reportVerify(result, tolerance);
    return { ...report, notices: [...(report.notices ?? []), ...notices] };
  },
};

async function runAsStranger(values: Values, session: Session): Promise<Report> {
  const result = await audit(textOf(values, 'target') ?? '', {
    run: runOf(values, session, { doing: 'checking files:' }),
    searchPath: session.outside.environment['PATH'] ?? '',
  });
  return reportStranger(result);
}

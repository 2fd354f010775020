import { audit, verify } from '../../index.js';
import type { Command, Report, Session } from '../command.js';
import { SIGNATURE_OPTION, flag, isSet, textOf } from '../options.js';
import type { Values } from '../options.js';
import { pinsOf, toleranceOf, withTarget } from '../remote.js';
import { withReportFile, writeReportFile } from '../report-file.js';
import { reportAudit } from '../report-trust.js';
import { reportVerify } from '../report-verify.js';
import { runOf } from '../run.js';

export const verifyCommand: Command = {
  examples: [
    ['packsign verify dist', 'check a directory that this machine published'],
    ['packsign verify dist --fingerprint 0123…CDEF', 'check it against a key that you know'],
    ['packsign verify packages.plist --keys maintainer.asc', 'check one file, with its signature beside it'],
    ['packsign verify https://example.org/dist --files', 'check a trusted database and all it lists'],
  ],
  options: (yargs) =>
    withReportFile(withTarget(yargs))
      .option('signature', SIGNATURE_OPTION)
      .option('files', {
        type: 'boolean',
        describe: 'check the files too (default for directories; not for addresses)',
      })
      .option('strict', flag('unlisted and yanked files fail too'))
      .option(
        'as-stranger',
        flag('for maintainers: an address as newcomers see it, with every mirror, gpgv and sqv'),
      ),
  run: async (values, session) => {
    if (isSet(values, 'as-stranger')) return await runAudit(values, session);
    const result = await verify(textOf(values, 'target') ?? '.', {
      ...pinsOf(values),
      ...toleranceOf(values),
      signatureFile: textOf(values, 'signature'),
      files: typeof values['files'] === 'boolean' ? values['files'] : null,
      run: runOf(values, session, { doing: 'checking files:' }),
    });
    const report = reportVerify(result);
    const notices = writeReportFile(values, session.outside, result.ok ? [] : [result]);
    return { ...report, notices: [...(report.notices ?? []), ...notices] };
  },
};

async function runAudit(values: Values, session: Session): Promise<Report> {
  const result = await audit(textOf(values, 'target') ?? '', {
    run: runOf(values, session, { doing: 'checking files:' }),
    searchPath: session.outside.environment['PATH'] ?? '',
  });
  return reportAudit(result);
}

import { PacksignError, areFiles, audit, verify, verifyFiles } from '../../index.js';
import type { Run } from '../../index.js';
import type { Command, Report, Session } from '../command.js';
import { SIGNATURE_OPTION, flag, isSet, listOf, maybe, single, textOf } from '../options.js';
import { pinsOf, toleranceOf, withTrust } from '../remote.js';
import { withReportFile, writeReportFile } from '../report-file.js';
import { reportFiles } from '../report-files.js';
import { reportAudit } from '../report-trust.js';
import { reportVerify } from '../report-verify.js';
import { runOf } from '../run.js';

const TARGETS = {
  type: 'string',
  array: true,
  default: ['.'],
  describe: 'downloaded files; or one directory, database file (*.plist), address, or trusted name',
} as const;

export const verifyCommand: Command = {
  examples: [
    ['packsign verify lantern-0.9.tar.gz', 'check a download against all databases that you trust'],
    ['packsign verify dist', 'check a directory that this machine published'],
    ['packsign verify dist --fingerprint 0123…CDEF', 'check it against a key that you know'],
    ['packsign verify packages.plist --keys maintainer.asc', 'check one file, with its signature beside it'],
    ['packsign verify https://example.org/dist --files', 'check a trusted database and all it lists'],
  ],
  options: (yargs) =>
    withReportFile(withTrust(yargs.positional('targets', TARGETS)))
      .option('signature', SIGNATURE_OPTION)
      .option('database', single('database file to look downloaded files up in'))
      .option('from', single('address or name of the database for that (default: all that you trust)'))
      .option('files', maybe('check the files too (default for directories; not for addresses)'))
      .option('strict', flag('unlisted and yanked files fail too'))
      .option(
        'as-stranger',
        flag('for maintainers: an address as newcomers see it, with every mirror, gpgv and sqv'),
      ),
  run: async (values, session) => {
    const run = runOf(values, session);
    session.progress.say('looking at the database');
    const targets = listOf(values, 'targets');
    if (isSet(values, 'as-stranger')) return await runAudit(targets, { run, session });
    const options = {
      ...{ ...pinsOf(values), ...toleranceOf(values), run },
      signatureFile: textOf(values, 'signature'),
      ...{ database: textOf(values, 'database'), from: textOf(values, 'from') },
    };
    if (areFiles(targets, { ...options, trust: run.trust })) {
      const result = await verifyFiles(targets, options);
      return reported(reportFiles(result), writeReportFile(values, session.outside, result.suspects));
    }
    const files = typeof values['files'] === 'boolean' ? values['files'] : null;
    const result = await verify(targets[0] ?? '.', { ...options, files });
    const suspects = result.ok ? [] : [result];
    return reported(reportVerify(result), writeReportFile(values, session.outside, suspects));
  },
};

function reported(report: Report, notices: readonly string[]): Report {
  return { ...report, notices: [...(report.notices ?? []), ...notices] };
}

async function runAudit(
  targets: readonly string[],
  { run, session }: { readonly run: Run; readonly session: Session },
): Promise<Report> {
  if (targets.length > 1) throw new PacksignError('USAGE', '--as-stranger takes one address');
  const result = await audit(targets[0] ?? '', {
    run,
    searchPath: session.outside.environment['PATH'] ?? '',
  });
  return reportAudit(result);
}

import { PacksignError, areFiles, audit, verify, verifyFiles } from '../../index.js';
import type { Run } from '../../index.js';
import { concurrencyOf } from '../bucket.js';
import { BUCKET_OPTIONS } from '../option-tables.js';
import type { Command, Report, Session } from '../command.js';
import { flag, maybe, positionals, rare, single } from '../option.js';
import { SIGNATURE_OPTION, isSet, listOf, textOf } from '../options.js';
import { TRUST_OPTIONS, pinsOf, toleranceOf } from '../remote.js';
import { REPORT_OPTION, writeReportFile } from '../report-file.js';
import { reportFiles } from '../report-files.js';
import { reportAudit } from '../report-trust.js';
import { reportVerify } from '../report-verify.js';
import { runOf } from '../run.js';

const TARGETS =
  'downloaded files; or one directory, bucket, database file (*.plist), address, or trusted name';

export const verifyCommand: Command = {
  examples: [
    ['packsign verify lantern-0.9.tar.gz', 'check a download against all that you trust'],
    ['packsign verify dist', 'check a directory that this machine published'],
    ['packsign verify dist --fingerprint 0123…CDEF', 'check it against a key that you know'],
    ['packsign verify https://example.org/dist --files', 'check a trusted database and all it lists'],
    ['packsign verify s3://BUCKET/dist --keys keys.asc', 'check a bucket that only you can read'],
  ],
  positionals: { targets: positionals('TARGET', TARGETS, { default: ['.'] }) },
  options: {
    ...TRUST_OPTIONS,
    from: single('DATABASE', 'where to look downloads up (default: all that you trust)'),
    files: maybe('check all that a database lists (default for directories and buckets)'),
    strict: flag('unlisted and yanked files fail too'),
    ...BUCKET_OPTIONS,
    ...rare({
      report: REPORT_OPTION,
      signature: SIGNATURE_OPTION,
      database: single('FILE', 'database file to look downloads up in'),
      'as-stranger': flag(
        'for maintainers: check an address as newcomers see it, with every mirror, gpgv and sqv',
      ),
    }),
  },
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
    const result = await verify(targets[0] ?? '.', {
      ...{ ...options, files, environment: session.outside.environment },
      concurrency: concurrencyOf(values),
    });
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

import { PacksignError } from '../errors.js';
import { isAddress } from '../model/address.js';
import type { Finding } from '../model/finding.js';
import { lookUp } from '../model/lookup.js';
import type { DigestedFile } from '../model/lookup.js';
import { shellWord } from '../model/shell.js';
import { agreementOf } from './agreement.js';
import type { AskedDatabase } from './agreement.js';
import { askFile, askOne, askTrusted } from './asked-databases.js';
import type { AskFailure, Asked } from './asked-databases.js';
import { expectation } from './compare.js';
import { decideOnFiles } from './decide-on-files.js';
import type { VerifiedFile } from './decide-on-files.js';
import { digestDownloads, findDownload } from './digest-downloads.js';
import { databaseBeside } from './disk-database.js';
import type { DiskOptions } from './disk-database.js';
import { isAccepted, withFindings } from './outcome.js';
import type { Decision, Tolerance } from './outcome.js';
import { offersFor, offersOf } from './offers.js';
import { isNaming } from './pins.js';
import type { Suspect } from './report.js';

export interface VerifyFilesOptions extends DiskOptions, Omit<Tolerance, 'strict'> {
  /** A database file to look files up in, and nowhere else; null for none. */
  readonly database: string | null;
  /** The address or name of a database to look files up in, and nowhere else; null for none. */
  readonly from: string | null;
}

/** `status` is that of the worst answer. */
export interface VerifyFilesResult extends Decision {
  /** Whether every file is listed: where the command line ends with 0. */
  readonly ok: boolean;
  /** In the order in which they were named. */
  readonly files: readonly VerifiedFile[];
  /** Trusted databases that could not be asked. */
  readonly failures: readonly AskFailure[];
  /** What maintainers should hear of. */
  readonly suspects: readonly Suspect[];
  /** Remarks about the databases that were asked. */
  readonly notices: readonly string[];
}

/**
 * Looks files up in one database, or in all that the user trusts (docs/FORMAT.md §8, One file). With keys named, and no
 * database, it is that of the folder of each file or of the one above. What is wrong with files and databases is in the
 * result. Throws what keeps us from looking: FILE_UNREADABLE, also for a file that changes meanwhile, NOT_TRUSTED, USAGE,
 * TRUST_DAMAGED, KEYS_MALFORMED of a file that the user named, and what `fetchDatabase` throws.
 */
export async function verifyFiles(
  paths: readonly string[],
  options: VerifyFilesOptions,
): Promise<VerifyFilesResult> {
  if (paths.length === 0) throw new PacksignError('USAGE', 'there is no file to verify');
  const downloads = paths.map(findDownload);
  const { askedFor, failures } = await ask(paths, options);
  const digested = await digestDownloads(downloads, options.run);
  const files = digested.map((file, index) => {
    const path = paths[index] ?? file.name;
    return verifiedFile({ file, path }, askedFor(path), options);
  });
  const databases = [...new Set(files.flatMap(({ asked }) => asked))];
  const refused = databases.filter(({ status }) => status === 'refused');
  const ok = failures.length === 0 && refused.length === 0 && files.every((file) => file.ok);
  return {
    ok,
    ...decideOnFiles(files, { refused, failures }),
    ...{ files, failures },
    suspects: databases.flatMap((database) => suspectOf(database, files) ?? []),
    notices: [
      ...databases.flatMap(({ notices, name, database }) =>
        notices.map((notice) => `${name ?? database}: ${notice}`),
      ),
      ...new Set(files.flatMap(movedNotice)),
    ],
  };
}

/** Where a file may be listed that its database no longer lists: a folder may have got a database of its own. */
function movedNotice({ answers: [first], asked }: VerifiedFile): readonly string[] {
  if (first?.lookup.kind !== 'withdrawn') return [];
  const { lookup } = first;
  const { name, database, contents } = first.database;
  if (contents === null || !isAddress(database)) return [];
  const [url] = offersFor(offersOf(contents), database, lookup.path);
  if (url === undefined || asked.some((one) => one.database === url)) return [];
  const via = name ?? database;
  return [
    `${via} vouches for ${url}, which may list it: packsign trust add ${shellWord(url)} --via ${shellWord(via)}`,
  ];
}

interface AskedForFiles extends Pick<Asked, 'failures'> {
  readonly askedFor: (path: string) => readonly AskedDatabase[];
}

async function ask(paths: readonly string[], options: VerifyFilesOptions): Promise<AskedForFiles> {
  const { database, from } = options;
  requireOnePlace(options);
  if (database !== null) return only(await askFile(database, options));
  if (from !== null) return only(await askOne(from, options));
  if (isNaming(options)) return await askBeside(paths, options);
  const { databases, failures } = await askTrusted(options);
  return { askedFor: () => databases, failures };
}

function requireOnePlace({ database, from, signatureFile }: VerifyFilesOptions): void {
  if (database !== null && from !== null) {
    throw new PacksignError('USAGE', 'files are looked up either in --database FILE or --from NAME');
  }
  if (database !== null && isAddress(database)) {
    throw new PacksignError('USAGE', '--database takes a file', {
      hint: `for an address: --from ${database}`,
    });
  }
  if (from !== null && signatureFile !== null) {
    throw new PacksignError('USAGE', '--signature is for database files; an address has its own signatures');
  }
}

function only(database: AskedDatabase): AskedForFiles {
  return { askedFor: () => [database], failures: [] };
}

/** The keys that the user names are for the database beside each file, and say nothing about any other. */
async function askBeside(paths: readonly string[], options: DiskOptions): Promise<AskedForFiles> {
  const byDatabase = new Map<string, AskedDatabase>();
  const byPath = new Map<string, AskedDatabase>();
  for (const path of paths) {
    const database = databaseBeside(path);
    if (database === null) {
      const message = `there is no database in the folder of ${path}, nor in the one above`;
      const hint = 'say where to look it up with these keys: --database FILE, or --from URL';
      throw new PacksignError('USAGE', message, { hint });
    }
    const asked = byDatabase.get(database) ?? (await askFile(database, options));
    byDatabase.set(database, asked);
    byPath.set(path, asked);
  }
  const askedFor = (path: string) => [byPath.get(path)].filter((asked) => asked !== undefined);
  return { askedFor, failures: [] };
}

function verifiedFile(
  { file, path }: { readonly file: DigestedFile; readonly path: string },
  asked: readonly AskedDatabase[],
  tolerance: Tolerance,
): VerifiedFile {
  const answers = asked.flatMap((database) =>
    database.contents === null ? [] : [{ database, lookup: lookUp(database.contents, file) }],
  );
  const agreement = agreementOf(answers);
  const [first] = agreement.answers;
  const isListed = first?.lookup.kind === 'listed' && isAccepted(first.database, tolerance);
  const { size, sha256 } = file;
  return { path, size, sha256, asked, ...agreement, ok: isListed && !agreement.isAmbiguous };
}

/** Null unless the maintainer should hear of the database, or of files that have other bytes than it lists. */
function suspectOf(database: AskedDatabase, files: readonly VerifiedFile[]): Suspect | null {
  const findings = files.flatMap(({ answers, size, sha256 }) => {
    const found = expectation({ SHA256: sha256, Size: size });
    return answers.flatMap(({ database: by, lookup }): readonly Finding[] => {
      if (by !== database || lookup.kind !== 'altered') return [];
      return [{ kind: 'altered', path: lookup.path, expected: expectation(lookup.entry), found }];
    });
  });
  if (database.status !== 'refused' && findings.length === 0) return null;
  return { ...database, ...withFindings(database, findings), findings };
}

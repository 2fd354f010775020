import { join } from 'node:path';
import { withLock } from '../disk/lock.js';
import { PacksignError } from '../errors.js';
import { publishPendingRevocations } from '../keys/publish-keys.js';
import { coverageAdvice, coverageOf } from '../model/coverage.js';
import type { Coverage } from '../model/coverage.js';
import { absenceRule } from '../model/absence.js';
import type { Database } from '../model/database.js';
import { NO_DIFFERENCE } from '../model/diff.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { CHECKSUMS_NAME, DATABASE_NAME, PAGE_NAME, SETTINGS_NAME, UNSIGNED_NAME } from '../model/layout.js';
import { once } from '../model/once.js';
import { scanFiles, unlistedHere } from '../places/objects.js';
import { globsOf } from '../places/scan.js';
import type { Scan } from '../places/scan.js';
import { followPage } from '../page/follow-page.js';
import { readPublished } from '../published/read.js';
import { removeUnsigned, writeUnsigned } from '../published/replace.js';
import { isIncomplete, makeWhole } from '../published/whole.js';
import type { Signer } from '../signers/signer.js';
import { warmUpToHash } from '../workers/hash.js';
import { openThreads } from '../workers/threads.js';
import type { Threads } from '../workers/threads.js';
import { refuseRemovals } from './absent.js';
import { makeCandidate } from './candidate.js';
import type { BuiltCandidate } from './candidate.js';
import { mendChecksums } from './checksums.js';
import { openCache } from './facts-cache.js';
import { continuedNow } from './from-future.js';
import type { InMemoryOptions } from './in-memory.js';
import { readMadeEntries, writeMadeEntries } from './entry-cache.js';
import { startInventory } from './inventory.js';
import { readLastBuild } from './last-build-file.js';
import type { LastBuild } from './last-build-file.js';
import { recallUnchanged, rememberBuild } from './last-build.js';
import type { Summary } from './last-build.js';
import { lookAtKeys, lookedAt, nameLook } from './look-at-keys.js';
import { findPredecessor } from './predecessor.js';
import { preflight, requireCertificates } from './preflight.js';
import { refuseSecrets } from './secrets.js';
import type { SecretsOptions } from './secrets.js';
import { seenPublication } from './seen-publication.js';
import { followPublication, signAndPublish, writePublisherNote } from './sign-and-publish.js';
import type { SignAndPublishOptions, SignedRelease } from './sign-and-publish.js';
import { readWaiting, warnOfDropped } from './waiting.js';

export interface BuildOptions extends InMemoryOptions {
  /** Writes nothing, and only reports what would change. */
  readonly check: boolean;
  /** Treats warnings as a refusal. */
  readonly strict: boolean;
  /** Paths of files that may hold a secret: published keys for tests. */
  readonly allowSecrets?: readonly string[];
  /** Paths of files to publish although they are damaged. */
  readonly allowDamaged?: readonly string[];
  /** Signs and publishes at once; null leaves a waiting database. */
  readonly release: BuildRelease | null;
  /** Names the keys by their bytes; null if only reading them tells whether they are those of the last build. */
  readonly nameKeys?: () => readonly string[] | null;
}

/** Opens the keys only if there is something to sign. */
export type BuildRelease = Omit<SignAndPublishOptions, 'signers' | 'run' | 'allowSecrets'> & {
  readonly signers: () => Promise<readonly Signer[]>;
  /** Opens them without asking for a passphrase: a locked one may stay locked. */
  readonly look: () => Promise<readonly Signer[]>;
};

export interface BuildResult extends Omit<Summary, 'expires'> {
  /** False only for `check` where something would change, or published files are lost. */
  readonly ok: boolean;
  /** The file that now holds this content. */
  readonly database: string;
  readonly hashed: number;
  readonly cached: number;
  readonly difference: Difference;
  readonly coverage: Coverage;
  /** How many new files were not looked through for damage, because that would take too much. */
  readonly unseen: number;
  /** How many listed files are not here, and keep their entries. */
  readonly kept: number;
  /** Paths of published files that were lost and have been restored. */
  readonly mended: readonly string[];
  /** Whether the published database already has this content. */
  readonly unchanged: boolean;
  /** Whether the waiting database has this content already, and stays with its signatures. */
  readonly waited: boolean;
  /** Whether the same content is signed again because the published database is about to expire. */
  readonly refreshed: boolean;
  /** Null if nothing was signed. */
  readonly released: SignedRelease | null;
}

/**
 * Makes the next database of a directory: `packages.unsigned.plist`, or with `release` the published one
 * (cli contract, `build`). Throws what reading the directory, `makeCandidate` and `signAndPublish` throw, and WARNINGS.
 */
export async function build(directory: string, options: BuildOptions): Promise<BuildResult> {
  const threads = openThreads();
  const work = async () => await buildFrom(await begin(directory, options, threads));
  try {
    return await (options.check ? work() : withLock(options.run, work));
  } finally {
    threads.stop();
  }
}

/** What a build starts from. Its warnings are about lost files, which `check` does not restore. */
type Start = Awaited<ReturnType<typeof begin>>;

async function begin(directory: string, options: BuildOptions, threads: Threads) {
  const { rehash, check, run, settings, release } = options;
  const { stateFolder } = run;
  const lastBuild = rehash ? null : readLastBuild(stateFolder);
  const found = readPublished(directory, stateFolder);
  const cache = openCache(stateFolder, { rehash, remember: !check });
  const scan = scanFiles(directory, run, {
    globs: globsOf(settings),
    onFound: cache.size() === 0 ? (count) => warmUpToHash(threads, count) : undefined,
  });
  const inputs = { settings, scan, cache, stateFolder, lastBuild };
  const common = { inputs, threads, options };
  if (check) {
    return { ...common, ...(await seenPublication(found, settings)), mended: [] };
  }
  const { published: whole, mended } = await makeWhole(found, { ...run, ...unlistedHere(scan, run) });
  if (release !== null) {
    return { ...common, mended, published: await publishPendingRevocations(whole), warnings: [] };
  }
  const signing = {
    checksums: settings.Checksums,
    run,
    signers: () => Promise.resolve([]),
    deterministic: false,
  };
  const sums = await mendChecksums(whole, signing);
  const ofPage = await followPage(whole, { page: settings.Page === true });
  return {
    ...common,
    published: whole,
    mended: [...mended, ...(sums.written ? [CHECKSUMS_NAME] : []), ...(ofPage.written ? [PAGE_NAME] : [])],
    warnings: [...sums.warnings, ...ofPage.warnings],
  };
}

async function buildFrom(start: Start): Promise<BuildResult> {
  const { published, inputs, options } = start;
  // The published database rests on a key whose revocation waits; only the next database can publish that.
  const renew = (await published.pendingRevocations()).length > 0;
  const recalled = renew ? null : recall(start);
  if (recalled !== null) {
    await lookAtKeys(published, inputs, options);
    // The cache knows every listed file, so none of them holds a secret.
    await refuseSecrets(published, { ...inputs.scan, secrets: new Map() }, secretsOptions(options));
    return await describeUnchanged(start, {
      ...recalled,
      ...{ hashed: 0, cached: recalled.files, coverage: scannedCoverage(inputs.scan), kept: 0 },
    });
  }
  const next = await makeNext(start, renew);
  const { candidate } = next;
  const warnings = [...candidate.warnings, ...start.warnings];
  refuseRemovals(candidate.continued, candidate.update, absenceRule(options.settings, options));
  if (options.strict) requireNothing(published.directory, { warnings, coverage: candidate.coverage });
  if (candidate.unchanged && !candidate.refreshDue) return await keepPublished(start, next);
  return await publishNext(start, next);
}

/** The shortcut for a directory in which nothing changed; null if the options ask for more. */
function recall({ published, inputs, options }: Start): Summary | null {
  const { first, previous, adopt = null, strict, rehash, allowed, allowDamaged = [], run } = options;
  const allows = allowed.size + allowDamaged.length > 0;
  // What other machines say may contradict what the cache knows.
  const hears = run.objects !== null && run.objects.told !== null;
  const asksForMore = first || previous !== null || adopt !== null || strict || rehash || allows || hears;
  return asksForMore ? null : recallUnchanged(published, inputs, run.now);
}

/** With what was found out about the keys that sign. */
interface Next extends Pick<LastBuild, 'keys'> {
  readonly candidate: BuiltCandidate;
}

async function makeNext(start: Start, renew: boolean): Promise<Next> {
  const { published, inputs, options, threads } = start;
  const { directory } = published;
  const { scan, cache } = inputs;
  const name = nameLook(options);
  // Other threads read files while this one loads OpenPGP.js.
  const inventory = startInventory(directory, { ...options, scan, cache, threads });
  const signing = await options.signing();
  const { check: isCheck } = options;
  const isSigning = options.release !== null && !isCheck;
  const found = await findPredecessor(published, { ...options, signing });
  const address = options.settings.Database ?? found.signed?.database.Packsign.Database ?? null;
  const asked = { run: options.run, address, isSigning: isSigning || isCheck, isCheck };
  const predecessor = await continuedNow(found, asked);
  const isFuture = predecessor.signed !== found.signed;
  const { now } = options.run;
  // Try the keys first, so that a bad passphrase fails before the hashing.
  const ends =
    options.release !== null && isSigning
      ? await preflight(published, { signers: await options.release.signers(), now })
      : await requireCertificates(published, { certificates: signing, now });
  const absence = absenceRule(options.settings, options);
  // A runner that has nothing new still needs a database here to upload.
  const isElsewhere =
    predecessor.signed !== null && predecessor.signed.content.sha256() !== published.sha256();
  const made = readMadeEntries(options.run.stateFolder);
  const waiting = isCheck ? null : await readWaiting(published, { now });
  const isRenewed = renew || isElsewhere || isFuture;
  const given = { signing, cache, inventory, made, renew: isRenewed, absence, waiting };
  const candidate = await makeCandidate(directory, predecessor, { ...options, ...given });
  return { candidate, keys: lookedAt(name, ends) };
}

function secretsOptions({ run, check, allowSecrets }: BuildOptions): SecretsOptions {
  return { run, allowSecrets, remember: !check };
}

/** Nothing changed, but only the full build could tell. */
async function keepPublished(start: Start, { candidate, keys: looked }: Next): Promise<BuildResult> {
  const { published, inputs, options } = start;
  const { content, keys } = candidate;
  // The candidate has the same content under another date.
  const database = candidate.predecessor?.database ?? candidate.database;
  await refuseSecrets(published, candidate.inventory, secretsOptions(options));
  const summary = summaryOf(candidate, database);
  if (!options.check) {
    const signers = database.Packsign.Signers?.Fingerprints ?? keys.map(({ fingerprint }) => fingerprint);
    if (options.release !== null) writePublisherNote(published, { database, signers }, options.run);
    // The next build then knows every file.
    inputs.cache.save();
    rememberBuild(published, inputs, { ...summary, keys: looked });
    writeMadeEntries(inputs.stateFolder, candidate.made());
  }
  const {
    coverage,
    kept: { size: kept },
  } = candidate;
  const { hashed, cached } = candidate.inventory;
  const sha256 = content.sha256();
  return await describeUnchanged(start, { ...summary, sha256, coverage, kept, hashed, cached });
}

async function publishNext(start: Start, { candidate, keys }: Next): Promise<BuildResult> {
  const { published, inputs, options } = start;
  const { content } = candidate;
  if (options.check || options.release === null) {
    if (!options.check && (candidate.waiting?.signatures ?? null) === null) {
      await warnOfDropped(published, options.run);
      writeUnsigned(published, content.bytes, null);
    }
    return describe(start, candidate, null);
  }
  const { published: next, release } = await signAndPublish(published, candidate, {
    ...options.release,
    ...(options.allowSecrets === undefined ? {} : { allowSecrets: options.allowSecrets }),
    signers: await options.release.signers(),
    searchable: candidate.inventory,
    absence: absenceRule(options.settings, options),
    collected: candidate.waiting?.signatures ?? null,
    run: options.run,
  });
  if (release.published) {
    rememberBuild(next, inputs, { ...summaryOf(candidate, candidate.database), keys });
    writeMadeEntries(inputs.stateFolder, candidate.made());
  }
  return describe(start, candidate, release);
}

function summaryOf(
  { inventory, warnings }: BuiltCandidate,
  { Packsign, Packages, Files }: Database,
): Omit<Summary, 'sha256'> {
  return {
    issued: Packsign.Issued,
    expires: Packsign.Expires ?? null,
    packages: Packages.length,
    files: Files.size,
    bytes: inventory.bytes,
    warnings,
  };
}

/** Removes a waiting database, which is out of date, and finishes what the last publication may have left undone. */
async function describeUnchanged(
  { published, options, mended, warnings: seen }: Start,
  {
    hashed,
    cached,
    coverage,
    kept,
    ...summary
  }: Summary & Pick<BuildResult, 'hashed' | 'cached' | 'coverage' | 'kept'>,
): Promise<BuildResult> {
  const { sha256, issued, packages, files, bytes } = summary;
  const warnings = [...summary.warnings, ...seen];
  if (!options.check) {
    await warnOfDropped(published, options.run);
    const next = published.with(removeUnsigned(published));
    if (options.release !== null) {
      const { run } = options;
      warnings.push(...(await followPublication(next, { ...options.release, run })).warnings);
    }
  }
  return {
    ok: !options.check || !isIncomplete(warnings),
    ...{ sha256, issued, packages, files, bytes, hashed, cached, warnings, mended },
    database: join(published.directory, DATABASE_NAME),
    difference: NO_DIFFERENCE,
    coverage,
    unseen: 0,
    kept,
    ...{ unchanged: true, waited: false, refreshed: false, released: null },
  };
}

/** In a directory whose listed files are those of the scan. */
function scannedCoverage({ files, rest }: Scan): Coverage {
  const listed = once(() => new Set(files.map(({ path }) => path)));
  return coverageOf(rest, (path) => listed().has(path));
}

/** All warnings of one code as an item of a list, and a line for each below it if there are several. */
function warningItem(same: readonly Warning[]): readonly string[] {
  const lines = same.map(({ path, message }) => `${path === null ? '' : `${path}: `}${message}`);
  const code = same[0]?.code ?? '';
  if (lines.length === 1) return [`  ${lines[0] ?? ''} (${code})`];
  return [`  ${lines.length} warnings (${code}):`, ...lines.map((line) => `    ${line}`)];
}

/** For `strict`. Throws UNCOVERED, WARNINGS. */
function requireNothing(
  directory: string,
  { warnings, coverage: { uncovered } }: Pick<BuildResult, 'warnings' | 'coverage'>,
): void {
  const missed = uncovered.map(({ path, reason }) => `  ${path}: no signature would cover it (${reason})`);
  const warned = Array.from(new Set(warnings.map(({ code }) => code))).flatMap((code) =>
    warningItem(warnings.filter((warning) => warning.code === code)),
  );
  if (missed.length + warned.length === 0) return;
  const hint = coverageAdvice(uncovered, join(directory, SETTINGS_NAME));
  throw new PacksignError(
    missed.length > 0 ? 'UNCOVERED' : 'WARNINGS',
    ['nothing was written, because --strict accepts none of these:', ...warned, ...missed].join('\n'),
    { hint: missed.length > 0 ? hint : 'fix them, or leave out --strict' },
  );
}

function describe(
  { published, mended, warnings, options }: Start,
  candidate: BuiltCandidate,
  released: SignedRelease | null,
): BuildResult {
  const { database, content, inventory, difference, unchanged, refreshDue } = candidate;
  const { expires, ...summary } = summaryOf(candidate, database);
  const all = [...candidate.warnings, ...warnings, ...(released?.warnings ?? [])];
  return {
    ok: !options.check || (unchanged && !refreshDue && !isIncomplete(all)),
    ...{ ...summary, difference, released, mended },
    database: released?.database ?? join(published.directory, UNSIGNED_NAME),
    sha256: content.sha256(),
    coverage: candidate.coverage,
    unseen: candidate.unseen,
    kept: candidate.kept.size,
    hashed: inventory.hashed,
    cached: inventory.cached,
    warnings: all,
    unchanged: unchanged && !refreshDue,
    waited: (candidate.waiting?.signatures ?? null) !== null,
    refreshed: unchanged && refreshDue,
  };
}

import { join } from 'node:path';
import { likelyEntries, openCache } from './digest-cache.js';
import { warmUpToHash } from '../workers/hash.js';
import { readLastBuild } from './last-build-file.js';
import { scanDirectory } from '../places/scan.js';
import { statWith, threadsToStat } from '../workers/stat-together.js';
import { openThreads } from '../workers/threads.js';
import type { Threads } from '../workers/threads.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Signer } from '../signers/signer.js';
import {
  lookAtStanding,
  recallDescribed,
  recallUnchanged,
  rememberBuild,
  rememberStanding,
} from './last-build.js';
import type { Inputs, Summary } from './last-build.js';
import { removeDurably, writeDurably } from '../disk/files.js';
import { takeLock } from '../disk/lock.js';
import { refuseSecrets } from './secrets.js';
import { PacksignError } from '../errors.js';
import type { Database } from '../model/database.js';
import { NO_DIFFERENCE } from '../model/diff.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { DATABASE_NAME, UNSIGNED_SIGNATURES_NAME, UNSIGNED_NAME } from '../model/layout.js';
import { sha256Of } from '../verify/verify-database.js';
import { findPredecessor } from './predecessor.js';
import { startInventory } from './inventory.js';
import { makeCandidateUpon } from './candidate.js';
import type { CandidateOptions, Candidate } from './candidate.js';
import { removeWaiting, repairPublication } from '../published/replace.js';
import { readStanding } from '../published/read.js';
import type { Named } from '../published/read.js';
import { publishPendingRevocations, readPendingRevocations } from '../keys/publish-keys.js';
import { preflight } from './preflight.js';
import { finishPublication, writePublisherNote, signAndPublish } from './sign-and-publish.js';
import type { SignAndPublishOptions, SignedRelease } from './sign-and-publish.js';

export interface BuildOptions extends Omit<
  CandidateOptions,
  'cache' | 'observing' | 'signing' | 'standing' | 'unattended'
> {
  /** Folder of working state: the cache, the lock. */
  readonly stateFolder: string;
  /** Whether to read every file whatever the cache says. */
  readonly rehash: boolean;
  /** Writes nothing, only says what would be. */
  readonly check: boolean;
  /** Refuses where there are warnings. */
  readonly strict: boolean;
  /** Certificates of the keys that are to sign; asked for only when something changed. */
  readonly signing: () => Promise<readonly Certificate[]>;
  /** Signs and publishes at once; null leaves a waiting database. */
  readonly release: BuildRelease | null;
}

/** The keys are opened only when there is something to sign. */
export type BuildRelease = Omit<SignAndPublishOptions, 'signers'> & {
  readonly signers: () => Promise<readonly Signer[]>;
};

export interface BuildResult {
  /** The file that now holds this content. */
  readonly database: string;
  readonly sha256: string;
  readonly issued: Date;
  readonly packages: number;
  readonly files: number;
  /** Size of all files together. */
  readonly bytes: number;
  readonly hashed: number;
  readonly cached: number;
  readonly difference: Difference;
  readonly warnings: readonly Warning[];
  /** Whether what is published says all of this already. */
  readonly unchanged: boolean;
  /** Whether the same content is made anew because the published database nears its expiry. */
  readonly refreshed: boolean;
  /** Null where nothing was signed. */
  readonly released: SignedRelease | null;
}

/**
 * Makes the next database of a directory: `packages.unsigned.plist`, or with `release` the published one
 * (cli contract, `build`). Throws what reading the directory, `prepare` and `release` throw, and WARNINGS.
 */
export async function build(directory: string, options: BuildOptions): Promise<BuildResult> {
  const threads = openThreads();
  // They come up while what is published is read.
  threads.warmUp(threadsToStat(threads, likelyEntries(options.stateFolder)));
  try {
    return options.check
      ? await buildUpon(directory, { ...options, threads })
      : await buildLocked(directory, { ...options, threads });
  } finally {
    threads.stop();
  }
}

type WithThreads = BuildOptions & { readonly threads: Threads };

async function buildLocked(directory: string, options: WithThreads): Promise<BuildResult> {
  const unlock = takeLock(options.stateFolder);
  try {
    if (options.release !== null) await publishPendingRevocations(directory, options.stateFolder);
    const result = await buildUpon(directory, options);
    if (!result.unchanged || options.release === null) return result;
    const { warnings } = await finishPublication(directory, result.sha256, options.release);
    return { ...result, warnings: [...result.warnings, ...warnings] };
  } finally {
    unlock();
  }
}

async function buildUpon(directory: string, options: WithThreads): Promise<BuildResult> {
  const { rehash, check, stateFolder, settings, threads } = options;
  const startedMs = options.clock().getTime();
  const memo = rehash ? null : readLastBuild(stateFolder);
  const look = lookAtStanding(directory, memo);
  const cache = openCache(stateFolder, { rehash, remember: !check });
  const scan = scanDirectory(directory, {
    exclude: settings.Exclude ?? [],
    onFound: cache.size() === 0 ? (count) => warmUpToHash(threads, count) : undefined,
    stat: statWith(threads),
  });
  if (!check) repairPublication(directory, { standing: look.named, now: options.now, others: scan.others });
  const inputs = { settings, scan, cache, stateFolder, memo };
  // What stands rests on a key that is about to be revoked: only the next one lets users hear of it.
  const renew = (await readPendingRevocations(stateFolder)).length > 0;
  const recalled = renew ? null : recall(directory, look.named, { inputs, options });
  if (recalled !== null) {
    // What the other files hold is not remembered.
    refuseSecrets(directory, scan.others);
    if (!check) {
      removeWaiting(directory);
      rememberStanding(inputs, { ...look, startedMs });
    }
    return describeUnchanged(directory, recalled);
  }
  const described = recallDescribed(inputs);
  const standing = look.standing ?? readStanding(directory);
  // Other threads read while this one loads what OpenPGP takes.
  const observing = startInventory(directory, { ...options, scan, cache });
  const signing = await options.signing();
  const base = await findPredecessor(directory, { ...options, signing, standing });
  // What keeps the keys from signing is said before all is hashed.
  if (options.release !== null && !check) {
    await preflight(directory, { signers: await options.release.signers(), now: options.now });
  }
  const prepared = await makeCandidateUpon(base, directory, {
    ...options,
    standing,
    signing,
    cache,
    observing,
    described,
    renew,
  });
  if (options.strict && prepared.warnings.length > 0) throw strictly(prepared.warnings);
  const { published, unchanged, refreshDue } = prepared;
  if (published !== null && unchanged && !refreshDue) {
    refuseSecrets(directory, scan.others);
    const summary = summaryOf(prepared, published.database);
    if (!check) {
      removeWaiting(directory);
      const signers =
        published.database.Packsign.Signers?.Fingerprints ?? prepared.keys.map((key) => key.fingerprint);
      if (options.release !== null) writePublisherNote(directory, { ...published, signers }, options.release);
      // The next build finds every file known.
      cache.save();
      rememberBuild(directory, inputs, { pair: published, summary });
    }
    return describeUnchanged(directory, {
      ...summary,
      sha256: published.sha256,
      hashed: prepared.observation.hashed,
    });
  }
  const issued = prepared.database.Packsign.Issued;
  const waiting = join(directory, UNSIGNED_NAME);
  if (check || options.release === null) {
    if (!check) leaveWaiting(directory, prepared.bytes);
    return describe(prepared, {
      sha256: sha256Of(prepared.bytes),
      issued,
      database: waiting,
      released: null,
    });
  }
  const signers = await options.release.signers();
  const draft = {
    ...prepared,
    others: scan.others,
    collected: null,
    lastKeys: base.lastKeys,
    elsewhere: false,
  };
  const released = await signAndPublish(directory, draft, { ...options.release, signers });
  if (released.publication !== null) {
    const summary = summaryOf(prepared, prepared.database);
    rememberBuild(directory, inputs, { pair: released.publication, summary });
  }
  return describe(prepared, { sha256: released.sha256, issued, database: released.database, released });
}

/** The shortcut for a directory in which nothing changed; never where the maintainer asked for more. */
function recall(
  directory: string,
  standing: Named | null,
  { inputs, options }: { inputs: Inputs; options: BuildOptions },
): Summary | null {
  const { first, previous, strict, rehash, allowed, now } = options;
  const wantsMore = first || previous !== null || strict || rehash || allowed.size > 0;
  if (wantsMore || standing?.signature == null) return null;
  return recallUnchanged(directory, inputs, {
    pair: { sha256: standing.sha256, signature: standing.signature },
    now,
  });
}

function summaryOf({ observation, warnings }: Candidate, database: Database): Omit<Summary, 'sha256'> {
  return {
    issued: database.Packsign.Issued,
    expires: database.Packsign.Expires ?? null,
    packages: database.Packages.length,
    files: database.Archives.size,
    bytes: observation.bytes,
    warnings,
  };
}

function describeUnchanged(directory: string, summary: Summary & { readonly hashed?: number }): BuildResult {
  const { sha256, issued, packages, files, bytes, warnings, hashed = 0 } = summary;
  return {
    database: join(directory, DATABASE_NAME),
    ...{ sha256, issued, packages, files, bytes, hashed, warnings },
    cached: files - hashed,
    difference: NO_DIFFERENCE,
    unchanged: true,
    refreshed: false,
    released: null,
  };
}

function leaveWaiting(directory: string, bytes: Uint8Array): void {
  // What was collected so far signs other bytes.
  removeDurably(join(directory, UNSIGNED_SIGNATURES_NAME));
  writeDurably(join(directory, UNSIGNED_NAME), bytes);
}

function strictly(warnings: readonly Warning[]): PacksignError {
  const lines = warnings.map(
    ({ code, path, message }) => `  ${path === null ? '' : `${path}: `}${message} (${code})`,
  );
  return new PacksignError('WARNINGS', ['nothing was written because of warnings:', ...lines].join('\n'), {
    hint: 'mend them, or leave out --strict',
  });
}

function describe(
  { database, observation, difference, warnings, unchanged, refreshDue }: Candidate,
  outcome: Pick<BuildResult, 'database' | 'sha256' | 'issued' | 'released'>,
): BuildResult {
  return {
    ...outcome,
    packages: database.Packages.length,
    files: database.Archives.size,
    bytes: observation.bytes,
    hashed: observation.hashed,
    cached: observation.cached,
    difference,
    warnings: [...warnings, ...(outcome.released?.warnings ?? [])],
    unchanged: unchanged && !refreshDue,
    refreshed: unchanged && refreshDue,
  };
}

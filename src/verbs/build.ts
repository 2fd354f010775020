import { join } from 'node:path';
import { openCache } from '../disk/cache.js';
import { removeDurably, writeDurably } from '../disk/files.js';
import { takeLock } from '../disk/lock.js';
import { PacksignError } from '../errors.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { DATABASE_NAME, GATHERED_NAME, WAITING_NAME } from '../model/layout.js';
import { nameOf } from './judge.js';
import { prepare } from './prepare.js';
import type { PrepareOptions, Prepared } from './prepare.js';
import { removeWaiting, repairPublication } from './publish.js';
import { readStanding } from './published.js';
import type { Standing } from './published.js';
import { noteDown, release } from './release.js';
import type { ReleaseOptions, Released } from './release.js';

export interface BuildOptions extends Omit<PrepareOptions, 'cache' | 'standing' | 'unattended'> {
  /** Folder of working state: the cache, the lock. */
  readonly stateFolder: string;
  /** Whether to read every archive whatever the cache says. */
  readonly rehash: boolean;
  /** Writes nothing, only says what would be. */
  readonly check: boolean;
  /** Refuses where there are warnings. */
  readonly strict: boolean;
  /** Signs and publishes at once; null leaves a waiting database. */
  readonly release: ReleaseOptions | null;
}

export interface BuildResult {
  /** The file that now holds this content. */
  readonly database: string;
  readonly sha256: string;
  readonly issued: Date;
  readonly packages: number;
  readonly archives: number;
  /** Size of all archives together. */
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
  readonly released: Released | null;
}

/**
 * Makes the next database of a directory: `packages.unsigned.plist`, or with `release` the published one
 * (cli contract, `build`). Throws what reading the directory, `prepare` and `release` throw, and WARNINGS.
 */
export async function build(directory: string, options: BuildOptions): Promise<BuildResult> {
  if (options.check) return await buildHere(directory, readStanding(directory), options);
  const unlock = takeLock(options.stateFolder);
  try {
    const standing = readStanding(directory);
    repairPublication(directory, { standing, now: options.now });
    return await buildHere(directory, standing, options);
  } finally {
    unlock();
  }
}

async function buildHere(
  directory: string,
  standing: Standing | null,
  options: BuildOptions,
): Promise<BuildResult> {
  const { rehash, check, stateFolder } = options;
  const cache = openCache(stateFolder, { rehash, remember: !check });
  const prepared = await prepare(directory, { ...options, cache, standing });
  if (options.strict && prepared.warnings.length > 0) throw strictly(prepared.warnings);
  const { published, unchanged, refreshDue } = prepared;
  if (published !== null && unchanged && !refreshDue) {
    if (!options.check) {
      removeWaiting(directory);
      const signers =
        published.database.Packsign.Signers?.Fingerprints ?? prepared.keys.map((key) => key.fingerprint);
      if (options.release !== null) noteDown(directory, { ...published, signers }, options.release);
    }
    return describe(prepared, {
      database: join(directory, DATABASE_NAME),
      sha256: published.sha256,
      issued: published.database.Packsign.Issued,
      released: null,
    });
  }
  const issued = prepared.database.Packsign.Issued;
  const waiting = join(directory, WAITING_NAME);
  if (options.check || options.release === null) {
    if (!options.check) leaveWaiting(directory, prepared.bytes);
    return describe(prepared, { sha256: nameOf(prepared.bytes), issued, database: waiting, released: null });
  }
  const draft = { ...prepared, others: prepared.observation.others, gathered: null, lastKeys: null };
  const released = await release(directory, draft, options.release);
  return describe(prepared, { sha256: released.sha256, issued, database: released.database, released });
}

function leaveWaiting(directory: string, bytes: Uint8Array): void {
  // What was gathered so far signs other bytes.
  removeDurably(join(directory, GATHERED_NAME));
  writeDurably(join(directory, WAITING_NAME), bytes);
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
  { database, observation, difference, warnings, unchanged, refreshDue }: Prepared,
  outcome: Pick<BuildResult, 'database' | 'sha256' | 'issued' | 'released'>,
): BuildResult {
  return {
    ...outcome,
    packages: database.Packages.length,
    archives: database.Archives.size,
    bytes: observation.bytes,
    hashed: observation.hashed,
    cached: observation.cached,
    difference,
    warnings: [...warnings, ...(outcome.released?.warnings ?? [])],
    unchanged: unchanged && !refreshDue,
    refreshed: unchanged && refreshDue,
  };
}

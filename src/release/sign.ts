import { join } from 'node:path';
import { openCache } from './digest-cache.js';
import { readBounded } from '../disk/files.js';
import { takeLock } from '../disk/lock.js';
import { scanDirectory } from '../places/scan.js';
import { PacksignError } from '../errors.js';
import { decodeDatabase } from '../format/database.js';
import { DATABASE_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import type { Database } from '../model/database.js';
import { diffDatabases } from '../model/diff.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { UNSIGNED_SIGNATURES_NAME, UNSIGNED_NAME } from '../model/layout.js';
import { refuseStaleBuild } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import { takeInventory } from './inventory.js';
import { findPredecessorElsewhere } from './predecessor.js';
import type { Predecessor } from './predecessor.js';
import { readPublished, readStanding } from '../published/read.js';
import type { Published, Standing } from '../published/read.js';
import { repairPublication } from '../published/replace.js';
import { preflight } from './preflight.js';
import { coSign } from './co-sign.js';
import { finishPublication, signAndPublish } from './sign-and-publish.js';
import type { SignAndPublishOptions, SignedRelease } from './sign-and-publish.js';
import type { FetchOptions } from '../consume/sources.js';

export interface SignOptions extends SignAndPublishOptions {
  readonly settings: Settings;
  readonly clock: () => Date;
  readonly stateFolder: string;
  readonly rehash: boolean;
  /** Signs what the database says without looking at files, and leaves publishing to the host that has them. */
  readonly withoutFiles: boolean;
  /** Adds a signature to what is published, whatever waits. */
  readonly coSign: boolean;
  /** The published database in another place, a file or an address, which this directory carries on. */
  readonly previous: string | null;
  /** How an address is reached, and what the user trusts it by; directly and by nothing when not given. */
  readonly remote?: Pick<FetchOptions, 'trust' | 'network'> | undefined;
  readonly onProgress?: (done: number, of: number) => void;
}

/** Null difference: nothing waited, and what is published stays. */
export interface SignResult {
  readonly released: SignedRelease | null;
  readonly difference: Difference | null;
  /** Also of what follows a publication, where nothing waited. */
  readonly warnings: readonly Warning[];
}

/**
 * Signs the waiting database byte for byte and publishes it (cli contract, `sign`). Every file is held
 * against it first. Throws NOTHING_TO_SIGN, STALE_BUILD, ARCHIVE_DIFFERS, PREVIOUS_INVALID, the codes of
 * `release`, and those of reading the directory.
 */
export async function sign(directory: string, options: SignOptions): Promise<SignResult> {
  const unlock = takeLock(options.stateFolder);
  try {
    const standing = readStanding(directory);
    repairPublication(directory, { standing, now: options.now });
    if (options.coSign) {
      return { released: await coSign(directory, standing, options), difference: null, warnings: [] };
    }
    const bytes = readBounded(join(directory, UNSIGNED_NAME), DATABASE_LIMIT_BYTES);
    if (bytes === null) return await nothingWaits(directory, standing, options);
    const database = decodeDatabase(bytes);
    const { published, previous, lastKeys } = await findBase(directory, { database, standing, options });
    // A host that signs for another may have nothing to compare with; there it is compared before it is published.
    const isAlone = options.withoutFiles && standing === null && options.previous === null;
    const follows = isAlone ? (database.Packsign.Previous ?? null) : previous;
    refuseStaleBuild(database, { previous: follows, now: options.now });
    if (options.signers.length > 0) await preflight(directory, options);
    const others = options.withoutFiles
      ? scanDirectory(directory, { exclude: [] }).others
      : await requireSameFiles(directory, { database, published, options });
    const collected = readBounded(join(directory, UNSIGNED_SIGNATURES_NAME), SIGNATURE_LIMIT_BYTES);
    const released = await signAndPublish(
      directory,
      { bytes, database, published, others, collected, lastKeys, elsewhere: options.withoutFiles },
      options,
    );
    return {
      released,
      difference: diffDatabases(published?.database ?? null, database),
      warnings: released.warnings,
    };
  } finally {
    unlock();
  }
}

async function nothingWaits(
  directory: string,
  standing: Standing | null,
  options: SignOptions,
): Promise<SignResult> {
  if (standing !== null) {
    const { warnings } = await finishPublication(directory, standing.sha256, options);
    return { released: null, difference: null, warnings };
  }
  throw new PacksignError('NOTHING_TO_SIGN', `there is no ${join(directory, UNSIGNED_NAME)} to sign`, {
    hint: 'make one first: packsign build DIRECTORY',
  });
}

/** The database that the waiting one follows; one that does not verify only where it was given up on purpose. */
async function findBase(
  directory: string,
  { database, standing, options }: { database: Database; standing: Standing | null; options: SignOptions },
): Promise<Omit<Predecessor, 'keys'>> {
  const { previous, settings, remote } = options;
  if (previous !== null) {
    const signing = options.signers.map(({ certificate }) => certificate);
    return await findPredecessorElsewhere(directory, { previous, settings, signing, remote });
  }
  if (standing !== null && isFirst(database) && database.Packsign.Previous === standing.sha256) {
    return { published: null, previous: standing.sha256, lastKeys: null };
  }
  const published = await readPublished(directory, standing);
  return { published, previous: published?.sha256 ?? null, lastKeys: null };
}

// Only a database that was begun anew (build --first) dates every file to itself and has no history. One
// that was built upon a good database never gets round the checks against it because that was damaged since.
function isFirst({ Archives, Packsign: { Issued, History } }: Database): boolean {
  const issued = Issued.getTime();
  return (
    History === undefined && Array.from(Archives.values()).every(({ Since }) => Since.getTime() === issued)
  );
}

/** Refuses when a file is not what the database says. Gives the other files. Throws ARCHIVE_DIFFERS. */
async function requireSameFiles(
  directory: string,
  { database, published, options }: { database: Database; published: Published | null; options: SignOptions },
): Promise<readonly string[]> {
  const { files, others } = await takeInventory(directory, {
    ...options,
    published: published?.database ?? null,
    cache: openCache(options.stateFolder, { rehash: options.rehash, remember: true }),
  });
  const observed = new Map(files.map((file) => [file.path, file]));
  const differing = Array.from(database.Archives).flatMap(([path, { Size, SHA256 }]) => {
    const now = observed.get(path);
    if (now === undefined) return [`  ${path} is missing`];
    return now.sha256 === SHA256 && now.size === Size
      ? []
      : [`  ${path} has other bytes: sha256 is ${now.sha256}`];
  });
  if (differing.length === 0) return others;
  throw new PacksignError(
    'ARCHIVE_DIFFERS',
    [`archives are not what ${join(directory, UNSIGNED_NAME)} says:`, ...differing].join('\n'),
    { hint: 'build again and look at what changed: packsign build DIRECTORY, packsign diff DIRECTORY' },
  );
}

import { join } from 'node:path';
import { takeLock } from '../disk/lock.js';
import { PacksignError } from '../errors.js';
import { decodeDatabase } from '../format/database.js';
import { lintPublished } from '../keys/lint-published.js';
import type { Database } from '../model/database.js';
import { diffDatabases } from '../model/diff.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { UNSIGNED_NAME, UNSIGNED_SIGNATURES_NAME } from '../model/layout.js';
import { refuseStaleBuild } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import { contentOf } from '../pgp/content.js';
import { scanDirectory } from '../places/scan.js';
import type { Published, SignedDatabase } from '../published/published.js';
import { readPublished } from '../published/read.js';
import { makeWhole } from '../published/whole.js';
import { coSign } from './co-sign.js';
import { openCache } from './digest-cache.js';
import { takeInventory } from './inventory.js';
import { findPredecessorElsewhere } from './predecessor.js';
import type { Predecessor } from './predecessor.js';
import { preflight } from './preflight.js';
import { followPublication, signAndPublish } from './sign-and-publish.js';
import type { SignAndPublishOptions, SignedRelease } from './sign-and-publish.js';

export interface SignOptions extends SignAndPublishOptions {
  readonly settings: Settings;
  readonly rehash: boolean;
  /** Signs what the database says without looking at files, and leaves publishing to the host that has them. */
  readonly withoutFiles: boolean;
  /** Adds a signature to what is published, whatever waits. */
  readonly coSign: boolean;
  /** The published database in another place, a file or an address, which this directory carries on. */
  readonly previous: string | null;
}

/** Null difference: nothing waited, and what is published stays. */
export interface SignResult {
  readonly released: SignedRelease | null;
  readonly difference: Difference | null;
  /** Also of what follows a publication, where nothing waited. */
  readonly warnings: readonly Warning[];
  /** Paths of published files that had been lost, and were put back. */
  readonly mended: readonly string[];
}

/**
 * Signs the waiting database byte for byte and publishes it (cli contract, `sign`). Every file is checked
 * against it first. Throws NOTHING_TO_SIGN, STALE_BUILD, ARCHIVE_DIFFERS, PREVIOUS_INVALID, the codes of
 * `signAndPublish`, and those of reading the directory.
 */
export async function sign(directory: string, options: SignOptions): Promise<SignResult> {
  const { run } = options;
  const unlock = takeLock(run.stateFolder);
  try {
    const whole = await makeWhole(readPublished(directory, run.stateFolder), run);
    const { published, result } = await signWhole(whole.published, options);
    const certificates = options.signers.map(({ certificate }) => certificate);
    for (const warning of await lintPublished(published, {
      certificates,
      databaseExpires: null,
      now: run.now,
    }))
      run.warn(warning);
    return { ...result, mended: whole.mended };
  } finally {
    unlock();
  }
}

interface Signed {
  readonly published: Published;
  readonly result: Omit<SignResult, 'mended'>;
}

async function signWhole(published: Published, options: SignOptions): Promise<Signed> {
  const { directory } = published;
  if (options.coSign) {
    const signed = await coSign(published, options);
    return {
      published: signed?.published ?? published,
      result: { released: signed?.release ?? null, difference: null, warnings: [] },
    };
  }
  const bytes = published.bytes(UNSIGNED_NAME);
  if (bytes === null) return await nothingWaits(published, options);
  const database = decodeDatabase(bytes);
  const { signed, previous, lastKeys } = await findSignedPredecessor(published, database, options);
  // A host that signs for another may have nothing to compare with; there it is compared before it is published.
  const isAlone = options.withoutFiles && published.sha256() === null && options.previous === null;
  const follows = isAlone ? (database.Packsign.Previous ?? null) : previous;
  refuseStaleBuild(database, { previous: follows, now: options.run.now });
  if (options.signers.length > 0) {
    await preflight(published, { signers: options.signers, now: options.run.now });
  }
  const others = options.withoutFiles
    ? scanDirectory(directory, { exclude: [] }).others
    : await requireSameFiles(directory, { database, predecessor: signed, options });
  const outcome = await signAndPublish(
    published,
    { database, content: contentOf(bytes), predecessor: signed, lastKeys },
    {
      ...options,
      others,
      collected: published.bytes(UNSIGNED_SIGNATURES_NAME),
      elsewhere: options.withoutFiles,
    },
  );
  const difference = diffDatabases(signed?.database ?? null, database);
  const { release } = outcome;
  return {
    published: outcome.published,
    result: { released: release, difference, warnings: release.warnings },
  };
}

async function nothingWaits(published: Published, options: SignOptions): Promise<Signed> {
  if (published.sha256() !== null) {
    const { published: next, page } = await followPublication(published, options);
    return { published: next, result: { released: null, difference: null, warnings: page.warnings } };
  }
  throw new PacksignError(
    'NOTHING_TO_SIGN',
    `there is no ${join(published.directory, UNSIGNED_NAME)} to sign`,
    { hint: 'make one first: packsign build DIRECTORY' },
  );
}

/** The database that the waiting one follows; one that does not verify only where it was given up on purpose. */
async function findSignedPredecessor(
  published: Published,
  database: Database,
  { previous, settings, signers, run }: SignOptions,
): Promise<Omit<Predecessor, 'keys'>> {
  if (previous !== null) {
    const signing = signers.map(({ certificate }) => certificate);
    return await findPredecessorElsewhere(published, { previous, settings, signing, run });
  }
  const sha256 = published.sha256();
  if (sha256 !== null && isFirst(database) && database.Packsign.Previous === sha256) {
    return { signed: null, previous: sha256, lastKeys: null };
  }
  return { signed: await published.verified(), previous: sha256, lastKeys: null };
}

// Only a database that was begun anew (build --first) dates every file to itself and has no history. One
// that was built upon a good database never gets round the checks against it because that was damaged since.
function isFirst({ Archives, Packsign: { Issued, History } }: Database): boolean {
  const issued = Issued.getTime();
  return (
    History === undefined && Array.from(Archives.values()).every(({ Since }) => Since.getTime() === issued)
  );
}

interface Compared {
  readonly database: Database;
  readonly predecessor: SignedDatabase | null;
  readonly options: SignOptions;
}

/** Refuses when a file is not what the database says. Gives the files that are not listed. Throws ARCHIVE_DIFFERS. */
async function requireSameFiles(
  directory: string,
  { database, predecessor, options }: Compared,
): Promise<readonly string[]> {
  const { rehash, run } = options;
  const { files, others } = await takeInventory(directory, {
    ...options,
    published: predecessor?.database ?? null,
    cache: openCache(run.stateFolder, { rehash, remember: true }),
  });
  const found = new Map(files.map((file) => [file.path, file]));
  const differing = Array.from(database.Archives).flatMap(([path, { Size, SHA256 }]) => {
    const now = found.get(path);
    if (now === undefined) return [`  ${path} is missing`];
    return now.sha256 === SHA256 && now.size === Size
      ? []
      : [`  ${path} has other bytes: sha256 is ${now.sha256}`];
  });
  if (differing.length === 0) return others;
  throw new PacksignError(
    'ARCHIVE_DIFFERS',
    [`files are not what ${join(directory, UNSIGNED_NAME)} says:`, ...differing].join('\n'),
    { hint: 'build again and look at what changed: packsign build DIRECTORY, packsign diff DIRECTORY' },
  );
}

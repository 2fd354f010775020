import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PacksignError } from '../errors.js';
import { encodeDatabase } from '../format/database.js';
import { assemble } from '../model/assemble.js';
import type { Database } from '../model/database.js';
import { diffDatabases } from '../model/diff.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { KEYS_NAME } from '../model/layout.js';
import { compareText } from '../model/package.js';
import { isRefreshDue, nextIssued } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import type { Certificate } from '../pgp/certificates.js';
import { identify } from './identity.js';
import { observeArchives } from './observe.js';
import type { Observation } from './observe.js';
import { readKeys, readPublished, readStanding } from './published.js';
import type { Published } from './published.js';

export interface PrepareOptions {
  readonly settings: Settings;
  /** *Now* as the database says it. */
  readonly now: Date;
  /** The real clock, for what the cache may believe. */
  readonly clock: () => Date;
  readonly stateFolder: string;
  /** Certificates of the keys that are to sign; none when that is not known. */
  readonly signing: readonly Certificate[];
  /** Archive path → why the maintainer lets its bytes change. */
  readonly allowed: ReadonlyMap<string, string>;
  readonly rehash: boolean;
  /** Whether the cache may be written. */
  readonly remember: boolean;
  /** Begin a history anew, whatever stands here. */
  readonly first: boolean;
  /** The published database in another place, which this directory carries on. */
  readonly previous: string | null;
  readonly onProgress?: (done: number, of: number) => void;
}

/** The next database of a directory, made in memory. */
export interface Prepared {
  readonly database: Database;
  readonly bytes: Uint8Array;
  readonly published: Published | null;
  /** What `packages.plist` holds here now, verified or not. */
  readonly previous: string | null;
  /** Certificates in `keys.asc`. */
  readonly keys: readonly Certificate[];
  readonly difference: Difference;
  readonly unchanged: boolean;
  /** Whether the published database nears its expiry. */
  readonly refreshDue: boolean;
  readonly observation: Observation;
  readonly warnings: readonly Warning[];
}

/** Scans, hashes and assembles; writes nothing but the cache. */
export async function prepare(directory: string, options: PrepareOptions): Promise<Prepared> {
  const { settings, now } = options;
  const base = await findBase(directory, options);
  const { published, previous, keys } = base;
  const observation = await observeArchives(directory, {
    ...options,
    published: published?.database ?? null,
  });
  const identity = identify({
    settings,
    published: published?.database ?? null,
    keys,
    signing: options.signing,
  });
  const assembleFor = (issued: Date) =>
    assemble(observation.archives, {
      settings,
      published: published?.database ?? null,
      previous,
      ...identity,
      issued,
      allowed: options.allowed,
    });
  const issued = nextIssued(published?.database ?? null, now);
  const { database, warnings } = assembleFor(issued);
  const noMaintainer: Warning[] =
    database.Maintainer === undefined
      ? [
          {
            code: 'NO_MAINTAINER',
            path: null,
            message: 'nobody is named as responsible; set "Maintainer" in packsign.json',
          },
        ]
      : [];
  return {
    ...base,
    database,
    bytes: encodeDatabase(database),
    difference: diffDatabases(published?.database ?? null, database),
    unchanged: published !== null && isSameContent(published, database),
    refreshDue: published !== null && isRefreshDue(published.database, now),
    observation,
    warnings: [...observation.warnings, ...warnings, ...noMaintainer].sort(byPath),
  };
}

export interface Base {
  readonly published: Published | null;
  readonly previous: string | null;
  readonly keys: readonly Certificate[];
}

/** What the next database is built upon (cli contract: `--first`, `--previous`). */
async function findBase(directory: string, { first, previous, settings }: PrepareOptions): Promise<Base> {
  const keys = await readKeys(join(directory, KEYS_NAME));
  const standing = readStanding(directory);
  if (first) return { published: null, previous: standing?.sha256 ?? null, keys };
  if (previous !== null) return await carryOn(previous, keys);
  if (standing === null && settings.Database !== undefined) {
    throw new PacksignError(
      'PREVIOUS_UNKNOWN',
      `nothing is published here, but "Database" says ${settings.Database}`,
      {
        hint: 'name the published one with --previous FILE, or begin it with --first',
      },
    );
  }
  const published = await readPublished(directory);
  return { published, previous: published?.sha256 ?? null, keys };
}

/** A database published elsewhere, with its keys. */
export async function carryOn(file: string, keys: readonly Certificate[]): Promise<Base> {
  if (!existsSync(file)) throw new PacksignError('FILE_UNREADABLE', `there is no file ${file}`);
  const elsewhere = dirname(file);
  const published = await readPublished(elsewhere);
  return {
    published,
    previous: published?.sha256 ?? null,
    keys: keys.length > 0 ? keys : await readKeys(join(elsewhere, KEYS_NAME)),
  };
}

/** Whether only `Issued`, `Expires` and `Previous` would differ: then nothing is published (docs/FORMAT.md §6). */
function isSameContent({ database: published, bytes }: Published, next: Database): boolean {
  const { Issued, Expires, Previous } = published.Packsign;
  const { Expires: _, Previous: __, ...packsign } = next.Packsign;
  const same: Database = {
    ...next,
    Packsign: {
      ...packsign,
      Issued,
      ...(Expires === undefined ? {} : { Expires }),
      ...(Previous === undefined ? {} : { Previous }),
    },
  };
  return bytes.equals(encodeDatabase(same));
}

function byPath(a: Warning, b: Warning): number {
  return compareText(a.path ?? '', b.path ?? '') || compareText(a.code, b.code);
}

import { isDeepStrictEqual } from 'node:util';
import type { CacheStore } from './digest-cache.js';
import type { Scan } from '../places/scan.js';
import { encodeDatabase } from '../format/database.js';
import { assemble } from '../model/assemble.js';
import type { Vouched } from '../model/assemble.js';
import { compareFiles } from '../model/file-difference.js';
import type { Database } from '../model/database.js';
import { diffDatabases } from '../model/diff.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { compareText } from '../model/package.js';
import type { Package } from '../model/package.js';
import { isRefreshDue, nextIssued } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import type { Certificate } from '../pgp/certificates.js';
import { findPredecessor } from './predecessor.js';
import type { Predecessor } from './predecessor.js';
import type { Described } from './last-build.js';
import { findResponsible } from './responsible.js';
import { takeInventory } from './inventory.js';
import type { Inventory, StartedInventory } from './inventory.js';
import type { Published, Standing } from '../published/read.js';
import type { FetchOptions } from '../consume/sources.js';

export interface CandidateOptions {
  readonly settings: Settings;
  /** *Now* as the database says it. */
  readonly now: Date;
  /** The real clock, for what the cache may believe. */
  readonly clock: () => Date;
  readonly cache: CacheStore;
  /** Certificates of the keys that are to sign; none when that is not known. */
  readonly signing: readonly Certificate[];
  /** File path → why the maintainer lets its bytes change. */
  readonly allowed: ReadonlyMap<string, string>;
  /** Begin a history anew, whatever stands here. */
  readonly first: boolean;
  /** The published database in another place, a file or an address, which this directory carries on. */
  readonly previous: string | null;
  /** How an address is reached, and what the user trusts it by; directly and by nothing when not given. */
  readonly remote?: Pick<FetchOptions, 'trust' | 'network'> | undefined;
  /** What lies under `packages.plist` now. */
  readonly standing: Standing | null;
  /** The files, where it was begun to read them. */
  readonly observing?: StartedInventory;
  /** What the last build described, where that still holds. */
  readonly described?: Described | null;
  /** Whether the same content is wanted under a new date. */
  readonly renew?: boolean;
  /** Set where nobody is at the keyboard: what a person has to decide stays as it is published. */
  readonly unattended?: Unattended | undefined;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface Unattended {
  readonly scan: Scan;
  /** Files that are still being written. */
  readonly unstable: ReadonlySet<string>;
  /** Whether published files keep their entries whatever the settings say now. */
  readonly frozen?: boolean;
}

/** The next database of a directory, made in memory. */
export interface Candidate {
  readonly database: Database;
  readonly bytes: Uint8Array;
  readonly published: Published | null;
  /** What `packages.plist` holds here now, verified or not. */
  readonly previous: string | null;
  /** Certificates in `keys.asc`. */
  readonly keys: readonly Certificate[];
  readonly difference: Difference;
  readonly unchanged: boolean;
  /** Whether the published database nears its expiry, or is to be made anew for another reason. */
  readonly refreshDue: boolean;
  readonly observation: Inventory;
  /** Files that wait for a person; none but where `unattended` is set. */
  readonly held: readonly Warning[];
  readonly warnings: readonly Warning[];
}

/** Scans, hashes and assembles; writes nothing but the cache. */
export async function makeCandidate(directory: string, options: CandidateOptions): Promise<Candidate> {
  return await makeCandidateUpon(await findPredecessor(directory, options), directory, options);
}

/** The same upon a published database that was found before. */
export async function makeCandidateUpon(
  base: Predecessor,
  directory: string,
  options: CandidateOptions,
): Promise<Candidate> {
  const { settings, now, unattended } = options;
  const published = base.published?.database ?? null;
  const context = {
    settings,
    published,
    previous: base.previous,
    ...findResponsible({ settings, published, keys: base.keys, signing: options.signing }),
    issued: nextIssued(published, now),
    allowed: options.allowed,
  };
  const { observing } = options;
  const observation =
    observing === undefined
      ? await takeInventory(directory, { ...options, ...unattended, published })
      : await observing.finish(published);
  const vouched = vouchedFor(base, observation, options.described ?? null);
  const waiting = new Set([
    ...(unattended?.unstable ?? []),
    ...observation.moving,
    ...frozenPaths(observation, base, unattended),
  ]);
  const assembled = assemble(observation.files, { ...context, vouched, held: waiting });
  const held =
    unattended === undefined ? [] : assembled.warnings.filter((warning) => mustWait(warning, published));
  const { database, warnings } =
    held.length === 0
      ? assembled
      : assemble(observation.files, {
          ...context,
          vouched,
          held: new Set([...waiting, ...pathsOf(held)]),
        });
  const unchanged = published !== null && isSameContent(published, database);
  const refreshDue = published !== null && (options.renew === true || isRefreshDue(published.Packsign, now));
  return {
    ...base,
    database,
    bytes:
      base.published !== null && unchanged && !refreshDue
        ? base.published.bytes
        : encodeDatabase(database, base.published),
    difference: diffDatabases(published, database),
    unchanged,
    refreshDue,
    observation,
    held,
    warnings: [...observation.warnings, ...warnings, ...nobody(database)].sort(byPath),
  };
}

/** Files that were described for just this published database, and not read anew. */
function vouchedFor(
  { published }: Predecessor,
  { fresh }: Inventory,
  described: Described | null,
): Vouched | null {
  if (described === null || described.sha256 !== published?.sha256) return null;
  return { warnings: described.warnings, isVouched: (path) => !fresh.has(path) };
}

/** What only a person may let pass: bytes that change, and a new file that is not what its name says. */
function mustWait({ code, path }: Warning, published: Database | null): boolean {
  if (code === 'BYTES_CHANGED') return true;
  return code === 'NAME_MISMATCH' && path !== null && published?.Archives.has(path) !== true;
}

function pathsOf(held: readonly Warning[]): string[] {
  return held.flatMap(({ path }) => (path === null ? [] : [path]));
}

/** Published files with the bytes that they were published with. */
function frozenPaths(
  { files }: Inventory,
  { published }: Predecessor,
  unattended: Unattended | undefined,
): string[] {
  if (unattended?.frozen !== true) return [];
  return files
    .filter(({ path, sha256 }) => published?.database.Archives.get(path)?.SHA256 === sha256)
    .map(({ path }) => path);
}

function nobody({ Maintainer }: Database): Warning[] {
  if (Maintainer !== undefined) return [];
  const message = 'nobody is named as responsible; set "Maintainer" in packsign.json';
  return [{ code: 'NO_MAINTAINER', path: null, message }];
}

/**
 * Whether only `Issued`, `Expires` and `Previous` would differ: then nothing is published (docs/FORMAT.md §6).
 * An entry that stayed is the published value itself, so the two long lists need no comparing in depth.
 */
function isSameContent(published: Database, next: Database): boolean {
  const { added, withdrawn, replaced } = compareFiles(published.Archives, next.Archives);
  return (
    added.length + withdrawn.length + replaced.length === 0 &&
    published.Packages.length === next.Packages.length &&
    next.Packages.every((entry, index) => isSame(published.Packages[index], entry)) &&
    isDeepStrictEqual(settledPart(published), settledPart(next))
  );
}

/** Of packages that have one address, by hand, only their values tell which is which. */
function isSame(published: Package | undefined, entry: Package): boolean {
  return published === entry || isDeepStrictEqual(published, entry);
}

function settledPart({ Packages: _1, Archives: _2, Packsign, ...head }: Database): unknown {
  const { Issued: _3, Expires: _4, Previous: _5, ...packsign } = Packsign;
  return { ...head, packsign };
}

function byPath(a: Warning, b: Warning): number {
  return compareText(a.path ?? '', b.path ?? '') || compareText(a.code, b.code);
}

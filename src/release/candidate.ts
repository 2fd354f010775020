import { isDeepStrictEqual } from 'node:util';
import { encodeDatabase } from '../format/database.js';
import { assemble } from '../model/assemble.js';
import type { Vouched } from '../model/assemble.js';
import type { Database } from '../model/database.js';
import { diffDatabases } from '../model/diff.js';
import type { Difference } from '../model/diff.js';
import { compareFiles } from '../model/file-difference.js';
import type { Warning } from '../model/finding.js';
import { compareText } from '../model/package.js';
import type { Package } from '../model/package.js';
import { isRefreshDue, nextIssued } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import type { Certificate } from '../pgp/certificates.js';
import { contentOf } from '../pgp/content.js';
import type { Content } from '../pgp/content.js';
import type { Scan } from '../places/scan.js';
import type { SignedDatabase } from '../published/published.js';
import type { Run } from '../run.js';
import type { CacheStore } from './digest-cache.js';
import { takeInventory } from './inventory.js';
import type { Inventory, StartedInventory } from './inventory.js';
import type { Described } from './last-build.js';
import type { Predecessor } from './predecessor.js';
import { findResponsible } from './responsible.js';

export interface CandidateOptions {
  readonly run: Run;
  readonly settings: Settings;
  readonly cache: CacheStore;
  /** Certificates of the keys that are to sign; none when that is not known. */
  readonly signing: readonly Certificate[];
  /** File path → why the maintainer lets its bytes change. */
  readonly allowed: ReadonlyMap<string, string>;
  /** The files, where reading them was begun. */
  readonly inventory?: StartedInventory;
  /** What the last build described, where that still holds. */
  readonly described?: Described | null;
  /** Whether the same content is to be published under a new date. */
  readonly renew?: boolean;
  /** Set where nobody is at the keyboard: what a person has to decide stays as it is published. */
  readonly unattended?: Unattended | undefined;
}

export interface Unattended {
  readonly scan: Scan;
  /** Files that are still being written. */
  readonly unstable: ReadonlySet<string>;
  /** Whether published files keep their entries whatever the settings say now. */
  readonly frozen?: boolean;
}

/** A database that is ready to be signed. */
export interface Candidate {
  readonly database: Database;
  readonly content: Content;
  /** What it is built upon; null where a history begins. */
  readonly predecessor: SignedDatabase | null;
  /** `keys.asc` as it was last published, for a directory that lost it; null where there is none. */
  readonly lastKeys: Uint8Array | null;
}

/** The next database of a directory, made in memory. */
export interface BuiltCandidate extends Candidate {
  /** Certificates that users have. */
  readonly keys: readonly Certificate[];
  readonly difference: Difference;
  readonly unchanged: boolean;
  /** Whether the published database nears its expiry, or is to be made anew for another reason. */
  readonly refreshDue: boolean;
  readonly inventory: Inventory;
  /** Files that wait for a person; none but where `unattended` is set. */
  readonly needsApproval: readonly Warning[];
  readonly warnings: readonly Warning[];
}

/** Scans, hashes and assembles upon a predecessor; writes nothing but the cache. */
export async function makeCandidate(
  directory: string,
  predecessor: Predecessor,
  options: CandidateOptions,
): Promise<BuiltCandidate> {
  const { settings, run, unattended, signing, allowed } = options;
  const published = predecessor.signed?.database ?? null;
  const { keys, previous } = predecessor;
  const context = {
    ...{ settings, published, previous, allowed },
    ...findResponsible({ settings, published, keys, signing }),
    issued: nextIssued(published, run.now),
  };
  const inventory =
    options.inventory === undefined
      ? await takeInventory(directory, { ...options, ...unattended, published })
      : await options.inventory.finish(published);
  const vouched = vouchedFor(predecessor, inventory, options.described ?? null);
  const waiting = new Set([
    ...(unattended?.unstable ?? []),
    ...inventory.moving,
    ...frozenPaths(inventory, published, unattended),
  ]);
  const assembleHolding = (held: ReadonlySet<string>) =>
    assemble(inventory.files, { ...context, vouched, held });
  const assembled = assembleHolding(waiting);
  const needsApproval =
    unattended === undefined ? [] : assembled.warnings.filter((warning) => mustWait(warning, published));
  const { database, warnings } =
    needsApproval.length === 0
      ? assembled
      : assembleHolding(new Set([...waiting, ...pathsOf(needsApproval)]));
  const unchanged = published !== null && isSameContent(published, database);
  const refreshDue =
    published !== null && (options.renew === true || isRefreshDue(published.Packsign, run.now));
  const isPublished = predecessor.signed !== null && unchanged && !refreshDue;
  return {
    ...{ database, keys, unchanged, refreshDue, inventory, needsApproval },
    content: isPublished ? predecessor.signed.content : contentUpon(database, predecessor),
    predecessor: predecessor.signed,
    lastKeys: predecessor.lastKeys,
    difference: diffDatabases(published, database),
    warnings: [...inventory.warnings, ...warnings, ...nobody(database)].sort(byPath),
  };
}

function contentUpon(database: Database, { signed }: Predecessor): Content {
  const upon = signed === null ? null : { database: signed.database, bytes: signed.content.bytes };
  return contentOf(encodeDatabase(database, upon));
}

/** Files that were described for just this published database, and not read anew. */
function vouchedFor(
  { signed }: Predecessor,
  { fresh }: Inventory,
  described: Described | null,
): Vouched | null {
  if (described === null || described.sha256 !== signed?.content.sha256()) return null;
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
  published: Database | null,
  unattended: Unattended | undefined,
): string[] {
  if (unattended?.frozen !== true) return [];
  return files
    .filter(({ path, sha256 }) => published?.Archives.get(path)?.SHA256 === sha256)
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

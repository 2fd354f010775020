import { isDeepStrictEqual } from 'node:util';
import { readDraft } from '../format/database.js';
import type { DatabaseRead } from '../format/database.js';
import { writeDatabase } from '../format/encode-database.js';
import type { DatabaseWritten } from '../format/encode-database.js';
import { sharingWith } from '../format/shared-entries.js';
import type { AbsenceRule } from '../model/absence.js';
import { assemble } from '../model/assemble.js';
import type { Assembled } from '../model/assemble.js';
import { coverageOf } from '../model/coverage.js';
import type { Coverage } from '../model/coverage.js';
import type { Database } from '../model/database.js';
import { NO_DIFFERENCE, diffDatabases } from '../model/diff.js';
import type { Difference } from '../model/diff.js';
import { compareFiles } from '../model/file-difference.js';
import type { Warning } from '../model/finding.js';
import type { Continued } from '../model/join.js';
import { withoutOldRecords } from '../model/ledger.js';
import { compareText } from '../model/package.js';
import { isRefreshDue, nextIssued } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import { updateOf } from '../model/update.js';
import type { Update } from '../model/update.js';
import type { Certificate } from '../pgp/certificates.js';
import { contentOf } from '../pgp/content.js';
import type { Content } from '../pgp/content.js';
import { matcherOf } from '../places/matcher.js';
import type { Scan } from '../places/scan.js';
import type { SignedDatabase } from '../published/published.js';
import { pause } from '../run.js';
import type { Run } from '../run.js';
import { nothingToList } from './absent.js';
import { continuedFrom, filesToList, isJoinDue } from './adopt.js';
import { damageWarnings, findDamage } from './damage.js';
import type { Damage } from './damage.js';
import type { FactsCache } from './facts-cache.js';
import { nameSettings, recallEntries } from './entry-cache.js';
import type { MadeEntries } from './entry-cache.js';
import { takeInventory } from './inventory.js';
import type { Inventory, StartedInventory } from './inventory.js';
import type { Predecessor } from './predecessor.js';
import { findResponsible } from './responsible.js';
import { isInTime } from './waiting.js';
import type { Waiting } from './waiting.js';

export interface CandidateOptions {
  readonly run: Run;
  readonly settings: Settings;
  readonly cache: FactsCache;
  /** Certificates of the keys that will sign; none if they are not known. */
  readonly signing: readonly Certificate[];
  /** File path → the maintainer's reason to let its bytes change. */
  readonly allowed: ReadonlyMap<string, string>;
  /** Files that may be listed although they are damaged, as typed. */
  readonly allowDamaged?: readonly string[];
  readonly absence: AbsenceRule;
  /** The files, if reading them has started. */
  readonly inventory?: StartedInventory;
  /** The entries of the last build; `rehash` does not use them. */
  readonly made?: MadeEntries | null;
  /** Whether to read every file, and to name it, as if it were new. */
  readonly rehash?: boolean;
  /** Whether to publish the same content under a new date. */
  readonly renew?: boolean;
  /** The database that waits for signatures, to go on with it if it is exactly what would be made; null for none. */
  readonly waiting?: Waiting | null;
  /** Set if nobody is at the keyboard: entries that a person has to decide about stay as published. */
  readonly unattended?: Unattended | undefined;
}

export interface Unattended {
  readonly scan: Scan;
  /** Files that others are still writing. */
  readonly unstable: ReadonlySet<string>;
  /** Whether published files keep their entries even if the settings changed. */
  readonly frozen?: boolean;
}

/** A database that is ready to be signed. */
export interface Candidate extends Pick<Damage, 'damaged'> {
  readonly database: Database;
  readonly content: Content;
  /** What the content says; null if it is the published one. */
  readonly reading: DatabaseRead | null;
  /** The database that it follows; null if it starts a history. */
  readonly predecessor: SignedDatabase | null;
  /** What it goes on from: that database, joined with one that is adopted. */
  readonly continued: Continued | null;
  /** From what it goes on from. */
  readonly update: Update;
  /** The last published `keys.asc`, for a directory that lost it; null if there is none. */
  readonly lastKeys: Uint8Array | null;
}

/** The next database of a directory, made in memory. */
export interface BuiltCandidate extends Candidate, Pick<Damage, 'unseen'> {
  /** The certificates that users have. */
  readonly keys: readonly Certificate[];
  readonly difference: Difference;
  readonly unchanged: boolean;
  /** The waiting database that this one is; null if it is a new one. */
  readonly waiting: Waiting | null;
  /** Whether the published database is about to expire, or must be signed again for another reason. */
  readonly refreshDue: boolean;
  readonly inventory: Inventory;
  readonly coverage: Coverage;
  /** Paths of listed files that are not here, in byte order. */
  readonly kept: ReadonlySet<string>;
  /** Warnings that a person has to decide about; empty unless `unattended` is set. */
  readonly needsApproval: readonly Warning[];
  readonly warnings: readonly Warning[];
  /** For the next build, once this database is published. */
  readonly made: () => MadeEntries;
}

/**
 * Scans, hashes and assembles the database that follows a predecessor; writes nothing but the cache. Throws
 * NOTHING_TO_LIST, and what `takeInventory` and `assemble` throw.
 */
export async function makeCandidate(
  directory: string,
  predecessor: Predecessor,
  options: CandidateOptions,
): Promise<BuiltCandidate> {
  const { run, unattended, signing, waiting = null } = options;
  const { signed, adopted = null } = predecessor;
  const continued = continuedFrom(signed, adopted, options.allowed);
  const before = continued?.database ?? null;
  const inventory =
    options.inventory === undefined
      ? await takeInventory(directory, { ...options, ...unattended, published: before })
      : await options.inventory.finish(before);
  await pause(run);
  const known = { predecessor, continued, inventory, options };
  const keeping = {
    last: before?.Packsign.Issued ?? predecessor.replaced ?? null,
    now: run.now,
    // A watch can sign anew at any time; a person may not come back.
    renewing: unattended === undefined ? [] : signing.map(({ fingerprint }) => fingerprint),
  };
  if (waiting !== null && isInTime(waiting, keeping)) {
    const again = await candidateFrom(directory, { ...known, issued: waiting.database.Packsign.Issued });
    // Any other byte may be somebody else's wish.
    if (Buffer.from(again.content.bytes).equals(waiting.bytes)) return { ...again, waiting };
  }
  return await candidateFrom(directory, known);
}

async function candidateFrom(directory: string, known: Known): Promise<BuiltCandidate> {
  const { predecessor, continued, inventory, options } = known;
  const { settings, run, absence, renew = false } = options;
  const { signed, keys, lastKeys, adopted = null } = predecessor;
  const published = signed?.database ?? null;
  const before = continued?.database ?? null;
  const assembled = assembleNext(directory, known);
  const { whole, rest, held, kept, under, damage, entries } = assembled;
  if (whole.Files.size === 0 && held.size === 0 && !mayBeEmpty(published, absence)) {
    throw nothingToList(directory, { inventory, rest, settings });
  }
  const files = before === published ? assembled.difference : compareFiles(published?.Files, whole.Files);
  await pause(run);
  const unchanged = published !== null && isSameContent({ before: published, next: whole, files }, keys);
  const refreshDue =
    published !== null && (renew || isJoinDue(signed, adopted) || isRefreshDue(published.Packsign, run.now));
  const stays = unchanged && !refreshDue;
  await pause(run);
  const lastWritten = options.made?.written ?? null;
  const next =
    signed !== null && stays
      ? { database: whole, content: signed.content, reading: null, written: lastWritten }
      : await writeNext(withoutOldRecords(whole), { signed, written: lastWritten, run });
  const { written, ...built } = next;
  const { database, content } = built;
  await pause(run);
  const update = stays ? { before, next: whole, files: assembled.difference } : updateOf(before, database);
  const warnings = byPath([...assembled.warnings, ...maintainerWarnings(database, settings)]);
  const carried = [...held, ...kept];
  return {
    ...{ ...built, keys, lastKeys, unchanged, refreshDue, inventory, continued, kept, update, warnings },
    ...{ damaged: assembled.damaged, needsApproval: assembled.needsApproval, unseen: damage.unseen },
    ...{ predecessor: signed, waiting: null },
    coverage: coverageOf(rest, (path) => database.Files.has(path)),
    difference: stays
      ? NO_DIFFERENCE
      : diffDatabases(before === published ? update : updateOf(published, database), update),
    made: () => ({ database: content.sha256(), under, except: carried, warnings, entries, written }),
  };
}

interface Known {
  readonly predecessor: Predecessor;
  readonly continued: Continued | null;
  readonly inventory: Inventory;
  readonly options: CandidateOptions;
  /** `Issued`, if it is not now. */
  readonly issued?: Date;
}

/** Assembles the next database, with all that is to say about it. */
function assembleNext(directory: string, { predecessor, continued, inventory, options, issued }: Known) {
  const { settings, unattended, allowed, absence, signing, rehash: rename = false, made = null } = options;
  const { signed, keys, previous, replaced = null, adopted = null } = predecessor;
  const published = signed?.database ?? null;
  const before = continued?.database ?? null;
  const isMutable = matcherOf(settings.Mutable ?? []);
  const waiting = [
    ...(unattended?.unstable ?? []),
    ...inventory.moving,
    ...frozenPaths(inventory, published, { unattended, isMutable }),
  ];
  const listing = { directory, settings, absent: inventory.absent, waiting, continued, adopted, absence };
  const { files, kept, ...left } = filesToList(inventory.files, listing);
  const under = nameSettings(left.settings, unattended?.frozen);
  const context = {
    ...{ published: before, previous, allowed, rename, kept, settings: left.settings },
    ...findResponsible({ settings, published, keys, signing }),
    issued: issued ?? nextIssued(before?.Packsign.Issued ?? replaced, options.run.now),
    isMutable: unattended?.frozen === true ? wasMutable(published) : isMutable,
    // Entries of a database that is adopted were made under the settings of others.
    recall: recallEntries(rename || adopted !== null ? null : made, {
      signed,
      settings: left.settings,
      under,
    }),
  };
  const damage = findDamage(directory, files, { ...options, published: before });
  const assembleWithout = (held: ReadonlySet<string>) => assemble(files, { ...context, held });
  const { database, warnings, ...rest } = assembleHolding(assembleWithout, {
    ...{ waiting, damage, published, unattended },
  });
  return {
    ...{ whole: database, kept, under, damage, ...rest },
    rest: [...inventory.rest, ...left.rest],
    warnings: [...inventory.warnings, ...left.warnings, ...damage.needless, ...warnings],
  };
}

interface Holding {
  /** Paths to leave alone in any case. */
  readonly waiting: readonly string[];
  readonly damage: Damage;
  readonly published: Database | null;
  readonly unattended: Unattended | undefined;
}

/** Assembles a database; if nobody is at the keyboard, without what a person has to decide about. */
function assembleHolding(
  assembleWithout: (held: ReadonlySet<string>) => Assembled,
  { waiting, damage, published, unattended }: Holding,
): Assembled & Pick<BuiltCandidate, 'needsApproval' | 'damaged'> & { readonly held: ReadonlySet<string> } {
  const ofDamage = damageWarnings(damage);
  if (unattended === undefined) {
    const held = new Set(waiting);
    const { warnings, ...assembled } = assembleWithout(held);
    const { damaged } = damage;
    return { ...assembled, warnings: [...warnings, ...ofDamage], needsApproval: [], damaged, held };
  }
  const without = new Set([...waiting, ...damage.damaged.keys()]);
  const assembled = assembleWithout(without);
  const disputed = assembled.warnings.filter((warning) => mustWait(warning, published));
  const held = new Set([...without, ...disputed.flatMap(({ path }) => path ?? [])]);
  return {
    ...(held.size === without.size ? assembled : assembleWithout(held)),
    ...{ needsApproval: [...ofDamage, ...disputed], damaged: new Map(), held },
  };
}

/** Whether a policy, and not this function, decides about a database that lists nothing. */
function mayBeEmpty(published: Database | null, { absent, isTyped }: AbsenceRule): boolean {
  return (published?.Files.size ?? 0) > 0 || (absent === 'withdraw' && isTyped);
}

interface Before {
  readonly signed: SignedDatabase | null;
  readonly written: DatabaseWritten | null;
  readonly run: Run;
}

type Written = Pick<Candidate, 'content' | 'database' | 'reading'> & { readonly written: DatabaseWritten };

/** The bytes of a database, and what the strict reader makes of them: that is what policies decide on, and keys sign. */
async function writeNext(database: Database, { signed, run, ...before }: Before): Promise<Written> {
  const written = writeDatabase(database, before.written);
  const content = contentOf(written.bytes);
  await pause(run);
  const reading = readDraft(content.bytes, sharingWith(signed?.reading));
  return { content, reading, database: reading.database, written };
}

/** A person has to decide about changed bytes, and about a new file whose contents do not fit its name. */
function mustWait({ code, path }: Warning, published: Database | null): boolean {
  if (code === 'BYTES_CHANGED') return true;
  return code === 'NAME_MISMATCH' && path !== null && published?.Files.has(path) !== true;
}

function wasMutable(published: Database | null): (path: string) => boolean {
  return (path) => published?.Files.get(path)?.Mutable === true;
}

interface Freezing {
  readonly unattended: Unattended | undefined;
  readonly isMutable: (path: string) => boolean;
}

/** Published files that still have their published bytes, and new ones that settings would make mutable for ever. */
function frozenPaths(
  { files }: Inventory,
  published: Database | null,
  { unattended, isMutable }: Freezing,
): string[] {
  if (unattended?.frozen !== true) return [];
  return files
    .filter(({ path, sha256 }) => {
      const listed = published?.Files.get(path);
      return listed === undefined ? isMutable(path) : listed.SHA256 === sha256;
    })
    .map(({ path }) => path);
}

/** A maintainer whom the settings name gets into the database together with the signers, once they are known. */
function maintainerWarnings({ Maintainer }: Database, settings: Settings): Warning[] {
  if (Maintainer !== undefined || settings.Maintainer !== undefined) return [];
  const message = 'the database names no maintainer; set "Maintainer" in packsign.json';
  return [{ code: 'NO_MAINTAINER', path: null, message }];
}

/**
 * Whether only `Issued`, `Expires` and `Previous` would differ, or signers would be named that `keys.asc` names already:
 * then nothing is published (docs/FORMAT.md §6). An unchanged entry is the published value itself, so most of the two
 * long lists need no deep comparison.
 */
function isSameContent(
  { before, next, files: { added, withdrawn, replaced } }: Update,
  keys: readonly Certificate[],
): boolean {
  return (
    added.length + withdrawn.length + replaced.length === 0 &&
    before?.Packages.length === next.Packages.length &&
    // Hand-written packages may share an address; only a deep comparison tells them apart.
    next.Packages.every((entry, index) => isDeepStrictEqual(before.Packages[index], entry)) &&
    isDeepStrictEqual(lastingPart(before), lastingPart(withoutKnownSigners(next, before, keys)))
  );
}

/** The next database as if its signers were not known yet, where the one before was built so and they are its keys. */
function withoutKnownSigners(next: Database, before: Database, keys: readonly Certificate[]): Database {
  const { Maintainer: _1, Packsign, ...head } = next;
  const { Signers, ...packsign } = Packsign;
  const known = { Threshold: 1, Fingerprints: keys.map(({ fingerprint }) => fingerprint).sort() };
  const isFirst = before.Packsign.Signers === undefined && isDeepStrictEqual(Signers, known);
  return isFirst ? { ...head, Packsign: packsign } : next;
}

function lastingPart({ Packages: _1, Files: _2, Packsign, ...head }: Database): unknown {
  const { Issued: _3, Expires: _4, Previous: _5, ...packsign } = Packsign;
  return { ...head, packsign };
}

function byPath(warnings: readonly Warning[]): readonly Warning[] {
  return warnings.toSorted((a, b) => compareText(a.path ?? '', b.path ?? '') || compareText(a.code, b.code));
}

import { chainOf } from '../model/chain.js';
import { isEtag } from '../model/trust.js';
import type { AcceptedNote, TrustEntry, TrustPlace } from '../model/trust.js';
import { sha256Of } from '../verify/verify-database.js';
import type { TrustedDatabase, Verdict } from '../verify/verify-database.js';
import type { CurrentKeys } from './current-keys.js';
import { keepDatabase, readKept } from './kept-databases.js';
import type { KeptDatabase } from './kept-databases.js';
import type { Verifying, Source } from './sources.js';
import { storedCertificates } from './stored-certificates.js';
import { changeTrust, writeAcceptedChain } from './trust-store.js';

export interface Decided {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array | null;
  readonly etag: string | null;
  readonly verdict: Verdict;
  readonly keys: CurrentKeys;
}

/** Decides again, by an entry as it is stored now. */
export type DecideAgain = (stored: TrustEntry) => Promise<Pick<Decided, 'verdict' | 'keys'>>;

/**
 * Step 9 of docs/FORMAT.md §8; answers with the verdict that counts. All is merged with what is stored by now: while we
 * waited for a server, another process may have accepted a newer database, learned of a revocation, or changed the entry
 * (threat T28). Then what was decided by the old entry is decided again. Of a refused database nothing is remembered but
 * what pinned primary keys revoked: a revocation must not be forgotten because something else was wrong.
 */
export async function remember(
  decided: Decided,
  { source, request: { run } }: Verifying,
  decideAgain: DecideAgain,
): Promise<Verdict> {
  const { entry } = source;
  const { trust } = run;
  if (entry === null || trust.kind !== 'store') return decided.verdict;
  const kept = keptOf(source, trust)?.signature;
  const wasKept = kept !== undefined && decided.signature !== null && kept.equals(decided.signature);
  let { verdict } = decided;
  await changeTrust(trust, async (before) => {
    const stored = before.entries.find(({ url }) => url === entry.url);
    // Removed meanwhile: it stays removed.
    if (stored === undefined || stored.fingerprints.length === 0) return before;
    const now = isSame(stored, entry) ? decided : await decideAgain(stored);
    ({ verdict } = now);
    const after = await updated(stored, { ...decided, ...now }, run.now);
    const { database, sha256 } = verdict;
    const isNew = sha256 !== stored.accepted?.sha256;
    // Under the lock, since what no entry refers to is swept under it.
    if (isNew && database !== null) writeAcceptedChain(trust.folder, sha256, chainOf(database));
    if (database !== null && (isNew || !wasKept)) keepDatabase(trust.cacheFolder, sha256, decided);
    return { ...before, entries: before.entries.map((one) => (one === stored ? after : one)) };
  });
  return verdict;
}

/** Whether nothing changed that a verdict depends on. */
function isSame(stored: TrustEntry, entry: TrustEntry): boolean {
  const basis = ({ fingerprints, threshold, certificates, accepted }: TrustEntry) => {
    const { issued, sha256, database } = accepted ?? {};
    return JSON.stringify([fingerprints, threshold, certificates, issued, sha256, database]);
  };
  return basis(stored) === basis(entry);
}

async function updated(stored: TrustEntry, { verdict, keys, etag }: Decided, now: Date): Promise<TrustEntry> {
  const { database, sha256 } = verdict;
  const { fingerprints, accepted: before } = stored;
  const offered = { certificates: keys.certificates, fingerprints, isRefused: database === null };
  const certificates = keys.areFresh
    ? await storedCertificates(stored.certificates, offered)
    : stored.certificates;
  if (database === null) return { ...stored, certificates };
  const known = before?.sha256 === sha256 ? before.etag : null;
  const note = acceptedNote({ sha256, database }, etag ?? known);
  return { ...stored, certificates, accepted: note, refreshed: keys.areFresh ? now : stored.refreshed };
}

/** What is kept of a database that was accepted. */
export function acceptedNote(
  { sha256, database }: { readonly sha256: string; readonly database: TrustedDatabase },
  etag: string | null,
): AcceptedNote {
  const { Database = null, Issued: issued, Mirrors: mirrors = [], Notify: notify = null } = database.Packsign;
  const { Maintainer: maintainer = null } = database;
  const known = etag !== null && isEtag(etag) ? etag : null;
  return { issued, sha256, database: Database, maintainer, notify, mirrors, etag: known };
}

/** The last accepted database, with the server's ETag for it; null if the cache does not have all of it. */
export function keptOf(
  { entry }: Source,
  trust: TrustPlace,
): (KeptDatabase & Pick<AcceptedNote, 'etag'>) | null {
  const accepted = entry?.accepted ?? null;
  if (accepted === null || trust.kind !== 'store' || trust.cacheFolder === null) return null;
  const kept = readKept(trust.cacheFolder, accepted.sha256);
  return kept === null || sha256Of(kept.bytes) !== accepted.sha256 ? null : { ...kept, etag: accepted.etag };
}

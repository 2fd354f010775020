import { hashesOf } from '../model/ledger.js';
import type { AcceptedNote, TrustEntry, TrustPlace } from '../model/trust.js';
import { sha256Of } from '../verify/verify-database.js';
import type { TrustedDatabase, Verdict } from '../verify/verify-database.js';
import type { CurrentKeys } from './current-keys.js';
import { forgetDatabases, keepDatabase, readKept } from './kept-databases.js';
import type { KeptDatabase } from './kept-databases.js';
import { armored, entriesOf } from './sources.js';
import type { Verifying, Source } from './sources.js';
import { changeTrust, writeAcceptedHashes } from './trust-store.js';

export interface Decided {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array | null;
  readonly etag: string | null;
  readonly verdict: Verdict;
  readonly keys: CurrentKeys;
}

/**
 * Step 9 of docs/FORMAT.md §8. A refused database is not remembered in any way. What pinned primary keys said of their
 * own keys is: a revocation must not be forgotten because something else was wrong.
 */
export async function remember(
  { bytes, signature, etag, verdict, keys }: Decided,
  { source, request: { run } }: Verifying,
): Promise<void> {
  const { entry } = source;
  const { trust } = run;
  if (entry === null || trust.kind !== 'store') return;
  const { database } = verdict;
  const note = database === null ? null : acceptedNote({ sha256: verdict.sha256, database }, etag);
  const isNew = note !== null && note.sha256 !== entry.accepted?.sha256;
  const isKept = !isNew && (etag === null || keptOf(source, trust) !== null);
  const certificates = await armored(keys.certificates);
  const refreshed = keys.areFresh && database !== null ? run.now : null;
  await changeTrust(trust.folder, (entries) => {
    // Under the lock, since what no entry refers to is swept under it.
    if (isNew && database !== null && entries.some(({ url }) => url === entry.url)) {
      writeAcceptedHashes(trust.folder, note.sha256, hashesOf(database.Archives));
    }
    return entries.map((one) =>
      one.url === entry.url ? updated(one, { note, certificates, refreshed }) : one,
    );
  });
  if (trust.cacheFolder === null) return;
  if (note !== null && signature !== null && !isKept) {
    keepDatabase(trust.cacheFolder, note.sha256, { bytes, signature });
  }
  if (isNew) {
    const needed = entriesOf(trust).map(({ accepted }) => accepted?.sha256 ?? '');
    forgetDatabases(trust.cacheFolder, new Set(needed));
  }
}

interface StoreUpdate extends Pick<TrustEntry, 'certificates' | 'refreshed'> {
  readonly note: AcceptedNote | null;
}

/** Another process may have accepted a newer database meanwhile; never go back. */
function updated(entry: TrustEntry, { note, certificates, refreshed }: StoreUpdate): TrustEntry {
  const { accepted: before } = entry;
  const isNewer = note !== null && (before === null || before.issued <= note.issued);
  const known = before?.sha256 === note?.sha256 ? (before?.etag ?? null) : null;
  const accepted = isNewer ? { ...note, etag: note.etag ?? known } : before;
  return { ...entry, certificates, accepted, refreshed: refreshed ?? entry.refreshed };
}

/** What is kept of a database that was accepted. */
export function acceptedNote(
  { sha256, database }: { readonly sha256: string; readonly database: TrustedDatabase },
  etag: string | null,
): AcceptedNote {
  const { Database, Issued, Mirrors, Notify } = database.Packsign;
  return {
    issued: Issued,
    sha256,
    database: Database ?? null,
    maintainer: database.Maintainer ?? null,
    notify: Notify ?? null,
    mirrors: Mirrors ?? [],
    etag,
  };
}

/** The bytes of the last accepted database, with what the server called them; null where they were not kept whole. */
export function keptOf(
  { entry }: Source,
  trust: TrustPlace,
): (KeptDatabase & { readonly etag: string }) | null {
  const accepted = entry?.accepted ?? null;
  if (accepted?.etag == null || trust.kind !== 'store' || trust.cacheFolder === null) return null;
  const kept = readKept(trust.cacheFolder, accepted.sha256);
  return kept === null || sha256Of(kept.bytes) !== accepted.sha256 ? null : { ...kept, etag: accepted.etag };
}

import { join } from 'node:path';
import { readBounded } from '../disk/files.js';
import { identityBehind, isSameIdentity, nameIdentity } from '../disk/identities.js';
import type { FileIdentity } from '../disk/identities.js';
import { PacksignError } from '../errors.js';
import type { Database } from '../model/database.js';
import { DATABASE_LIMIT_BYTES, KEYS_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import { DATABASE_NAME, KEYS_NAME, signaturePath } from '../model/layout.js';
import type { Certificate } from '../pgp/certificates.js';
import { contentOf } from '../pgp/content.js';
import type { Content } from '../pgp/content.js';
import { verifyDatabase } from '../verify/verify-database.js';

/** Which database lies in a published directory: nothing of it is believed. */
export interface Named {
  readonly sha256: string;
  /** The signature file of exactly these bytes. */
  readonly signature: Buffer | null;
}

/** The same with its bytes. */
export interface Standing extends Named {
  readonly bytes: Buffer;
  readonly content: Content;
  /** Of its file; null where that was touched while it was read. */
  readonly identity: FileIdentity | null;
}

/** A published database that verified against its own `keys.asc`: what a writer may build upon. */
export interface Published {
  readonly database: Database;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly signature: Uint8Array;
}

/** Far enough ahead that no signature lies behind it: a writer's wrong clock is CLOCK_BEHIND's business. */
export const END_OF_TIME = new Date('9999-12-31T00:00:00Z');

/** The database that stands in a directory; null when there is none. Throws FILE_UNREADABLE. */
export function readStanding(directory: string): Standing | null {
  const before = identifyDatabase(directory);
  const bytes = readBounded(join(directory, DATABASE_NAME), DATABASE_LIMIT_BYTES);
  if (bytes === null) return null;
  const content = contentOf(bytes);
  const sha256 = content.sha256();
  const after = identifyDatabase(directory);
  const isStill = before !== null && after !== null && isSameIdentity(before, after);
  return {
    ...{ bytes, content, sha256 },
    signature: readSignature(directory, sha256),
    identity: isStill ? before : null,
  };
}

export function readSignature(directory: string, sha256: string): Buffer | null {
  return readBounded(join(directory, signaturePath(sha256)), SIGNATURE_LIMIT_BYTES);
}

/**
 * Reads a standing database again only when its file or that of its signature is another one than before:
 * for a watch, which would otherwise read and hash a large database at every turn.
 */
export function standingReader(directory: string): () => Standing | null {
  let known: { readonly marks: string; readonly standing: Standing } | null = null;
  const marksOf = (database: FileIdentity | null, { sha256 }: Named) =>
    `${markOf(database)} ${markOf(identityBehind(join(directory, signaturePath(sha256))))}`;
  return () => {
    if (known !== null && marksOf(identifyDatabase(directory), known.standing) === known.marks) {
      return known.standing;
    }
    const standing = readStanding(directory);
    // One that changed while it was read is read again next time.
    known = standing?.identity == null ? null : { marks: marksOf(standing.identity, standing), standing };
    return standing;
  };
}

/** Which file holds the published database. */
export function identifyDatabase(directory: string): FileIdentity | null {
  return identityBehind(join(directory, DATABASE_NAME));
}

function markOf(identity: FileIdentity | null): string {
  return identity === null ? 'none' : nameIdentity(identity);
}

/** The certificates that a directory publishes; none where it has no `keys.asc`. Throws KEYS_MALFORMED. */
export async function readKeys(path: string): Promise<readonly Certificate[]> {
  const bytes = readBounded(path, KEYS_LIMIT_BYTES);
  if (bytes === null) return [];
  const { readCertificates } = await import('../pgp/certificates.js');
  return await readCertificates(bytes);
}

/**
 * The published database, checked before anything is built upon it. Null when there is none.
 * Throws PREVIOUS_INVALID, FOREIGN_DATABASE (docs/FORMAT.md §1, invariant).
 */
export async function readPublished(
  directory: string,
  standing: Standing | null = readStanding(directory),
): Promise<Published | null> {
  if (standing === null) return null;
  const certificates = await readKeys(join(directory, KEYS_NAME));
  const pins = {
    fingerprints: certificates.map(({ fingerprint }) => fingerprint),
    threshold: 'own',
  } as const;
  const verdict = await verifyDatabase(
    { ...standing, certificates },
    { pins, now: END_OF_TIME, accepted: null, url: null },
  );
  if (verdict.status !== 'refused' && standing.signature !== null) {
    return { ...standing, signature: standing.signature, database: verdict.database };
  }
  const path = join(directory, DATABASE_NAME);
  if (!standing.bytes.includes('<key>Packsign</key>')) {
    throw new PacksignError('FOREIGN_DATABASE', `${path} was not made by packsign`, {
      hint: 'start anew with packsign build DIRECTORY --first',
    });
  }
  const why = verdict.message ?? 'it has no signature';
  throw new PacksignError('PREVIOUS_INVALID', `${path} does not verify against ${KEYS_NAME}: ${why}`, {
    hint: 'restore it from a backup or the published site; packsign build DIRECTORY --first starts anew and loses its history',
  });
}

/** The keys of a directory in every form. Throws KEYS_MALFORMED. */
export async function readPublishedKeys(
  directory: string,
): Promise<{ armored: Uint8Array; binary: Uint8Array; certificates: readonly Certificate[] }> {
  const { encodeCertificates } = await import('../pgp/certificates.js');
  const certificates = await readKeys(join(directory, KEYS_NAME));
  const armored = readBounded(join(directory, KEYS_NAME), KEYS_LIMIT_BYTES) ?? new Uint8Array();
  return { armored, binary: encodeCertificates(certificates).binary, certificates };
}

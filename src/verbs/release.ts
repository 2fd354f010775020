import { join } from 'node:path';
import { findSecrets } from '../disk/secrets.js';
import { readBounded, writeDurably } from '../disk/files.js';
import { writeNote } from '../disk/notes.js';
import { PacksignError } from '../errors.js';
import { KEYS_LIMIT_BYTES, thresholdOf } from '../model/database.js';
import type { Database } from '../model/database.js';
import type { Warning } from '../model/finding.js';
import { DATABASE_NAME, GATHERED_NAME, KEYS_NAME, WAITING_NAME, signaturePath } from '../model/layout.js';
import { refuseChangedBytes, refuseMassRemoval } from '../model/policy.js';
import { SLACK_MS, formatInstant } from '../model/time.js';
import type { Certificate } from '../pgp/certificates.js';
import { contentOf } from '../pgp/content.js';
import type { Content } from '../pgp/content.js';
import type { Signer } from '../pgp/signer.js';
import type { SignatureReport } from '../pgp/signatures.js';
import { refreshPage } from './page.js';
import { publishDatabase } from './publish.js';
import type { Publication } from './publish.js';
import type { Published } from './published.js';
import { keyNotPublished } from './rehearse.js';

/** How a database is signed, by whatever verb. */
export interface ReleaseOptions {
  readonly signers: readonly Signer[];
  readonly now: Date;
  readonly deterministic: boolean;
  readonly allowRemoved: boolean;
  /** Where this machine notes what it published; null keeps no note. */
  readonly notesFolder: string | null;
  /** Whether the trust page follows what is published. */
  readonly page?: boolean;
}

/** A database that is ready to be signed. */
export interface Draft {
  readonly bytes: Uint8Array;
  readonly database: Database;
  readonly published: Published | null;
  /** Files of the directory that are no archives. */
  readonly others: readonly string[];
  /** `keys.asc` as it was last published, for a directory that lost it; null where there is none. */
  readonly lastKeys: Uint8Array | null;
  /** Signatures of these bytes that were made before; the file `packages.unsigned.plist.asc`. */
  readonly gathered: Uint8Array | null;
}

export interface Released {
  /** The file that holds the database now. */
  readonly database: string;
  readonly sha256: string;
  readonly issued: Date;
  readonly expires: Date | null;
  /** Primary fingerprints whose signatures count, sorted. */
  readonly signers: readonly string[];
  /** The file that holds the signatures. */
  readonly signature: string;
  readonly published: boolean;
  /** How many signatures are still missing. */
  readonly missing: number;
  readonly threshold: number;
  /** What is published now; null while signatures are missing. */
  readonly publication: Publication | null;
  /** Set by the first publication: whose keys `keys.asc` now tells people to trust. */
  readonly keysWritten: readonly Certificate[] | null;
  readonly warnings: readonly Warning[];
}

type Keys = Publication['keys'] & { readonly certificates: readonly Certificate[]; readonly isNew: boolean };

/**
 * Holds a draft against every policy, signs it, checks the signature with the certificates that users
 * have, and publishes; or keeps it where more signatures are wanted. Nothing published is touched before
 * all of that went well (threats T8, T9).
 */
export async function release(directory: string, draft: Draft, options: ReleaseOptions): Promise<Released> {
  const { bytes, database, published } = draft;
  const content = contentOf(bytes);
  refuseChangedBytes(published?.database ?? null, database);
  if (!options.allowRemoved) refuseMassRemoval(published?.database ?? null, database);
  refuseSecrets(directory, draft.others);
  if (options.signers.length === 0 && draft.gathered === null) throw noKey();
  const keys = await keysFor(directory, draft, options.signers);
  for (const signer of options.signers)
    await requirePublishedKey(signer, { keys, database, now: options.now });

  const { joinSignatures, readSignatures } = await import('../pgp/signatures.js');
  const packets = draft.gathered === null ? [] : [...readSignatures(draft.gathered)];
  for (const signer of options.signers) {
    packets.push(await signer.sign(content, { date: options.now, deterministic: options.deterministic }));
  }
  const signature = joinSignatures(packets);
  const signers = await selfCheck({ content, signature, database }, { keys, options });
  const threshold = thresholdOf(database);
  const outcome = { bytes, signature, sha256: content.sha256(), keys };
  const missing = Math.max(0, threshold - signers.length);
  const warnings = notListed(signers, database);
  if (missing === 0) {
    publishDatabase(directory, outcome, options);
    noteDown(directory, { database, signers, sha256: outcome.sha256 }, options);
    if (options.page === true) warnings.push(...(await refreshPage(directory, { ...outcome, database })));
  } else {
    writeDurably(join(directory, WAITING_NAME), bytes);
    writeDurably(join(directory, GATHERED_NAME), signature);
  }
  return {
    database: join(directory, missing === 0 ? DATABASE_NAME : WAITING_NAME),
    sha256: outcome.sha256,
    issued: database.Packsign.Issued,
    expires: database.Packsign.Expires ?? null,
    signers,
    signature: join(directory, missing === 0 ? signaturePath(outcome.sha256) : GATHERED_NAME),
    published: missing === 0,
    missing,
    threshold,
    publication: missing === 0 ? outcome : null,
    keysWritten: keys.isNew && missing === 0 ? keys.certificates : null,
    warnings,
  };
}

function noKey(): PacksignError {
  return new PacksignError('NO_KEY', 'no key to sign with', { hint: 'name one: packsign sign --key FILE' });
}

function refuseSecrets(directory: string, others: readonly string[]): void {
  const secrets = findSecrets(directory, others);
  if (secrets.length === 0) return;
  throw new PacksignError(
    'SECRET_IN_DIRECTORY',
    `a secret key lies in the directory: ${secrets.join(', ')}`,
    {
      hint: 'move it to a place that is never published',
    },
  );
}

/** What `keys.asc` holds, or will hold after a first publication; read back from its own bytes. */
async function keysFor(directory: string, { lastKeys }: Draft, signers: readonly Signer[]): Promise<Keys> {
  const { encodeCertificates, readCertificates } = await import('../pgp/certificates.js');
  const standing = readBounded(join(directory, KEYS_NAME), KEYS_LIMIT_BYTES) ?? lastKeys;
  const armored = standing ?? encodeCertificates(signers.map(({ certificate }) => certificate)).armored;
  const certificates = await readCertificates(armored);
  return { armored, binary: encodeCertificates(certificates).binary, certificates, isNew: standing === null };
}

async function requirePublishedKey(
  signer: Signer,
  { keys, database, now }: { keys: Keys; database: Database; now: Date },
): Promise<void> {
  const published = keys.certificates.find(({ fingerprint }) => fingerprint === signer.fingerprint);
  if (published === undefined) throw keyNotPublished(signer, 'is not in');
  if (![published.primary, ...published.subkeys].some((key) => key.fingerprint === signer.signingKey)) {
    throw keyNotPublished(signer, 'signs with a subkey that is not in');
  }
  const { expiryOf, requireUsable } = await import('../pgp/certificates.js');
  requireUsable(published, now, signer.signingKey);
  const keyExpires = expiryOf(published, now, signer.signingKey);
  const { Expires } = database.Packsign;
  if (keyExpires === null || (Expires !== undefined && Expires <= keyExpires)) return;
  throw expiresAfterKey(keyExpires, now);
}

/** Holds fresh signatures against the published certificates, as a user will (threat T8). */
async function selfCheck(
  { content, signature, database }: { content: Content; signature: Uint8Array; database: Database },
  { keys, options }: { keys: Keys; options: ReleaseOptions },
): Promise<readonly string[]> {
  const { countDistinct, readSignatures, verifySignatures } = await import('../pgp/signatures.js');
  const latest = new Date(options.now.getTime() + SLACK_MS);
  const reports = await verifySignatures(content, readSignatures(signature), {
    certificates: keys.certificates,
    now: options.now,
  });
  const from = new Date(database.Packsign.Issued.getTime() - SLACK_MS);
  const counted = countDistinct(reports, { from, until: latest });
  for (const signer of options.signers) {
    if (!counted.has(signer.fingerprint)) throw notAccepted(signer, reports);
  }
  return Array.from(counted).sort();
}

function notAccepted(signer: Signer, reports: readonly SignatureReport[]): PacksignError {
  const reason = reports.find(({ issuer }) => issuer === signer.signingKey)?.reason ?? 'no reason given';
  return new PacksignError(
    'SELF_CHECK_FAILED',
    `the new signature does not verify against ${KEYS_NAME}: ${reason}`,
    {
      hint: 'nothing was published; look at the key with packsign key show',
    },
  );
}

function expiresAfterKey(keyExpires: Date, now: Date): PacksignError {
  const days = Math.max(1, Math.floor((keyExpires.getTime() - now.getTime()) / 86_400_000));
  return new PacksignError(
    'EXPIRES_AFTER_KEY',
    `the database would outlive the key that signs it, which expires at ${formatInstant(keyExpires)}`,
    { hint: `extend the key, or shorten "Validity": packsign build --validity "${days} days"` },
  );
}

function notListed(signers: readonly string[], database: Database): Warning[] {
  const listed = database.Packsign.Signers?.Fingerprints;
  if (listed === undefined) return [];
  return signers
    .filter((fingerprint) => !listed.includes(fingerprint))
    .map((fingerprint) => ({
      code: 'SIGNER_NOT_LISTED',
      path: null,
      message: `${fingerprint} is not among "Signers": users who pinned those will refuse its signature alone`,
    }));
}

/** Lets this machine recognise its own directory again. */
export function noteDown(
  directory: string,
  { database, signers, sha256 }: { database: Database; signers: readonly string[]; sha256: string },
  { notesFolder }: Pick<ReleaseOptions, 'notesFolder'>,
): void {
  if (notesFolder === null) return;
  const pinned = database.Packsign.Signers ?? { Threshold: 1, Fingerprints: signers };
  try {
    writeNote(notesFolder, directory, {
      fingerprints: pinned.Fingerprints,
      threshold: pinned.Threshold,
      issued: database.Packsign.Issued,
      sha256,
    });
  } catch {
    // The database is published; without the note, verify here only asks for --keys or --fingerprint.
  }
}

import { join } from 'node:path';
import { readBounded, writeDurably } from '../disk/files.js';
import { writeNote } from '../published/notes.js';
import { PacksignError } from '../errors.js';
import { KEYS_LIMIT_BYTES, thresholdOf } from '../model/database.js';
import type { Database } from '../model/database.js';
import type { Warning } from '../model/finding.js';
import {
  DATABASE_NAME,
  UNSIGNED_SIGNATURES_NAME,
  KEYS_NAME,
  UNSIGNED_NAME,
  signaturePath,
} from '../model/layout.js';
import type { Certificate } from '../pgp/certificates.js';
import { contentOf } from '../pgp/content.js';
import type { Signer } from '../signers/signer.js';
import { collectSignatures, noKey } from './collect-signatures.js';
import type { Mended } from '../page/publish-page.js';
import { publishPendingRevocations, readPendingRevocations } from '../keys/publish-keys.js';
import { publishDatabase } from '../published/replace.js';
import type { Publication } from '../published/replace.js';
import type { Published } from '../published/read.js';
import { requireApproval } from './policy.js';

/** How a database is signed, by whatever verb. */
export interface SignAndPublishOptions {
  readonly signers: readonly Signer[];
  readonly now: Date;
  readonly deterministic: boolean;
  readonly allowRemoved: boolean;
  /** Where this machine notes what it published; null keeps no note. */
  readonly notesFolder: string | null;
  /** Whether the trust page follows what is published. */
  readonly page?: boolean;
  /** Folder of working state. */
  readonly stateFolder: string;
}

/** A database that is ready to be signed. */
export interface Draft {
  readonly bytes: Uint8Array;
  readonly database: Database;
  readonly published: Published | null;
  /** Files of the directory that are not listed. */
  readonly others: readonly string[];
  /** `keys.asc` as it was last published, for a directory that lost it; null where there is none. */
  readonly lastKeys: Uint8Array | null;
  /** Signatures of these bytes that were made before; the file `packages.unsigned.plist.asc`. */
  readonly collected: Uint8Array | null;
  /** Whether it is signed here to be published in another place. */
  readonly elsewhere: boolean;
}

export interface SignedRelease {
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
export async function signAndPublish(
  directory: string,
  draft: Draft,
  options: SignAndPublishOptions,
): Promise<SignedRelease> {
  const { bytes, database, published } = draft;
  const content = contentOf(bytes);
  requireApproval(directory, {
    database,
    published: published?.database ?? null,
    others: draft.others,
    allowRemoved: options.allowRemoved,
  });
  if (options.signers.length === 0 && draft.collected === null) throw noKey();
  const keys = await keysFor(directory, draft, options);
  const threshold = thresholdOf(database);
  if (keys.isNew && !draft.elsewhere && threshold > options.signers.length) throw nobodyKnown(directory);
  const { signature, signers } = await collectSignatures(
    { ...draft, content, certificates: keys.certificates, keepUnknown: keys.isNew && draft.elsewhere },
    options,
  );
  const missing = Math.max(0, threshold - signers.length);
  const warnings = notListed(signers, database);
  const publishes = missing === 0 && !draft.elsewhere;
  let outcome: Publication = { bytes, signature, sha256: content.sha256(), keys };
  if (publishes) {
    await publishDatabase(directory, outcome, {
      now: options.now,
      follow: async () => {
        writePublisherNote(directory, { database, signers, sha256: outcome.sha256 }, options);
        const { keys: now, warnings: said } = await followUp(
          directory,
          { ...outcome, keys, database },
          options,
        );
        outcome = { ...outcome, keys: now };
        warnings.push(...said);
      },
    });
  } else {
    writeDurably(join(directory, UNSIGNED_NAME), bytes);
    writeDurably(join(directory, UNSIGNED_SIGNATURES_NAME), signature);
  }
  return {
    database: join(directory, publishes ? DATABASE_NAME : UNSIGNED_NAME),
    sha256: outcome.sha256,
    issued: database.Packsign.Issued,
    expires: database.Packsign.Expires ?? null,
    signers,
    signature: join(directory, publishes ? signaturePath(outcome.sha256) : UNSIGNED_SIGNATURES_NAME),
    published: publishes,
    missing,
    threshold,
    publication: publishes ? outcome : null,
    keysWritten: keys.isNew && publishes ? keys.certificates : null,
    warnings,
  };
}

/** Page, then revocations that waited (docs/FORMAT.md §1); a page of the keys before is then made again. */
async function followUp(
  directory: string,
  shown: Omit<Publication, 'signature' | 'bytes'> & { readonly database: Database; readonly keys: Keys },
  { page = false, stateFolder }: SignAndPublishOptions,
): Promise<{ readonly keys: Publication['keys']; readonly warnings: readonly Warning[] }> {
  const refresh = async (keys: Keys) => {
    if (!page) return [];
    const { refreshPage } = await import('../page/publish-page.js');
    return await refreshPage(directory, { ...shown, keys });
  };
  const warnings = await refresh(shown.keys);
  const keys = await publishPendingRevocations(directory, stateFolder);
  if (keys === null) return { keys: shown.keys, warnings };
  const { readCertificates } = await import('../pgp/certificates.js');
  const certificates = await readCertificates(keys.armored);
  return { keys, warnings: await refresh({ ...keys, certificates, isNew: false }) };
}

interface CatchUpOptions extends Pick<SignAndPublishOptions, 'page' | 'stateFolder'> {
  /** See `repairPage`; null repairs at once. */
  readonly stillSince?: Date | null;
}

/** The same after a run that ended in between, and a page that others spoiled since; `sha256` is what stands there. */
export async function finishPublication(
  directory: string,
  sha256: string,
  { page = false, stateFolder, stillSince = null }: CatchUpOptions,
): Promise<Mended> {
  await publishPendingRevocations(directory, stateFolder);
  if (!page) return { written: false, again: false, warnings: [] };
  const { repairPage } = await import('../page/publish-page.js');
  return await repairPage(directory, sha256, { stillSince });
}

function nobodyKnown(directory: string): PacksignError {
  return new PacksignError(
    'KEY_NOT_PUBLISHED',
    `there is no ${join(directory, KEYS_NAME)} to hold the signatures of the others against`,
    {
      hint: 'publish the certificate of every signer first: packsign key publish DIRECTORY --certificate FILE',
    },
  );
}

/**
 * What `keys.asc` holds, or will hold after a first publication; read back from its own bytes. A revocation that
 * waits for this database is in force for whoever signs it.
 */
async function keysFor(
  directory: string,
  { lastKeys }: Draft,
  { signers, stateFolder }: SignAndPublishOptions,
): Promise<Keys> {
  const { encodeCertificates, mergeCertificates, readCertificates } = await import('../pgp/certificates.js');
  const standing = readBounded(join(directory, KEYS_NAME), KEYS_LIMIT_BYTES) ?? lastKeys;
  if (standing === null && signers.length === 0) throw nobodyKnown(directory);
  const armored = standing ?? encodeCertificates(signers.map(({ certificate }) => certificate)).armored;
  const published = await readCertificates(armored);
  const held = await readPendingRevocations(stateFolder);
  const certificates = held.length === 0 ? published : await mergeCertificates(published, held);
  return { armored, binary: encodeCertificates(published).binary, certificates, isNew: standing === null };
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
export function writePublisherNote(
  directory: string,
  { database, signers, sha256 }: { database: Database; signers: readonly string[]; sha256: string },
  { notesFolder }: Pick<SignAndPublishOptions, 'notesFolder'>,
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

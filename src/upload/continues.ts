import { PacksignError } from '../errors.js';
import { breaksIn, chainOf, continues } from '../model/chain.js';
import { isFromFuture } from '../model/dated-back.js';
import type { Database } from '../model/database.js';
import { KEYS_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import { KEYS_NAME, signaturePath } from '../model/layout.js';
import { shellWord } from '../model/shell.js';
import { formatInstant } from '../model/time.js';
import type { Certificate } from '../pgp/certificates.js';
import { contentOf } from '../pgp/content.js';
import { DATABASE_LIMITS } from '../places/place.js';
import type { Place } from '../places/place.js';
import type { SignedDatabase } from '../published/published.js';
import { certificatesIn } from '../published/read.js';
import { END_OF_TIME } from '../published/verified.js';
import { verifyAndRead } from '../verify/verify-database.js';
import type { Outbound } from './outbound.js';

/** The database at a destination, with its signature and keys. None of it is verified. */
export interface Found {
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly etag: string | null;
  readonly signature: Buffer | null;
  /** The file `keys.asc`. */
  readonly keys: Buffer | null;
}

/** What the destination has from before. */
export interface Predecessor {
  readonly found: Found;
  /** Verified as one of ours; null if only our journal says so. */
  readonly database: Database | null;
}

/** Null if there is no database. */
export async function findAt(place: Place): Promise<Found | null> {
  const read = await place.readDatabase({ ...DATABASE_LIMITS, fresh: true });
  if (read.kind !== 'found') return null;
  const sha256 = contentOf(read.bytes).sha256();
  const beside = async (path: string, limitBytes: number) => {
    const file = await place.readBeside(path, { limitBytes, tooLarge: 'DATABASE_TOO_LARGE', fresh: true });
    return file.kind === 'found' ? file.bytes : null;
  };
  const signature = await beside(signaturePath(sha256), SIGNATURE_LIMIT_BYTES);
  return { ...read, sha256, signature, keys: await beside(KEYS_NAME, KEYS_LIMIT_BYTES) };
}

export interface Claims {
  readonly destination: string;
  /** SHA-256 of the database that this machine last put there; null if it never did. */
  readonly last: string | null;
  readonly now: Date;
}

/**
 * Requires that our database continues the one at the destination, so that no reader goes backwards (threat T33). Throws
 * DESTINATION_NEWER, DESTINATION_FORKED, DESTINATION_FOREIGN.
 */
export async function requireContinued(
  outbound: Outbound,
  found: Found,
  { destination, last, now }: Claims,
): Promise<Predecessor> {
  const { signed, directory } = outbound;
  if (found.sha256 === signed.content.sha256()) return { found, database: signed.database };
  const verdict = await verdictOn(found, outbound);
  if (typeof verdict === 'string') {
    if (found.sha256 === last) return { found, database: null };
    throw new PacksignError(
      'DESTINATION_FOREIGN',
      `the database at ${destination} is somebody else's, or damaged: ${verdict}`,
      {
        hint: 'check what it is, and publish to another place; if it was yours, remove its packages.plist by hand, then publish again',
      },
    );
  }
  const ours = signed.database;
  const [ourDate, theirDate] = [ours.Packsign.Issued, verdict.Packsign.Issued];
  const order = ourDate.getTime() - theirDate.getTime();
  if (replacesFuture(ours, verdict, { found, last, now })) return { found, database: verdict };
  if (order > 0 && continues(ours, verdict)) return { found, database: verdict };
  const [here, there] = [formatInstant(ourDate), formatInstant(theirDate)];
  const again = `packsign publish ${shellWord(directory)} ${shellWord(destination)} --adopt --key FILE`;
  if (order < 0 && continues(verdict, ours)) {
    throw new PacksignError(
      'DESTINATION_NEWER',
      `${destination} has a later database, of ${there}; the one in ${directory} is of ${here}`,
      { hint: `take its entries over, sign and publish: ${again}` },
    );
  }
  throw new PacksignError(
    'DESTINATION_FORKED',
    `${destination} has a database of ${there} that the one in ${directory}, of ${here}, does not continue: another machine published`,
    { hint: `join both, sign and publish: ${again}` },
  );
}

/**
 * Whether ours takes the place of one from the future, which no reader with a right clock has: it was built upon that, or
 * lists or records all that this machine put there. Records from the future have other dates by now.
 */
function replacesFuture(
  ours: Database,
  before: Database,
  { found, last, now }: Pick<Claims, 'last' | 'now'> & { readonly found: Found },
): boolean {
  if (!isFromFuture(before, now)) return false;
  if (ours.Packsign.Previous === found.sha256) return true;
  const { files, records } = chainOf(before);
  const chain = { files, records: records.filter(({ Until }) => Until <= now) };
  return last === found.sha256 && breaksIn(ours, { issued: new Date(0), chain }).length === 0;
}

/** The database if our keys have signed it, also those that are revoked by now; else why not. */
async function verdictOn(found: Found, { certificates, signed }: Outbound): Promise<Database | string> {
  if (found.signature === null) return 'it has no signature';
  const { withoutRevocations } = await import('../keys/revocation.js');
  return await databaseUnder(await Promise.all(certificates.map(withoutRevocations)), found, signed);
}

/** The database, verified against these certificates; else why it is refused. `ours` lists nearly the same. */
export async function databaseUnder(
  certificates: readonly Certificate[],
  { bytes, signature }: Pick<Found, 'bytes' | 'signature'>,
  ours: SignedDatabase,
): Promise<Database | string> {
  const fingerprints = certificates.map(({ fingerprint }) => fingerprint);
  const { verdict } = await verifyAndRead(
    { bytes, signature, certificates, other: ours.reading },
    { pins: { fingerprints, threshold: 'own' }, now: END_OF_TIME, accepted: null, url: null },
  );
  return verdict.status === 'refused' ? verdict.message : verdict.database;
}

/** The certificates beside a database; none if they cannot be read. */
export async function certificatesOf({ keys }: Found): Promise<readonly Certificate[]> {
  return keys === null ? [] : await certificatesIn(keys).catch(() => []);
}

import { PacksignError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { KEYS_LIMIT_BYTES } from '../model/database.js';
import { KEYS_NAME } from '../model/layout.js';
import { SLACK_MS } from '../model/time.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Place } from '../places/place.js';
import { certificatesIn } from '../published/read.js';
import type { Verifying } from './sources.js';

export interface CurrentKeys {
  readonly certificates: readonly Certificate[];
  /** Whether a look for newer ones succeeded. */
  readonly areFresh: boolean;
  /** What is wrong with the `keys.asc` that is there; null where nothing is, or it could not be looked at. */
  readonly defect: { readonly code: ErrorCode; readonly message: string } | null;
  readonly notices: readonly string[];
}

/** After this time certificates are asked for again, although the database is not new. */
const KEYS_AGE_MS = 24 * 60 * 60 * 1000;

/**
 * The certificates of pinned primaries, with what `keys.asc` adds to them: new subkeys, longer expiry, revocations
 * (docs/FORMAT.md §8). Nothing else in it is looked at, and a `keys.asc` that is damaged or gone changes nothing.
 */
export async function currentKeys(sha256: string, verifying: Verifying): Promise<CurrentKeys> {
  const keys = await lookForKeys(sha256, verifying);
  return { ...keys, notices: [...keys.notices, ...keys.certificates.flatMap(revokerNotices)] };
}

async function lookForKeys(sha256: string, { place, source, request }: Verifying): Promise<CurrentKeys> {
  const { pins, entry, certificates } = source;
  const known: CurrentKeys = { certificates, areFresh: false, defect: null, notices: [] };
  const isNew = request.keysDue === true || entry?.accepted?.sha256 !== sha256;
  const age = request.run.now.getTime() - (entry?.refreshed?.getTime() ?? -Infinity);
  // A look in the future was made by a wrong clock.
  const isDue = isNew || age > KEYS_AGE_MS || age < -SLACK_MS || certificates.some(lacksRevoker);
  if (!source.fetchesKeys || !isDue) return known;
  try {
    const only = pins === null || pins === 'beside' ? null : new Set(pins.fingerprints);
    const fresh = await readKeysBeside(place, only);
    if (fresh === null && source.url === null) return known;
    if (fresh === null)
      return { ...known, notices: [`ignoring ${KEYS_NAME}: there is no ${place.nameOf(KEYS_NAME)}`] };
    const { mergeCertificates } = await import('../pgp/certificates.js');
    return { ...known, areFresh: true, certificates: await mergeCertificates(certificates, fresh) };
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    const { code, message } = error;
    const defect = ['KEYS_MALFORMED', 'FILE_UNREADABLE'].includes(code) ? { code, message } : null;
    return { ...known, defect, notices: [`ignoring ${KEYS_NAME}: ${message}`] };
  }
}

function lacksRevoker({ revokers }: Certificate): boolean {
  return revokers.some(({ isKnown }) => !isKnown);
}

/** Without its certificate, nobody can tell whether a designated revoker revoked the key. */
function revokerNotices({ fingerprint, revokers }: Certificate): readonly string[] {
  return revokers
    .filter(({ isKnown }) => !isKnown)
    .map((revoker) => {
      const right = `the key ${revoker.fingerprint} may revoke ${fingerprint}`;
      return `${right}, and its certificate is not here: packsign cannot tell whether it did`;
    });
}

/**
 * What `keys.asc` beside a database holds, for which nobody answers; of some primary keys only, or all of them. Throws
 * KEYS_MALFORMED, also where there is none.
 */
export async function readOfferedKeys(
  place: Place,
  only: ReadonlySet<string> | null = null,
): Promise<readonly Certificate[]> {
  const keys = await readKeysBeside(place, only);
  if (keys !== null) return keys;
  throw new PacksignError('KEYS_MALFORMED', `there is no ${place.nameOf(KEYS_NAME)}`);
}

async function readKeysBeside(
  place: Place,
  only: ReadonlySet<string> | null,
): Promise<readonly Certificate[] | null> {
  const limits = { limitBytes: KEYS_LIMIT_BYTES, tooLarge: 'KEYS_MALFORMED' } as const;
  const read = await place.readBeside(KEYS_NAME, limits);
  return read.kind === 'found' ? await certificatesIn(read.bytes, only) : null;
}

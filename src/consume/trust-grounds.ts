import { PacksignError } from '../errors.js';
import { namedAddress } from '../model/address.js';
import { thresholdOf } from '../model/database.js';
import { parseFingerprint } from '../model/fingerprint.js';
import type { Grounds } from '../model/trust.js';
import type { Network } from '../net/transport.js';
import type { Certificate } from '../pgp/certificates.js';
import { addressPlace } from '../places/address.js';
import { certificatesIn } from '../published/read.js';
import { readOfferedKeys } from './current-keys.js';
import { fetchSource, fetchThrough } from './fetch.js';
import type { FetchedDatabase } from './fetch.js';
import { NO_PINS, pinsOf, readNamedKeys, requireThreshold } from './pins.js';
import { sourceUnder } from './sources.js';
import type { Run } from '../run.js';

/** How a user wants to trust a database: exactly one of keys or fingerprints, `blindly`, and `via`. */
export interface GroundsOptions {
  readonly run: Run;
  /** Certificates, or the path of a file with them: all of their primaries are pinned. */
  readonly keys: Uint8Array | string | null;
  /** Primary fingerprints to pin, as people write them; their certificates come from `keys`, else from `keys.asc` beside the database. */
  readonly fingerprints: readonly string[];
  /** Pins nothing. */
  readonly blindly: boolean;
  /** Name of a trusted database that vouches for this one. */
  readonly via: string | null;
  /** Null asks for all keys that are given, or for as many as the database does that vouches (`via`). */
  readonly threshold: number | null;
}

/** Why a database is to be trusted, and by which keys. */
export interface ChosenGrounds {
  readonly grounds: Grounds;
  /** The certificates of the pinned primaries alone. */
  readonly certificates: readonly Certificate[];
  /** How many of them must have signed; 0 for none. */
  readonly threshold: number;
  /** Whether the user said so: then the database's own threshold does not raise it. */
  readonly isSaid: boolean;
}

/**
 * Chooses the keys, and how many of them must have signed: what the user says, else all keys that the user gives, or as
 * many as the database asks for that vouches. Throws USAGE, NOT_VOUCHED_FOR, FINGERPRINT_MISSING, KEYS_MALFORMED,
 * FILE_UNREADABLE, and what `fetchThrough` throws.
 */
export async function chooseGrounds(
  network: Network,
  url: string,
  options: GroundsOptions,
): Promise<ChosenGrounds> {
  const { keys, blindly, via, threshold } = options;
  const fingerprints = options.fingerprints.map(parseFingerprint);
  const ways = [keys !== null || fingerprints.length > 0, blindly, via !== null].filter(Boolean).length;
  if (ways !== 1) {
    const how = 'by its keys, because another trusted database vouches for it, or blindly';
    throw new PacksignError('USAGE', `say how to trust it: ${how}`, {
      hint: `packsign trust add ${url} --keys FILE, or --fingerprint FPR, --via NAME, --blindly`,
    });
  }
  if (blindly) return { grounds: { kind: 'blindly' }, certificates: [], threshold: 0, isSaid: false };
  if (via !== null) return await vouched(network, url, { ...options, via });
  const only = fingerprints.length === 0 ? null : new Set(fingerprints);
  const certificates =
    keys === null ? await readOfferedKeys(addressPlace(network, url), only) : await readGiven(keys, only);
  requireAll(fingerprints, certificates, keys === null ? `keys.asc of ${url} does` : 'the given keys do');
  if (threshold !== null) requireThreshold(threshold, certificates.length);
  return {
    grounds: { kind: keys === null ? 'fingerprint' : 'keys' },
    certificates,
    // The database must not say how few are enough: one stolen key of two could sign that (threat T34).
    threshold: threshold ?? certificates.length,
    isSaid: threshold !== null,
  };
}

async function readGiven(
  keys: Uint8Array | string,
  only: ReadonlySet<string> | null,
): Promise<readonly Certificate[]> {
  return typeof keys === 'string' ? await readNamedKeys(keys, only) : await certificatesIn(keys, only);
}

/** Throws FINGERPRINT_MISSING unless each of these keys is there. `where`: `keys.asc of URL does`. */
function requireAll(
  fingerprints: readonly string[],
  certificates: readonly Certificate[],
  where: string,
): void {
  const held = new Set(certificates.map(({ fingerprint }) => fingerprint));
  const missing = fingerprints.find((wanted) => !held.has(wanted));
  if (missing === undefined) return;
  throw new PacksignError('FINGERPRINT_MISSING', `${where} not hold ${missing}`, {
    hint: 'compare the fingerprint with its source again; if it is right, this is not that database',
  });
}

/** Finds what a trusted database says about this one, and the keys that it names. Throws NOT_VOUCHED_FOR. */
async function vouched(
  network: Network,
  url: string,
  options: GroundsOptions & { readonly via: string },
): Promise<ChosenGrounds> {
  const { via } = options;
  const fetched = await fetchThrough(network, via, { ...NO_PINS, run: options.run });
  if (fetched.trusted === null || fetched.status !== 'authentic') {
    const why = `${via} is ${fetched.status}, so it cannot vouch for others now`;
    throw new PacksignError('NOT_VOUCHED_FOR', why);
  }
  const offer = (fetched.trusted.Packsign.Trusts ?? []).find((trust) => namedAddress(trust.URL) === url);
  if (offer === undefined || offer.Fingerprints.length === 0) {
    throw new PacksignError('NOT_VOUCHED_FOR', `${via} does not vouch for ${url}`, {
      hint: 'packsign trust refresh shows what it vouches for',
    });
  }
  const certificates = await readOfferedKeys(addressPlace(network, url), new Set(offer.Fingerprints));
  requireAll(offer.Fingerprints, certificates, `keys.asc of ${url} does`);
  const asked = Math.max(offer.Threshold ?? 1, 1);
  if (asked > certificates.length) {
    const names = certificates.length === 1 ? 'one key' : `${certificates.length} keys`;
    const why = `${via} asks for ${asked} signatures on ${url}, and names ${names}`;
    throw new PacksignError('NOT_VOUCHED_FOR', why, {
      hint: 'tell its maintainer, or trust the database by its keys: --keys FILE',
    });
  }
  const { threshold } = options;
  if (threshold !== null) requireThreshold(threshold, certificates.length);
  if (threshold !== null && threshold < asked) {
    const why = `${via} asks for ${asked} signatures, so --threshold ${threshold} is too few`;
    throw new PacksignError('USAGE', why);
  }
  const grounds = { kind: 'vouched', by: via } as const;
  return { grounds, certificates, threshold: threshold ?? asked, isSaid: false };
}

export interface Examined {
  readonly database: FetchedDatabase;
  readonly threshold: number;
}

/**
 * Verifies the database against the keys. Its own threshold only raises the one that was chosen. Throws the code of a
 * refusal, also TOO_FEW_SIGNATURES if it asks for more keys than are known.
 */
export async function examine(
  network: Network,
  { url, certificates, threshold, isSaid }: { url: string } & ChosenGrounds,
  { run, via }: GroundsOptions,
): Promise<Examined> {
  const look = async (least: number): Promise<FetchedDatabase> => {
    const pins = certificates.length === 0 ? null : pinsOf(certificates, least);
    const database = await fetchSource(network, sourceUnder(url, certificates, pins), { run });
    if (database.status !== 'refused') return database;
    const isAll = database.code === 'TOO_FEW_SIGNATURES' && via === null && !isSaid;
    const hint = isAll
      ? 'all keys that you give must have signed, unless you say with --threshold how many are enough'
      : 'do not use it; ask its maintainer which keys sign the database';
    const message = `${url} was not added: ${database.message ?? ''}`;
    throw new PacksignError(database.code ?? 'SIGNATURE_INVALID', message, { hint });
  };
  const database = await look(threshold);
  const own = database.trusted === null ? 0 : thresholdOf(database.trusted);
  if (isSaid || own <= threshold) return { database, threshold };
  if (own <= certificates.length) return { database: await look(own), threshold: own };
  const message = `${url} was not added: it asks for the signatures of ${own} keys, and ${certificates.length} would be pinned`;
  const hint =
    via === null
      ? `give the keys of the other signers too, or say with --threshold ${threshold} that fewer are enough`
      : `ask the maintainer of ${via} to name all of its signers`;
  throw new PacksignError('TOO_FEW_SIGNATURES', message, { hint });
}

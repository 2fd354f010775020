import { PacksignError } from '../errors.js';
import { parseFingerprint } from '../model/fingerprint.js';
import type { AcceptedNote, TrustEntry } from '../model/trust.js';
import type { Certificate } from '../pgp/certificates.js';
import { certificatesIn, readCertificateFile } from '../published/read.js';
import type { Accepted, Pins } from '../verify/verify-database.js';

/** Keys that the user names for one run, whatever the trust store says. */
export interface PinOptions {
  /** A file of certificates: all of its primaries are pinned. */
  readonly keysFile: string | null;
  /** Primary fingerprints to insist on, as people write them; their certificates come from `keysFile`, else from `keys.asc`. */
  readonly fingerprints: readonly string[];
  readonly threshold: number | null;
}

/** The user names no keys: the store decides. */
export const NO_PINS: PinOptions = { keysFile: null, fingerprints: [], threshold: null };

/** Everything that may say whose signatures count. A caller gives what applies to it. */
export interface PinCandidates {
  readonly named?: PinOptions;
  /** What is known of keys that the user may name: nobody unsays a revocation by naming its key. */
  readonly known?: readonly Certificate[];
  /** The keys that the maintainer's own directory publishes. */
  readonly published?: readonly Certificate[];
  /** Fingerprints from the maintainer's settings. */
  readonly signers?: readonly string[];
  readonly entry?: TrustEntry | null;
  /** What this machine noted when it published the directory. */
  readonly note?: (Pick<AcceptedNote, 'issued' | 'sha256'> & Pins) | null;
  /** The keys that are about to sign. */
  readonly signing?: readonly Certificate[];
  /** Whether the keys beside the database may do, which authenticates nobody. */
  readonly beside?: boolean;
}

/** `option`: the user or the maintainer's directory named the keys; `publisher`: this machine's note of what it published. */
export type PinnedBy = 'option' | 'store' | 'publisher' | 'directory';

export interface ChosenPins {
  /** Null where nothing is pinned; `beside` pins all that `keys.asc` beside the database holds. */
  readonly pins: Pins | 'beside' | null;
  readonly pinnedBy: PinnedBy | null;
  /** What is known of the pinned primaries without asking the place. */
  readonly certificates: readonly Certificate[];
  /** The last database that this machine accepted from there, where a note says so. */
  readonly accepted: Accepted | null;
}

/**
 * Decides whose signatures count: the first candidate in the order of `PinCandidates`, from what a person said just now
 * to what proves nothing. Throws USAGE, FILE_UNREADABLE, KEYS_MALFORMED (of a file that the user named).
 */
export async function choosePins(candidates: PinCandidates): Promise<ChosenPins> {
  const { named, published = [], signers = [], entry, note, signing = [], beside = false } = candidates;
  if (named !== undefined && isNaming(named)) return await pinnedByName(named, candidates.known ?? []);
  if (published.length > 0) return pinned('option', pinsOf(published), published);
  if (signers.length > 0) return pinned('option', { fingerprints: signers, threshold: 'own' });
  if (entry != null && entry.fingerprints.length > 0) {
    const only = new Set(entry.fingerprints);
    return pinned('store', entry, await readArmored(entry.certificates, only));
  }
  if (note != null) return { ...pinned('publisher', note), accepted: note };
  if (signing.length > 0) return pinned('option', pinsOf(signing), signing);
  return { ...NOTHING_PINNED, ...(beside ? { pins: 'beside', pinnedBy: 'directory' } : {}) };
}

const NOTHING_PINNED: ChosenPins = { pins: null, pinnedBy: null, certificates: [], accepted: null };

/** Whether the user named keys at all. */
export function isNaming({ keysFile, fingerprints }: PinOptions): boolean {
  return keysFile !== null || fingerprints.length > 0;
}

/** All of these keys, as many of whom must sign as the database itself asks for. */
export function pinsOf(certificates: readonly Certificate[], threshold: Pins['threshold'] = 'own'): Pins {
  return { fingerprints: certificates.map(({ fingerprint }) => fingerprint), threshold };
}

function pinned(
  pinnedBy: PinnedBy,
  { fingerprints, threshold }: Pins,
  certificates: readonly Certificate[] = [],
): ChosenPins {
  return { pins: { fingerprints, threshold }, pinnedBy, certificates, accepted: null };
}

async function pinnedByName(
  { keysFile, fingerprints, threshold }: PinOptions,
  known: readonly Certificate[],
): Promise<ChosenPins> {
  const insisted = fingerprints.map(parseFingerprint);
  const only = insisted.length > 0 ? new Set(insisted) : null;
  const certificates = keysFile === null ? [] : await readNamedKeys(keysFile, only);
  const named = insisted.length > 0 ? insisted : pinsOf(certificates).fingerprints;
  const pins = { fingerprints: [...new Set(named)], threshold: threshold ?? 1 };
  requireThreshold(pins.threshold, pins.fingerprints.length);
  const same = known.filter(({ fingerprint }) => pins.fingerprints.includes(fingerprint));
  if (same.length === 0) return pinned('option', pins, certificates);
  const { mergeCertificates } = await import('../pgp/certificates.js');
  return pinned('option', pins, await mergeCertificates(same, certificates));
}

/** The certificates of a file that the user named, or those of some primary keys. Throws FILE_UNREADABLE, KEYS_MALFORMED. */
export async function readNamedKeys(
  file: string,
  only: ReadonlySet<string> | null = null,
): Promise<readonly Certificate[]> {
  const certificates = await readCertificateFile(file, only);
  if (certificates !== null) return certificates;
  throw new PacksignError('FILE_UNREADABLE', `there is no file ${file}`);
}

/** Throws USAGE for a threshold that so many keys cannot meet. */
export function requireThreshold(threshold: number, keys: number): void {
  if (threshold >= 1 && threshold <= keys) return;
  throw new PacksignError('USAGE', `--threshold ${threshold} does not fit the ${keys} keys that are pinned`);
}

/** The certificates of an armored text of our own, or those of some primary keys; none for null. */
export async function readArmored(
  text: string | null,
  only: ReadonlySet<string> | null = null,
): Promise<readonly Certificate[]> {
  return text === null ? [] : await certificatesIn(Buffer.from(text), only);
}

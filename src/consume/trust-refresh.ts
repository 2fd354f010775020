import { changeTrust } from './trust-store.js';
import { PacksignError } from '../errors.js';
import type { Trust } from '../model/database.js';
import { parseFingerprint } from '../model/fingerprint.js';
import type { TrustEntry, TrustStore } from '../model/trust.js';
import { withNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import type { Certificate } from '../pgp/certificates.js';
import { addressPlace } from '../places/address.js';
import { readOfferedKeys } from './current-keys.js';
import { fetchThrough, noticesOf } from './fetch.js';
import type { FetchedDatabase } from './fetch.js';
import { NO_PINS, pinsOf, readArmored } from './pins.js';
import { findEntry, notTrusted, withKeysOf } from './sources.js';
import { storedCertificates } from './stored-certificates.js';
import { describe } from './trust-list.js';
import type { Trusted } from './trust-list.js';
import { keyOf } from './trust.js';
import type { PinnedKey, TrustOptions } from './trust.js';

/** A signer that a database names and that is not pinned. */
export interface ProposedKey extends PinnedKey {
  /** Pinned primaries that certified it. */
  readonly certifiedBy: readonly string[];
}

export interface Refreshed extends Trusted {
  /** Whether its database was not refused. */
  readonly ok: boolean;
  readonly status: FetchedDatabase['status'];
  readonly code: FetchedDatabase['code'];
  readonly message: string | null;
  /** Whether its certificates changed. */
  readonly keysChanged: boolean;
  /** New primaries that its database names; only the user can pin them. */
  readonly proposed: readonly ProposedKey[];
  readonly pinned: readonly string[];
  readonly offers: readonly Trust[];
  readonly notices: readonly string[];
}

export interface TrustRefreshOptions extends TrustOptions {
  /** Proposed primaries that the user wants to pin now, as people write fingerprints. */
  readonly pin: readonly string[];
  /** Called before they are pinned, with who certified them; false ends with NOT_CONFIRMED. */
  readonly confirm: (name: string, keys: readonly ProposedKey[]) => Promise<boolean>;
}

/**
 * Fetches a trusted database and its certificates again. Pins a proposed primary only if the user names it. Throws
 * NOT_TRUSTED, FINGERPRINT_MISSING, NOT_CONFIRMED, and what `fetchDatabase` throws.
 */
export async function trustRefresh(target: string, options: TrustRefreshOptions): Promise<Refreshed> {
  const { run } = options;
  const place = run.trust;
  const pin = options.pin.map(parseFingerprint);
  const before = findEntry(target, place);
  if (before === null) throw notTrusted(target, place);
  return await withNetwork(run.network, async (network) => {
    const fetched = await fetchThrough(network, before.name, { ...NO_PINS, run, fresh: true, keysDue: true });
    const { proposed, certificates } = await proposals(network, fetched, {
      entry: findEntry(before.url, place) ?? before,
      now: run.now,
    });
    requireProposed(pin, before.name, proposed);
    const isPinned = ({ fingerprint }: Pick<PinnedKey, 'fingerprint'>) => pin.includes(fingerprint);
    if (pin.length > 0) {
      if (!(await options.confirm(before.name, proposed.filter(isPinned)))) {
        throw new PacksignError('NOT_CONFIRMED', `no further key was pinned for ${before.name}`);
      }
      await pinMore(certificates.filter(isPinned), before, place);
    }
    const entry = findEntry(before.url, place) ?? before;
    const { status, code, message } = fetched;
    return {
      ...(await describe(entry, place)),
      ...{ ok: status !== 'refused', status, code, message, pinned: pin },
      notices: noticesOf(fetched),
      keysChanged: entry.certificates !== before.certificates,
      proposed: proposed.filter((key) => !isPinned(key)),
      offers: fetched.trusted?.Packsign.Trusts ?? [],
    };
  });
}

async function proposals(
  network: Network,
  { trusted, from }: FetchedDatabase,
  { entry, now }: { readonly entry: TrustEntry; readonly now: Date },
): Promise<{ proposed: readonly ProposedKey[]; certificates: readonly Certificate[] }> {
  const named = trusted?.Packsign.Signers?.Fingerprints ?? [];
  const unknown = named.filter((fingerprint) => !entry.fingerprints.includes(fingerprint));
  if (unknown.length === 0) return { proposed: [], certificates: [] };
  const { isCertifiedBy } = await import('../pgp/certification.js');
  const { mergeCertificates } = await import('../pgp/certificates.js');
  const only = new Set([...unknown, ...entry.fingerprints]);
  const offered = await readOfferedKeys(addressPlace(network, from), only);
  // A pinned key that was revoked since certifies nothing.
  const merged = await mergeCertificates(await readArmored(entry.certificates), offered);
  const known = merged.filter(({ fingerprint }) => entry.fingerprints.includes(fingerprint));
  const certificates = offered.filter(({ fingerprint }) => unknown.includes(fingerprint));
  const proposed: ProposedKey[] = [];
  for (const certificate of certificates) {
    const certifiedBy: string[] = [];
    for (const old of known)
      if (await isCertifiedBy(certificate, old, now)) certifiedBy.push(old.fingerprint);
    proposed.push({ ...keyOf(certificate), certifiedBy });
  }
  return { proposed, certificates };
}

function requireProposed(wanted: readonly string[], name: string, proposed: readonly ProposedKey[]): void {
  const strange = wanted.find((one) => !proposed.some(({ fingerprint }) => fingerprint === one));
  if (strange === undefined) return;
  throw new PacksignError('FINGERPRINT_MISSING', `${name} does not propose the key ${strange}`, {
    hint: `packsign trust refresh ${name} shows what it proposes`,
  });
}

/** Pins these too, in the entry as it is stored now. Throws NOT_TRUSTED if it was removed meanwhile. */
async function pinMore(
  added: readonly Certificate[],
  { url, name }: TrustEntry,
  place: TrustStore,
): Promise<void> {
  await changeTrust(place, async (before) => {
    const stored = before.entries.find((entry) => entry.url === url);
    if (stored === undefined) throw notTrusted(name, place);
    const fingerprints = [...new Set([...stored.fingerprints, ...pinsOf(added).fingerprints])];
    const offered = { certificates: added, fingerprints, isRefused: false };
    const certificates = await withKeysOf(stored, place, () =>
      storedCertificates(stored.certificates, offered),
    );
    const after: TrustEntry = { ...stored, fingerprints, certificates };
    return { ...before, entries: before.entries.map((entry) => (entry === stored ? after : entry)) };
  });
}

import { PacksignError } from '../errors.js';
import type { Database, Signers } from '../model/database.js';
import type { Settings } from '../model/settings.js';
import { cleanText } from '../model/text.js';
import type { Certificate } from '../pgp/certificates.js';

export interface ResponsibleSources {
  readonly settings: Settings;
  readonly published: Database | null;
  /** The certificates in `keys.asc`. */
  readonly keys: readonly Certificate[];
  /** The certificates of the keys that will sign. */
  readonly signing: readonly Certificate[];
}

/** Who is responsible, and who signs; both null if no key is known yet (docs/FORMAT.md §3). */
export interface Responsible {
  readonly maintainer: string | null;
  readonly signers: Signers | null;
}

/**
 * Looks in the settings, then the published database, then `keys.asc`, then the signing keys. Throws SETTINGS_INVALID
 * for a threshold that the signers cannot meet, and if nobody is responsible for what they sign.
 */
export function findResponsible({ settings, published, keys, signing }: ResponsibleSources): Responsible {
  const known = keys.length > 0 ? keys : signing;
  const { Signers = published?.Packsign.Signers?.Fingerprints } = settings;
  const fingerprints = Array.from(new Set(Signers ?? known.map(({ fingerprint }) => fingerprint))).sort();
  if (fingerprints.length === 0) return { maintainer: null, signers: null };
  const maintainer = settings.Maintainer ?? published?.Maintainer ?? firstUserId(known);
  if (maintainer === null) {
    throw new PacksignError('SETTINGS_INVALID', 'the signers are known, but not who is responsible', {
      hint: 'set "Maintainer" in packsign.json: "NAME <ADDRESS>"',
    });
  }
  const threshold = settings.Threshold ?? published?.Packsign.Signers?.Threshold ?? 1;
  if (threshold > fingerprints.length) {
    throw new PacksignError(
      'SETTINGS_INVALID',
      `"Threshold" is ${threshold}, but there are only ${fingerprints.length} signers`,
      { hint: 'name every signer\'s fingerprint in "Signers" in packsign.json' },
    );
  }
  return { maintainer, signers: { Threshold: threshold, Fingerprints: fingerprints } };
}

function firstUserId(certificates: readonly Certificate[]): string | null {
  const userId = cleanText(certificates[0]?.userIds[0] ?? '').trim();
  return userId === '' ? null : userId;
}

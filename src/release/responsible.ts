import { PacksignError } from '../errors.js';
import type { Database, Signers } from '../model/database.js';
import type { Settings } from '../model/settings.js';
import { cleanText } from '../model/text.js';
import type { Certificate } from '../pgp/certificates.js';

export interface ResponsibleSources {
  readonly settings: Settings;
  readonly published: Database | null;
  /** What `keys.asc` holds. */
  readonly keys: readonly Certificate[];
  /** Of the keys that are to sign. */
  readonly signing: readonly Certificate[];
}

/** Who is responsible, and who signs; null while nobody is known (docs/FORMAT.md §3, the starred keys). */
export interface Responsible {
  readonly maintainer: string | null;
  readonly signers: Signers | null;
}

/**
 * From the settings, else the published database, else `keys.asc`, else the signing keys.
 * Throws SETTINGS_INVALID for a threshold that cannot be met.
 */
export function findResponsible({ settings, published, keys, signing }: ResponsibleSources): Responsible {
  const known = keys.length > 0 ? keys : signing;
  const fingerprints = sorted(
    settings.Signers ??
      published?.Packsign.Signers?.Fingerprints ??
      known.map(({ fingerprint }) => fingerprint),
  );
  const maintainer = settings.Maintainer ?? published?.Maintainer ?? firstUserId(known);
  if (fingerprints.length === 0) return { maintainer, signers: null };
  const threshold = settings.Threshold ?? published?.Packsign.Signers?.Threshold ?? 1;
  if (threshold > fingerprints.length) {
    throw new PacksignError(
      'SETTINGS_INVALID',
      `"Threshold" is ${threshold}, and there are ${fingerprints.length} signers`,
      { hint: 'name every signer\'s fingerprint in "Signers" in packsign.json' },
    );
  }
  return { maintainer, signers: { Threshold: threshold, Fingerprints: fingerprints } };
}

function firstUserId(certificates: readonly Certificate[]): string | null {
  const userId = cleanText(certificates[0]?.userIds[0] ?? '').trim();
  return userId === '' ? null : userId;
}

function sorted(fingerprints: readonly string[]): readonly string[] {
  return Array.from(new Set(fingerprints)).sort();
}

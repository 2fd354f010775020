import type { Certificate } from '../pgp/certificates.js';
import type { Published } from '../published/published.js';
import type { Run } from '../run.js';
import type { Signer } from '../signers/signer.js';
import { writeLastBuild } from './last-build-file.js';
import type { Inputs } from './last-build.js';
import { requireCertificates, requireSigners } from './preflight.js';
import { hashInputs } from './state-file.js';

export interface KeyLook {
  readonly run: Pick<Run, 'now'>;
  readonly check: boolean;
  readonly signing: () => Promise<readonly Certificate[]>;
  readonly release: { readonly look: () => Promise<readonly Signer[]> } | null;
  readonly nameKeys?: () => readonly string[] | null;
}

/**
 * Looks at the keys of a build that has nothing to sign, so that a wrong one does not pass until there is something:
 * throws what the full build would, but asks for no passphrase. Looks again only at other bytes, or after an expiry,
 * because reading a key takes longer than such a build.
 */
export async function lookAtKeys(
  published: Published,
  { lastBuild, stateFolder }: Pick<Inputs, 'lastBuild' | 'stateFolder'>,
  { release, check, signing, run: { now }, nameKeys = () => null }: KeyLook,
): Promise<void> {
  const names = nameKeys();
  // A build that signs needs secret keys, and published ones.
  const name = names === null ? null : hashInputs([release !== null, names]);
  if (name !== null && lastBuild?.keys?.name === name && isAhead(lastBuild.keys.until, now)) return;
  const ends =
    release === null
      ? await requireCertificates(published, { certificates: await signing(), now })
      : await requireSigners(published, { signers: await release.look(), now });
  if (check || name === null || lastBuild === null) return;
  writeLastBuild(stateFolder, { ...lastBuild, keys: { name, until: ends?.toISOString() ?? null } });
}

function isAhead(until: string | null, now: Date): boolean {
  return until === null || now < new Date(until);
}

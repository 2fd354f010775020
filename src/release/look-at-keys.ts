import type { Certificate } from '../pgp/certificates.js';
import type { Published } from '../published/published.js';
import type { Run } from '../run.js';
import type { Signer } from '../signers/signer.js';
import { writeLastBuild } from './last-build-file.js';
import type { KeysLookedAt } from './last-build-file.js';
import type { Inputs } from './last-build.js';
import { requireCertificates, requireSigners } from './preflight.js';
import { hashInputs } from './state-file.js';

export interface KeyLook {
  readonly run: Pick<Run, 'now'>;
  readonly check: boolean;
  readonly signing: () => Promise<readonly Certificate[]>;
  readonly release: { readonly look: () => Promise<readonly Signer[]> } | null;
  readonly nameKeys?: (() => readonly string[] | null) | undefined;
}

/**
 * Looks at the keys of a build that has nothing to sign, so that a wrong one does not pass until there is something:
 * throws what the full build would, but asks for no passphrase. Looks again only at other bytes, or after an expiry,
 * because reading a key takes longer than such a build.
 */
export async function lookAtKeys(
  published: Published,
  { lastBuild, stateFolder }: Pick<Inputs, 'lastBuild' | 'stateFolder'>,
  look: KeyLook,
): Promise<void> {
  const { release, check, signing, run } = look;
  const { now } = run;
  const name = nameLook(look);
  if (name !== null && lastBuild?.keys?.name === name && isAhead(lastBuild.keys.until, now)) return;
  const ends =
    release === null
      ? await requireCertificates(published, { certificates: await signing(), now })
      : await requireSigners(published, { signers: await release.look(), now });
  if (check || lastBuild === null) return;
  const keys = lookedAt(name, ends);
  if (keys !== null) writeLastBuild(stateFolder, { ...lastBuild, keys });
}

/** Names what is looked at: to be called before keys are read. Null if nobody can tell whether they are the same again. */
export function nameLook({
  release,
  nameKeys = () => null,
}: Pick<KeyLook, 'release' | 'nameKeys'>): string | null {
  const names = nameKeys();
  // A build that signs needs secret keys, and published ones.
  return names === null ? null : hashInputs([release !== null, names]);
}

/** What to remember of keys that are good until a date, or for ever. */
export function lookedAt(name: string | null, ends: Date | null): KeysLookedAt | null {
  return name === null ? null : { name, until: ends?.toISOString() ?? null };
}

function isAhead(until: string | null, now: Date): boolean {
  return until === null || now < new Date(until);
}

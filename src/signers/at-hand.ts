import { kindOf } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { gnupgSigningKeys } from './gnupg-names.js';
import { openCertificates } from './open.js';
import type { Circumstances } from './signer.js';

export interface AtHand extends Pick<Circumstances, 'environment'> {
  /** Key files that may be there. */
  readonly files: readonly string[];
  /** Primary fingerprints: a key has to have one of these. If there are none, any key that signs will do. */
  readonly signers: readonly string[];
}

/** The keys on this machine that fit, as `--key` takes them: the first such file, else those in GnuPG. */
export async function keysAtHand({ files, signers, environment }: AtHand): Promise<readonly string[]> {
  const isWanted = (fingerprint: string) => signers.includes(fingerprint);
  for (const file of files) {
    const keys = await fingerprintsIn(file, environment);
    if (signers.length === 0 ? keys.length > 0 : keys.some(isWanted)) return [file];
  }
  return (await gnupgSigningKeys(environment))
    .map(({ fingerprint }) => fingerprint)
    .filter((fingerprint) => signers.length === 0 || isWanted(fingerprint));
}

async function fingerprintsIn(file: string, environment: AtHand['environment']): Promise<readonly string[]> {
  try {
    if (kindOf(file) !== 'file') return [];
    const found = await openCertificates([file], { certificates: [], environment });
    return found.map(({ fingerprint }) => fingerprint);
  } catch (error) {
    if (error instanceof PacksignError) return [];
    throw error;
  }
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from '../programs/child.js';
import type { Circumstances } from './signer.js';

/** Nobody waits longer for a shell. */
const TIMEOUT_MS = 2000;
const LIST = ['gpg', '--batch', '--no-tty', '--no-auto-check-trustdb', '--list-secret-keys', '--with-colons'];
/** Others are no names that a shell can offer without quotes. */
const ADDRESS = /^(?:.*<)?([\w.+-]+@[\w.-]+)>?$/;

/** A secret key in GnuPG that can sign. */
export interface GnupgKey {
  /** Of the primary key. */
  readonly fingerprint: string;
  /** Those of its user ids. */
  readonly addresses: readonly string[];
}

/** Names of such keys for a shell: fingerprints and addresses, each with the other one. Never throws. */
export async function gnupgNames(
  environment: Circumstances['environment'],
): Promise<readonly (readonly [name: string, meaning: string])[]> {
  return (await gnupgSigningKeys(environment)).flatMap(namesOf);
}

/**
 * The secret keys in GnuPG that can sign. Never throws; there are none without gpg, and none without a home of GnuPG,
 * which gpg would make.
 */
export async function gnupgSigningKeys(
  environment: Circumstances['environment'],
): Promise<readonly GnupgKey[]> {
  const home = environment['GNUPGHOME'] ?? join(environment['HOME'] ?? '', '.gnupg');
  if (process.platform !== 'win32' && !existsSync(home)) return [];
  const { stdout } = await runChild(LIST, { environment, timeoutMs: TIMEOUT_MS });
  return stdout
    .toString('utf8')
    .split(/^(?=sec:)/m)
    .flatMap(keyIn);
}

/** Of one key. doc/DETAILS of GnuPG describes the records. */
function keyIn(listing: string): readonly GnupgKey[] {
  const records = listing.split(/\r?\n/).map((line) => line.split(':'));
  const key = records.find(([type]) => type === 'sec');
  // The capital letter is what the whole key can do now.
  if (key?.[11]?.includes('S') !== true) return [];
  const fingerprint = records.find(([type]) => type === 'fpr')?.[9] ?? '';
  const addresses = records
    .filter(([type, validity = '']) => type === 'uid' && !/[re]/.test(validity))
    .flatMap((fields) => ADDRESS.exec(fields[9] ?? '')?.[1] ?? []);
  return [{ fingerprint, addresses }];
}

function namesOf({ fingerprint, addresses }: GnupgKey): readonly (readonly [string, string])[] {
  return [
    [fingerprint, addresses[0] ?? ''],
    ...addresses.map((address): readonly [string, string] => [address, fingerprint]),
  ];
}

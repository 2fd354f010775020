import { withoutRevocations } from '../keys/revocation.js';
import { KEYRING_NAME, KEYS_NAME } from '../model/layout.js';
import { encodeCertificates, mergeCertificates } from '../pgp/certificates.js';
import { certificatesOf, databaseUnder } from './continues.js';
import type { Predecessor } from './continues.js';
import { itemOf } from './outbound.js';
import type { Item, Outbound } from './outbound.js';

/**
 * The key files that have to lie at a destination while its database is replaced (docs/FORMAT.md §1, steps 1 and 5): both
 * the database of before and the new one verify against them. They are ours, unless those revoke a key on which the one of
 * before rests; then they hold what both have, without our revocations, which follow at the end.
 */
export async function earlyKeys(outbound: Outbound, before: Predecessor | null): Promise<readonly Item[]> {
  const { certificates } = outbound;
  if (before === null || before.found.sha256 === outbound.signed.content.sha256()) return outbound.keys;
  const ours = await Promise.all(certificates.map(withoutRevocations));
  // The one of before has been verified with these.
  if (before.database !== null && ours.every((one, index) => one === certificates[index]))
    return outbound.keys;
  if (typeof (await databaseUnder(certificates, before.found, outbound.signed)) !== 'string')
    return outbound.keys;
  const { armored, binary } = encodeCertificates(
    await mergeCertificates(await certificatesOf(before.found), ours),
  );
  return [...itemOf(KEYS_NAME, armored), ...itemOf(KEYRING_NAME, binary)];
}

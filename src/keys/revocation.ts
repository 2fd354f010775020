import { enums } from 'openpgp';
import { orElse } from '../model/or-null.js';
import type { Component } from '../pgp/components.js';
import { dearmorOnly, isBinary } from '../pgp/armor.js';
import type { Certificate } from '../pgp/certificate.js';
import { inspectCertificate } from '../pgp/certificate.js';
import { subjectOf } from '../pgp/components.js';
import { mergeCertificates } from '../pgp/merge.js';
import { isMadeBy } from '../pgp/check-signature.js';
import type { Packet } from '../pgp/packets.js';
import { splitPackets, TAG } from '../pgp/packets.js';
import { CERTIFICATE_FILE, KEY_FILE, malformed } from '../pgp/origin.js';

const { keyRevocation, subkeyRevocation, certRevocation } = enums.signature;
const REVOCATIONS: ReadonlySet<number> = new Set([keyRevocation, subkeyRevocation, certRevocation]);

/** Whether a file holds only a revocation, as packsign and GnuPG write revocation certificates. */
export function isRevocation(bytes: Uint8Array): boolean {
  return orElse(() => revocationPacket(bytes) !== null, false);
}

/**
 * Applies a revocation certificate to the one of these certificates that it revokes; null if none of their primary keys
 * made it.
 *
 * @throws {PacksignError} `KEY_MALFORMED`: not a revocation certificate.
 */
export async function applyRevocation(
  bytes: Uint8Array,
  certificates: readonly Certificate[],
): Promise<Certificate | null> {
  const packet = revocationPacket(bytes);
  if (packet === null) throw malformed(KEY_FILE, 'is not a revocation certificate');
  for (const certificate of certificates) {
    const { anatomy, primary: key } = certificate;
    const subject = subjectOf(anatomy.primary, anatomy);
    if (key.packet === null || !(await isMadeBy(packet, key.packet, subject))) continue;
    const primary = { ...anatomy.primary, signatures: [...anatomy.primary.signatures, packet] };
    const revoked = await inspectCertificate([{ ...anatomy, primary }], CERTIFICATE_FILE);
    // What other keys signed was checked before.
    const [merged = revoked] = await mergeCertificates([certificate], [revoked]);
    return merged;
  }
  return null;
}

/**
 * The certificate without its revocations, which can be published before the next database; the very same if it has
 * none.
 */
export async function withoutRevocations(certificate: Certificate): Promise<Certificate> {
  const isRevocation = ({ body }: Packet) => REVOCATIONS.has(body[1] ?? -1);
  const strip = (component: Component): Component => ({
    ...component,
    signatures: component.signatures.filter((signature) => !isRevocation(signature)),
  });
  const { primary, users, subkeys } = certificate.anatomy;
  const components = [primary, ...users, ...subkeys];
  if (!components.some(({ signatures }) => signatures.some(isRevocation))) return certificate;
  const stripped = { primary: strip(primary), users: users.map(strip), subkeys: subkeys.map(strip) };
  return await inspectCertificate([stripped], CERTIFICATE_FILE);
}

/** GnuPG writes advice above the block, and a colon before it to prevent use by mistake. */
function revocationPacket(bytes: Uint8Array): Packet | null {
  const text = Buffer.from(bytes).toString('latin1');
  const start = text.indexOf('-----BEGIN PGP ');
  if (start === -1 && !isBinary(bytes)) return null;
  const binary = isBinary(bytes) ? bytes : dearmorOnly(bytes.subarray(start), 'PUBLIC KEY BLOCK', KEY_FILE);
  const [packet, another] = splitPackets(binary, KEY_FILE);
  const isOne = another === undefined && packet?.tag === TAG.signature && packet.body[1] === keyRevocation;
  return isOne ? packet : null;
}

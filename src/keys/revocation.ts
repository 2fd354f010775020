import { enums } from 'openpgp';
import type { Components, Component } from '../pgp/components.js';
import { dearmorOnly, isBinary } from '../pgp/armor.js';
import type { Certificate } from '../pgp/certificate.js';
import { inspectCertificate, subjectOf } from '../pgp/certificate.js';
import { isMadeBy } from '../pgp/self-signatures.js';
import type { Packet } from '../pgp/packets.js';
import { splitPackets, TAG } from '../pgp/packets.js';
import { CERTIFICATE_FILE, KEY_FILE, malformed } from '../pgp/origin.js';

const { keyRevocation, subkeyRevocation, certRevocation } = enums.signature;
const REVOCATIONS: ReadonlySet<number> = new Set([keyRevocation, subkeyRevocation, certRevocation]);

const BEGIN = '-----BEGIN PGP ';

/** Whether a file holds a revocation certificate: nothing but a revocation, as packsign and GnuPG write it. */
export function isRevocation(bytes: Uint8Array): boolean {
  try {
    return revocationPacket(bytes) !== null;
  } catch {
    return false;
  }
}

/**
 * The certificate among these that a revocation certificate revokes, revoked; null where none of their primary
 * keys made it.
 *
 * @throws {PacksignError} `KEY_MALFORMED`: not a revocation certificate.
 */
export async function applyRevocation(
  bytes: Uint8Array,
  certificates: readonly Certificate[],
): Promise<Certificate | null> {
  const packet = revocationPacket(bytes);
  if (packet === null) throw malformed(KEY_FILE, 'is no revocation certificate');
  for (const { anatomy, primary } of certificates) {
    if (primary.packet === null) continue;
    if (!(await isMadeBy(packet, primary.packet, subjectOf(anatomy.primary, anatomy)))) continue;
    const signatures = [...anatomy.primary.signatures, packet];
    return await inspectCertificate(
      { ...anatomy, primary: { ...anatomy.primary, signatures } },
      CERTIFICATE_FILE,
    );
  }
  return null;
}

/** The certificate as it would be without its revocations: what can be published before the next database. */
export async function withoutRevocations({ anatomy }: Certificate): Promise<Certificate> {
  const strip = (component: Component): Component => ({
    ...component,
    signatures: component.signatures.filter(({ body }) => !REVOCATIONS.has(body[1] ?? -1)),
  });
  const stripped: Components = {
    primary: strip(anatomy.primary),
    users: anatomy.users.map(strip),
    subkeys: anatomy.subkeys.map(strip),
  };
  return await inspectCertificate(stripped, CERTIFICATE_FILE);
}

/** GnuPG writes advice above the block, and a colon before it against use by mistake. */
function revocationPacket(bytes: Uint8Array): Packet | null {
  const text = Buffer.from(bytes).toString('latin1');
  const start = text.indexOf(BEGIN);
  if (start === -1 && !isBinary(bytes)) return null;
  const binary = isBinary(bytes)
    ? bytes
    : dearmorOnly(Buffer.from(text.slice(start), 'latin1'), 'PUBLIC KEY BLOCK', KEY_FILE);
  const [packet, another] = splitPackets(binary, KEY_FILE);
  const isOne = another === undefined && packet?.tag === TAG.signature && packet.body[1] === keyRevocation;
  return isOne ? packet : null;
}

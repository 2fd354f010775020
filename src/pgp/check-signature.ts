import { enums } from 'openpgp';
import type { AnyKeyPacket } from 'openpgp';
import { signatureCost } from './budget.js';
import type { Budget } from './budget.js';
import { contentOf } from './content.js';
import type { Content } from './content.js';
import type { KeySubject } from './packet-objects.js';
import { digestOf, presetDigest, readSignaturePacket, signedBytes, verifyPacket } from './packet-objects.js';
import type { Packet } from './packets.js';
import { LENIENT_POLICY } from './policy.js';
import { SUBPACKET, bodiesOf, packetWith, partsOf } from './signature-parts.js';
import type { SignatureParts, Subpacket } from './signature-parts.js';

/** A hashed area with the creation time that OpenPGP.js insists on, and nothing else. */
const BARE = [0, 6, 5, SUBPACKET.created, 0, 0, 0, 0] as const;

/**
 * Whether a key made a signature over this content, with any hash but MD5: the mathematics alone. OpenPGP.js gets a packet
 * over a document that names this key and has no subpackets that could make it stop, but hashes what the signature really
 * signs.
 */
export async function isSignedBy(
  { signed, keyAlgorithm, hashAlgorithm, rest }: SignatureParts,
  issuer: AnyKeyPacket,
  content: Content,
): Promise<boolean> {
  const digest = await digestOf(content, { hashAlgorithm, signed });
  if (digest === null) return false;
  const bare = Uint8Array.of(4, enums.signature.binary, keyAlgorithm, hashAlgorithm, ...BARE);
  try {
    const signature = readSignaturePacket(packetWith({ signed: bare, rest }, [issuerOf(issuer)]).body);
    Object.assign(signature, { signatureData: signed });
    presetDigest(signature, digest);
    await verifyPacket(signature, { by: issuer, over: content.bytes, config: LENIENT_POLICY });
    return true;
  } catch {
    return false;
  }
}

/** Whether a key made the signature in a packet, whatever its unhashed area says. */
export async function isMadeBy(packet: Packet, issuer: AnyKeyPacket, over: KeySubject): Promise<boolean> {
  const parts = partsOf(packet);
  return parts !== null && (await isSignedBy(parts, issuer, contentOf(signedBytes(over))));
}

/** By which key signatures are checked, over what, and what that may cost. */
export interface Checking {
  readonly issuer: AnyKeyPacket;
  readonly content: Content;
  readonly budget: Budget;
}

/** The first of these copies that a key made; null if none. Throws as the budget does. */
export async function firstSigned(
  variants: readonly SignatureParts[],
  { issuer, content, budget }: Checking,
): Promise<SignatureParts | null> {
  const algorithm: number = issuer.algorithm;
  for (const parts of variants.filter(({ keyAlgorithm }) => keyAlgorithm === algorithm)) {
    budget.spend(signatureCost(issuer));
    if (!(await isSignedBy(parts, issuer, content))) continue;
    budget.refund(signatureCost(issuer));
    return parts;
  }
  return null;
}

/** The only hint at the issuer that old programs understand, unless the hashed area gives it. */
export function issuerHint({ hashed }: SignatureParts, issuer: AnyKeyPacket): readonly Subpacket[] {
  return bodiesOf(hashed, SUBPACKET.issuer).length > 0 ? [] : [issuerOf(issuer)];
}

function issuerOf(issuer: AnyKeyPacket): Subpacket {
  return { type: SUBPACKET.issuer, body: Buffer.from(issuer.getFingerprintBytes() ?? []).subarray(-8) };
}

import { enums } from 'openpgp';
import type { AnyKeyPacket, SignaturePacket } from 'openpgp';
import type { Packet } from './packets.js';
import type { KeySubject } from './packet-objects.js';
import { issuerKeyId, readSignaturePacket, verifyPacket } from './packet-objects.js';
import { LENIENT_POLICY, POLICY, STRONG_HASHES } from './policy.js';

const { keyFlags, reasonForRevocation, signature: signatureType } = enums;

/** One self-signature that is good: what the primary key said of a key or user id, and when. */
export interface Binding {
  readonly created: Date;
  /** When the self-signature itself lapses, or null. */
  readonly lapses: Date | null;
  /** When the key that it speaks of expires, or null. */
  readonly keyExpires: Date | null;
  /** Key flags of RFC 9580 §5.2.3.29; null where it has none. A subkey that did not sign back has no signing flag. */
  readonly flags: number | null;
  readonly preferredHashes: readonly number[];
  readonly primaryUser: boolean;
}

export interface Revocation {
  readonly created: Date;
  readonly lapses: Date | null;
  /** A hard one says that the key may be in foreign hands: it kills signatures of every date. */
  readonly hard: boolean;
}

/** All that a primary key said of one subject. Times play no part yet. */
export interface SelfSignatures {
  readonly bindings: readonly Binding[];
  /** Good but for their hash, SHA-1 or weaker: they count as absent (threat T7) and are kept for messages. */
  readonly weakBindings: readonly Binding[];
  readonly revocations: readonly Revocation[];
}

export interface SelfSignatureContext {
  readonly primary: AnyKeyPacket;
  readonly subject: KeySubject;
  readonly bindingTypes: ReadonlySet<number>;
  readonly revocationType: number;
  /** The subkey, which has to sign back before it may sign for the primary; null for anything else. */
  readonly subkey: AnyKeyPacket | null;
  /** Creation of the key whose expiry is spoken of. */
  readonly keyCreated: Date;
}

const SOFT_REASONS: ReadonlySet<number | null> = new Set([
  reasonForRevocation.keySuperseded,
  reasonForRevocation.keyRetired,
  reasonForRevocation.userIDInvalid,
]);

/**
 * Reads the claims among signature packets; whatever is not a good self-signature over this subject is not
 * there: foreign certifications, forgeries, packets that cannot be read.
 *
 * Own code instead of OpenPGP.js's `getSigningKey`, because that one ignores SHA-1 revocations once SHA-1 is
 * refused, remembers a revocation in the key object for earlier dates also, and takes a key whose
 * self-signature was renewed (GnuPG replaces it) as never having been bound before.
 */
export async function readSelfSignatures(
  packets: readonly Packet[],
  context: SelfSignatureContext,
): Promise<SelfSignatures> {
  const bindings: Binding[] = [];
  const weakBindings: Binding[] = [];
  const revocations: Revocation[] = [];
  for (const packet of packets) {
    const type = packet.body[1] ?? -1;
    if (type === context.revocationType) {
      const signature = await goodSignature(packet, context);
      if (signature !== null) revocations.push(revocationOf(signature));
    } else if (context.bindingTypes.has(type)) {
      const signature = await goodSignature(packet, context);
      if (signature === null) continue;
      const target = STRONG_HASHES.has(signature.hashAlgorithm ?? -1) ? bindings : weakBindings;
      target.push(await bindingOf(signature, context));
    }
  }
  return { bindings, weakBindings, revocations };
}

/** Whether a signature packet was made by `issuer` over `over`, by whatever hash. */
export async function isMadeBy(packet: Packet, issuer: AnyKeyPacket, over: KeySubject): Promise<boolean> {
  if (packet.body[0] !== 4) return false;
  try {
    const signature = readSignaturePacket(packet.body);
    if (issuerKeyId(signature) !== issuer.getKeyID().toHex().toUpperCase()) return false;
    await verifyPacket(signature, { by: issuer, over, config: LENIENT_POLICY });
    return true;
  } catch {
    return false;
  }
}

async function goodSignature(
  packet: Packet,
  { primary, subject }: SelfSignatureContext,
): Promise<SignaturePacket | null> {
  const good = await isMadeBy(packet, primary, subject);
  return good ? readSignaturePacket(packet.body) : null;
}

function revocationOf(signature: SignaturePacket): Revocation {
  const { created, lapses } = timesOf(signature);
  return { created, lapses, hard: !SOFT_REASONS.has(signature.reasonForRevocationFlag) };
}

async function bindingOf(signature: SignaturePacket, context: SelfSignatureContext): Promise<Binding> {
  const expires = signature.keyNeverExpires === false ? (signature.keyExpirationTime ?? 0) : null;
  return {
    ...timesOf(signature),
    keyExpires: expires === null ? null : new Date(context.keyCreated.getTime() + expires * 1000),
    flags: await flagsOf(signature, context),
    preferredHashes: signature.preferredHashAlgorithms ?? [],
    primaryUser: signature.isPrimaryUserID === true,
  };
}

function timesOf(signature: SignaturePacket): { readonly created: Date; readonly lapses: Date | null } {
  const lapses = signature.getExpirationTime();
  return { created: signature.created ?? new Date(0), lapses: lapses instanceof Date ? lapses : null };
}

/** Without the signature back, anyone could list a foreign subkey in a certificate as one that signs. */
async function flagsOf(signature: SignaturePacket, context: SelfSignatureContext): Promise<number | null> {
  const flags = signature.keyFlags?.[0] ?? null;
  if (flags === null || context.subkey === null || (flags & keyFlags.signData) === 0) return flags;
  return (await signedBack(signature.embeddedSignature, context)) ? flags : flags & ~keyFlags.signData;
}

async function signedBack(
  back: SignaturePacket | null,
  { subkey, subject }: SelfSignatureContext,
): Promise<boolean> {
  if (back === null || subkey === null || back.signatureType !== signatureType.keyBinding) return false;
  try {
    await verifyPacket(back, { by: subkey, over: subject, config: POLICY });
    return true;
  } catch {
    return false;
  }
}

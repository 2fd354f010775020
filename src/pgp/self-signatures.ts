import { enums } from 'openpgp';
import type { AnyKeyPacket, SignaturePacket } from 'openpgp';
import type { Packet } from './packets.js';
import type { KeySubject } from './packet-objects.js';
import { issuerKeyId, readSignaturePacket, verifyPacket } from './packet-objects.js';
import { LENIENT_POLICY, POLICY, STRONG_HASHES } from './policy.js';

const { keyFlags, reasonForRevocation, signature: signatureType } = enums;

/** One good self-signature: what the primary key said about a key or user id, and when. */
export interface Binding {
  readonly created: Date;
  /** When the self-signature itself expires, or null. */
  readonly lapses: Date | null;
  /** When the key that it is about expires, or null. */
  readonly keyExpires: Date | null;
  /** Key flags of RFC 9580 §5.2.3.29; null if it has none. A subkey that did not sign back has no signing flag. */
  readonly flags: number | null;
  readonly preferredHashes: readonly number[];
  readonly primaryUser: boolean;
}

export interface Revocation {
  readonly created: Date;
  readonly lapses: Date | null;
  /** A hard one says that others may have the key: it invalidates signatures of every date. */
  readonly hard: boolean;
}

/** Everything that a primary key said about one subject, at any time. */
export interface SelfSignatures {
  readonly bindings: readonly Binding[];
  /** Good but for their hash, SHA-1 or weaker: they count as absent (threat T7), and serve only for messages. */
  readonly weakBindings: readonly Binding[];
  readonly revocations: readonly Revocation[];
}

export interface SelfSignatureContext {
  readonly primary: AnyKeyPacket;
  readonly subject: KeySubject;
  readonly bindingTypes: ReadonlySet<number>;
  readonly revocationType: number;
  /** The subkey, which must sign back before it may sign for the primary key; null for other subjects. */
  readonly subkey: AnyKeyPacket | null;
  /** When the key was created whose expiry the self-signatures set. */
  readonly keyCreated: Date;
}

const SOFT_REASONS: ReadonlySet<number | null> = new Set([
  reasonForRevocation.keySuperseded,
  reasonForRevocation.keyRetired,
  reasonForRevocation.userIDInvalid,
]);

/**
 * Reads the good self-signatures over this subject. Ignores all other packets: foreign certifications, forgeries,
 * packets that it cannot read.
 *
 * OpenPGP.js's `getSigningKey` would not do: it ignores SHA-1 revocations once SHA-1 is refused, applies a revocation
 * to earlier dates too, and takes a key whose self-signature GnuPG renewed for one that was never bound before.
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
    const isRevocation = type === context.revocationType;
    if (!isRevocation && !context.bindingTypes.has(type)) continue;
    if (!(await isMadeBy(packet, context.primary, context.subject))) continue;
    const signature = readSignaturePacket(packet.body);
    if (isRevocation) revocations.push(revocationOf(signature));
    else {
      const target = STRONG_HASHES.has(signature.hashAlgorithm ?? -1) ? bindings : weakBindings;
      target.push(await bindingOf(signature, context));
    }
  }
  return { bindings, weakBindings, revocations };
}

/** Whether `issuer` made a signature packet over `over`, with any hash. */
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

/** Without the signature back, anyone could list a foreign signing subkey in a certificate. */
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

import { enums } from 'openpgp';
import type { AnyKeyPacket, SignaturePacket } from 'openpgp';
import { firstSigned, issuerHint } from './check-signature.js';
import type { Checking } from './check-signature.js';
import type { Packet } from './packets.js';
import { TAG, joinPackets, splitPackets } from './packets.js';
import { CERTIFICATE_FILE } from './origin.js';
import { fingerprintOf, readSignaturePacket } from './packet-objects.js';
import { STRONG_HASHES } from './policy.js';
import { SUBPACKET, bodiesOf, createdIn, hex, packetWith, partsOf } from './signature-parts.js';
import type { SignatureParts, Subpacket } from './signature-parts.js';

const { keyFlags, reasonForRevocation, signature: signatureType } = enums;
const SUBKEY_BINDING: number = signatureType.subkeyBinding;
const SIGNED_BACK: number = signatureType.keyBinding;

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

/** What a verified signature says. `other`: something by the primary key that we do not understand, or by another key. */
export type Claim =
  | { readonly kind: 'binding' | 'weak-binding'; readonly binding: Binding; readonly signedBack: boolean }
  | { readonly kind: 'revocation'; readonly revocation: Revocation }
  | { readonly kind: 'other' };

/** A signature over a part of a certificate that verified. */
export interface Statement {
  /** With an unhashed area of our own (threat T27). */
  readonly packet: Packet;
  /** Equal for all copies. */
  readonly name: string;
  /** Fingerprint of the key that made it. */
  readonly by: string;
  readonly claim: Claim;
  /** Fingerprints of the keys that may revoke in place of the primary key (RFC 9580 §5.2.3.23). */
  readonly revokers: readonly string[];
}

/** A signature of which all copies are known; their unhashed areas are joined. */
export interface Verified {
  readonly parts: SignatureParts;
  readonly unhashed: readonly Subpacket[];
}

/** Of a statement by the primary key. */
export interface StatementContext extends Checking {
  /** The subkey that must sign back before it may sign for the primary key; null if none is meant, or it cannot be read. */
  readonly subkey: AnyKeyPacket | null;
  /** When the key was created whose expiry the self-signatures set. */
  readonly keyCreated: Date;
}

const SOFT_REASONS: ReadonlySet<number | null> = new Set([
  reasonForRevocation.keySuperseded,
  reasonForRevocation.keyRetired,
  reasonForRevocation.userIDInvalid,
]);

const REVOCATIONS: ReadonlySet<number> = new Set([
  signatureType.keyRevocation,
  signatureType.subkeyRevocation,
  signatureType.certRevocation,
]);

export function isRevocationType(type: number): boolean {
  return REVOCATIONS.has(type);
}

/** What a self-signature says that verified. A binding with critical parts that we do not know says nothing. */
export async function selfStatement(verified: Verified, context: StatementContext): Promise<Statement> {
  const { parts } = verified;
  const back = parts.type === SUBKEY_BINDING ? await backSignature(verified, context) : null;
  const unhashed = [
    ...issuerHint(parts, context.issuer),
    ...(back?.isUnhashed === true ? [{ type: SUBPACKET.embeddedSignature, body: back.body }] : []),
  ];
  const packet = packetWith(parts, unhashed);
  return {
    packet,
    name: parts.name,
    by: context.issuer.getFingerprint().toUpperCase(),
    claim: isRevocationType(parts.type)
      ? { kind: 'revocation', revocation: revocationOf(parts, packet) }
      : bindingClaim(parts, packet, { keyCreated: context.keyCreated, signedBack: back !== null }),
    revokers: bodiesOf(parts.hashed, SUBPACKET.revocationKey)
      .filter(isRevoker)
      .map((body) => hex(body.subarray(2))),
  };
}

/** What another key said. With `key`, a revocation by a designated revoker, which carries that key along. */
export function otherStatement(parts: SignatureParts, issuer: AnyKeyPacket, key: Packet | null): Statement {
  const block = key === null ? [] : [{ type: SUBPACKET.keyBlock, body: keyBlockOf(key) }];
  const packet = packetWith(parts, [...issuerHint(parts, issuer), ...block]);
  const claim: Claim =
    key === null ? { kind: 'other' } : { kind: 'revocation', revocation: revocationOf(parts, packet) };
  return { packet, name: parts.name, by: issuer.getFingerprint().toUpperCase(), claim, revokers: [] };
}

/** The public key with this fingerprint in a key block of an unhashed area; null if there is none. */
export function keyInBlock(unhashed: readonly Subpacket[], fingerprint: string): Packet | null {
  for (const block of bodiesOf(unhashed, SUBPACKET.keyBlock)) {
    try {
      const [packet] = splitPackets(block.subarray(1), CERTIFICATE_FILE);
      if (packet?.tag === TAG.publicKey && fingerprintOf(packet.body) === fingerprint) return packet;
    } catch {
      // Anybody can write there.
    }
  }
  return null;
}

export function selfSignaturesOf(statements: readonly Statement[]): SelfSignatures {
  const claims = statements.map(({ claim }) => claim);
  const bindings = (wanted: 'binding' | 'weak-binding') =>
    claims.flatMap((claim) => (claim.kind === wanted ? [claim.binding] : []));
  return {
    bindings: bindings('binding'),
    weakBindings: bindings('weak-binding'),
    revocations: claims.flatMap((claim) => (claim.kind === 'revocation' ? [claim.revocation] : [])),
  };
}

function keyBlockOf(key: Packet): Uint8Array {
  return Buffer.concat([Uint8Array.of(0), joinPackets([key])]);
}

/** Class, algorithm and the fingerprint of a version 4 key; the class has its first bit set. */
function isRevoker(body: Uint8Array): boolean {
  return body.length === 22 && ((body[0] ?? 0) & 0x80) !== 0;
}

/** A revocation that we cannot read counts for as much as possible. */
function revocationOf(parts: SignatureParts, packet: Packet): Revocation {
  try {
    const signature = readSignaturePacket(packet.body);
    return { ...timesOf(signature), hard: !SOFT_REASONS.has(signature.reasonForRevocationFlag) };
  } catch {
    return { created: createdIn(parts) ?? new Date(0), lapses: null, hard: true };
  }
}

function bindingClaim(
  parts: SignatureParts,
  packet: Packet,
  { keyCreated, signedBack }: { readonly keyCreated: Date; readonly signedBack: boolean },
): Claim {
  const signature = understood(packet);
  if (signature === null) return { kind: 'other' };
  const expires = signature.keyNeverExpires === false ? (signature.keyExpirationTime ?? 0) : null;
  const binding: Binding = {
    ...timesOf(signature),
    keyExpires: expires === null ? null : new Date(keyCreated.getTime() + expires * 1000),
    flags: flagsOf(signature, parts.type === SUBKEY_BINDING && !signedBack),
    preferredHashes: signature.preferredHashAlgorithms ?? [],
    primaryUser: signature.isPrimaryUserID === true,
  };
  return { kind: STRONG_HASHES.has(parts.hashAlgorithm) ? 'binding' : 'weak-binding', binding, signedBack };
}

/** Null if it cannot be read, or demands more than we know. */
export function understood(packet: Packet): SignaturePacket | null {
  try {
    const signature = readSignaturePacket(packet.body);
    return demandsMore(signature) ? null : signature;
  } catch {
    return null;
  }
}

/** Whether it demands that we understand what we do not (RFC 9580 §5.2.3.7). */
export function demandsMore({ unknownSubpackets, rawNotations }: SignaturePacket): boolean {
  return [...unknownSubpackets, ...rawNotations].some(({ critical }) => critical);
}

export function timesOf(signature: SignaturePacket): {
  readonly created: Date;
  readonly lapses: Date | null;
} {
  const lapses = signature.getExpirationTime();
  return { created: signature.created ?? new Date(0), lapses: lapses instanceof Date ? lapses : null };
}

/** Without the signature back, anyone could list a foreign signing subkey in a certificate. */
function flagsOf(signature: SignaturePacket, lacksBack: boolean): number | null {
  const flags = signature.keyFlags?.[0] ?? null;
  return flags === null || !lacksBack ? flags : flags & ~keyFlags.signData;
}

interface Back {
  readonly body: Uint8Array;
  readonly isUnhashed: boolean;
}

/** The signature by which a subkey agrees to sign for the primary key: in either area, since it proves itself. */
async function backSignature(
  { parts, unhashed }: Verified,
  { subkey, content, budget }: StatementContext,
): Promise<Back | null> {
  if (subkey === null) return null;
  for (const [area, isUnhashed] of [
    [parts.hashed, false],
    [unhashed, true],
  ] as const) {
    for (const body of bodiesOf(area, SUBPACKET.embeddedSignature)) {
      const back = partsOf({ tag: TAG.signature, body });
      if (back?.type !== SIGNED_BACK || !STRONG_HASHES.has(back.hashAlgorithm)) continue;
      const packet = packetWith(back, issuerHint(back, subkey));
      if (understood(packet) === null) continue;
      if ((await firstSigned([back], { issuer: subkey, content, budget })) === null) continue;
      return { body: packet.body, isUnhashed };
    }
  }
  return null;
}

import { enums, SignaturePacket } from 'openpgp';
import type { AnySecretKeyPacket } from 'openpgp';
import { PacksignError } from '../errors.js';
import type { Packet } from '../pgp/packets.js';
import { TAG } from '../pgp/packets.js';
import type { KeySubject } from '../pgp/packet-objects.js';
import { readSignaturePacket, signPacket } from '../pgp/packet-objects.js';
import { POLICY, STRONG_HASHES } from '../pgp/policy.js';

const { hash, keyFlags, signature: signatureType } = enums;

/** Why a key is given up. The last two say that it may be in foreign hands: all of its signatures die with it. */
export type RevocationReason = 'superseded' | 'retired' | 'compromised' | 'unspecified';

const REASONS: Readonly<Record<RevocationReason, enums.reasonForRevocation>> = {
  superseded: enums.reasonForRevocation.keySuperseded,
  retired: enums.reasonForRevocation.keyRetired,
  compromised: enums.reasonForRevocation.keyCompromised,
  unspecified: enums.reasonForRevocation.noReason,
};

/** By whom, over what, when. */
export interface Statement {
  readonly by: AnySecretKeyPacket;
  readonly over: KeySubject;
  readonly date: Date;
}

export interface BindingChange extends Statement {
  /** The self-signature that is said anew; null for a new subkey that signs. */
  readonly before: Packet | null;
  /** Seconds after the creation of the key that it speaks of; null is never. */
  readonly expiresAfter: number | null;
  /** Of a subkey that signs; null where there is none, or its secret half is not at hand. */
  readonly subkey: AnySecretKeyPacket | null;
}

/**
 * A self-signature that says what the one before said, with another expiry.
 *
 * @throws {PacksignError} `KEY_UNUSABLE`: a subkey that signs has to sign back, and can not.
 */
export async function bindAnew(change: BindingChange): Promise<Packet> {
  const { by, over, date, before, expiresAfter } = change;
  const signature = new SignaturePacket();
  if (before === null) {
    signature.signatureType = signatureType.subkeyBinding;
    signature.keyFlags = new Uint8Array([keyFlags.signData]);
  } else copyClaims(readSignaturePacket(before.body), signature);
  signature.hashAlgorithm = hash.sha512;
  if (((signature.keyFlags?.[0] ?? 0) & keyFlags.signData) !== 0 && over.bind !== undefined) {
    signature.embeddedSignature = await signBack(change);
  }
  signature.keyNeverExpires = expiresAfter === null;
  if (expiresAfter !== null) signature.keyExpirationTime = expiresAfter;
  await signPacket(signature, { by, over, date, config: POLICY });
  return { tag: TAG.signature, body: signature.write() };
}

/** A revocation of the primary key, or of the subkey that `over` binds. */
export async function revokeNow(
  { by, over, date }: Statement,
  { reason, text }: { readonly reason: RevocationReason; readonly text: string },
): Promise<Packet> {
  const signature = new SignaturePacket();
  signature.signatureType =
    over.bind === undefined ? signatureType.keyRevocation : signatureType.subkeyRevocation;
  signature.hashAlgorithm = hash.sha512;
  signature.reasonForRevocationFlag = REASONS[reason];
  signature.reasonForRevocationString = text;
  await signPacket(signature, { by, over, date, config: POLICY });
  return { tag: TAG.signature, body: signature.write() };
}

function copyClaims(from: SignaturePacket, to: SignaturePacket): void {
  to.signatureType = from.signatureType;
  to.keyFlags = from.keyFlags;
  to.features = from.features;
  to.isPrimaryUserID = from.isPrimaryUserID;
  to.preferredHashAlgorithms = from.preferredHashAlgorithms;
  to.preferredSymmetricAlgorithms = from.preferredSymmetricAlgorithms;
  to.preferredCompressionAlgorithms = from.preferredCompressionAlgorithms;
}

/** What stood in the binding before still holds: it is over the two keys alone. */
async function signBack({ before, subkey, over, date }: BindingChange): Promise<SignaturePacket> {
  const standing = before === null ? null : readSignaturePacket(before.body).embeddedSignature;
  if (standing !== null && STRONG_HASHES.has(standing.hashAlgorithm ?? -1)) return standing;
  if (subkey === null) {
    throw new PacksignError('KEY_UNUSABLE', 'the secret half of the subkey that signs is not in this file', {
      hint: 'take the file with the whole key',
    });
  }
  const back = new SignaturePacket();
  back.signatureType = signatureType.keyBinding;
  back.hashAlgorithm = hash.sha512;
  await signPacket(back, { by: subkey, over, date, config: POLICY });
  return back;
}

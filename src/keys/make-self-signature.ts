import { enums, SignaturePacket } from 'openpgp';
import type { AnySecretKeyPacket } from 'openpgp';
import { PacksignError } from '../errors.js';
import { readSignaturePacket, signPacket } from '../pgp/packet-objects.js';
import type { KeySubject, Subject } from '../pgp/packet-objects.js';
import type { Packet } from '../pgp/packets.js';
import { TAG } from '../pgp/packets.js';
import { POLICY, STRONG_HASHES } from '../pgp/policy.js';

const { hash, keyFlags, signature: signatureType } = enums;

/** Why a key is revoked. The last two say that others may have it: all of its signatures become invalid. */
export type RevocationReason = 'superseded' | 'retired' | 'compromised' | 'unspecified';

const REASONS: Readonly<Record<RevocationReason, enums.reasonForRevocation>> = {
  superseded: enums.reasonForRevocation.keySuperseded,
  retired: enums.reasonForRevocation.keyRetired,
  compromised: enums.reasonForRevocation.keyCompromised,
  unspecified: enums.reasonForRevocation.noReason,
};

/** Who signs, what, and when. */
export interface Statement<Over extends Subject = KeySubject> {
  readonly by: AnySecretKeyPacket;
  readonly over: Over;
  readonly date: Date;
}

export interface BindingChange extends Statement {
  /** The self-signature that the new one replaces; null for a new signing subkey. */
  readonly before: Packet | null;
  /** Seconds from the key's creation to its expiry; null if it never expires. */
  readonly expiresAfter: number | null;
  /** The signing subkey; null if there is none, or the file lacks its secret half. */
  readonly subkey: AnySecretKeyPacket | null;
}

/** Makes a signature with these subpackets. */
export async function makeSignature(
  claims: Partial<SignaturePacket>,
  statement: Statement<Subject>,
): Promise<SignaturePacket> {
  const signature = Object.assign(new SignaturePacket(), { ...claims, hashAlgorithm: hash.sha512 });
  await signPacket(signature, { ...statement, config: POLICY });
  return signature;
}

export function packetOf(signature: SignaturePacket): Packet {
  return { tag: TAG.signature, body: signature.write() };
}

/**
 * A self-signature that repeats the one before with another expiry.
 *
 * @throws {PacksignError} `KEY_UNUSABLE`: a signing subkey must sign back, and cannot.
 */
export async function bindAnew(change: BindingChange): Promise<Packet> {
  const { by, over, date, before, expiresAfter } = change;
  const claims = before === null ? NEW_SUBKEY : claimsOf(readSignaturePacket(before.body));
  const signs = ((claims.keyFlags?.[0] ?? 0) & keyFlags.signData) !== 0;
  const expiry = {
    keyNeverExpires: expiresAfter === null,
    ...(expiresAfter === null ? {} : { keyExpirationTime: expiresAfter }),
  };
  const back = signs && over.bind !== undefined ? { embeddedSignature: await signBack(change) } : {};
  return packetOf(await makeSignature({ ...claims, ...expiry, ...back }, { by, over, date }));
}

/** Revokes the primary key, or the subkey that `over` binds. */
export async function revokeNow(
  statement: Statement,
  { reason, text }: { readonly reason: RevocationReason; readonly text: string },
): Promise<Packet> {
  const isPrimary = statement.over.bind === undefined;
  const claims = {
    signatureType: isPrimary ? signatureType.keyRevocation : signatureType.subkeyRevocation,
    reasonForRevocationFlag: REASONS[reason],
    reasonForRevocationString: text,
  };
  return packetOf(await makeSignature(claims, statement));
}

const NEW_SUBKEY: Partial<SignaturePacket> = {
  signatureType: signatureType.subkeyBinding,
  keyFlags: new Uint8Array([keyFlags.signData]),
};

function claimsOf(signature: SignaturePacket): Partial<SignaturePacket> {
  return {
    signatureType: signature.signatureType,
    keyFlags: signature.keyFlags,
    features: signature.features,
    isPrimaryUserID: signature.isPrimaryUserID,
    preferredHashAlgorithms: signature.preferredHashAlgorithms,
    preferredSymmetricAlgorithms: signature.preferredSymmetricAlgorithms,
    preferredCompressionAlgorithms: signature.preferredCompressionAlgorithms,
  };
}

/** Keeps the signature back from the binding before, if its hash is strong: it covers only the two keys. */
async function signBack({ before, subkey, over, date }: BindingChange): Promise<SignaturePacket> {
  const known = before === null ? null : readSignaturePacket(before.body).embeddedSignature;
  if (known !== null && STRONG_HASHES.has(known.hashAlgorithm ?? -1)) return known;
  if (subkey === null) {
    throw new PacksignError('KEY_UNUSABLE', 'the secret half of the signing subkey is not in this file', {
      hint: 'use the file with the whole key',
    });
  }
  return await makeSignature({ signatureType: signatureType.keyBinding }, { by: subkey, over, date });
}

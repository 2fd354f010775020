import { enums } from 'openpgp';
import type { AnyKeyPacket } from 'openpgp';
import type { Algorithm } from './algorithm.js';
import { algorithmOf, unknownAlgorithm } from './algorithm.js';
import type { Components, Component } from './components.js';
import { assemblePackets } from './components.js';
import type { SelfSignatures } from './self-signatures.js';
import { readSelfSignatures } from './self-signatures.js';
import type { Packet } from './packets.js';
import { joinPackets, TAG } from './packets.js';
import type { Origin } from './origin.js';
import { malformed } from './origin.js';
import type { KeySubject } from './packet-objects.js';
import { fingerprintOf, hashedKey, readPublicKeyPacket } from './packet-objects.js';

const { signature: signatureType } = enums;

/** A primary key or subkey, and everything that the primary key said about it. */
export interface CertificateKey extends SelfSignatures {
  /** 40 upper-case hex digits. */
  readonly fingerprint: string;
  /** The last 16 of them. */
  readonly keyId: string;
  readonly created: Date;
  readonly algorithm: Algorithm;
  /** Null if OpenPGP.js cannot read it. */
  readonly packet: AnyKeyPacket | null;
}

export interface CertificateUser extends SelfSignatures {
  /** Foreign text: escape it before you show it. */
  readonly userId: string;
}

/** A public certificate: one version 4 primary key with its user ids and subkeys. All self-signatures were checked. */
export interface Certificate {
  /** Of the primary key, 40 upper-case hex digits. */
  readonly fingerprint: string;
  /** The user ids that the primary key signed and did not revoke, the primary one first. Foreign text. */
  readonly userIds: readonly string[];
  readonly created: Date;
  readonly primary: CertificateKey;
  readonly users: readonly CertificateUser[];
  readonly subkeys: readonly CertificateKey[];
  /** The packets, as `keys.gpg` has them. */
  readonly binary: Uint8Array;
  readonly anatomy: Components;
}

export const CERTIFICATIONS: ReadonlySet<number> = new Set([
  signatureType.certGeneric,
  signatureType.certPersona,
  signatureType.certCasual,
  signatureType.certPositive,
]);

/**
 * Checks every self-signature of a certificate that was split into its components.
 *
 * @throws {PacksignError} the origin's code: the primary key is not of version 4, or has an unsupported algorithm;
 * the message names its fingerprint.
 */
export async function inspectCertificate(anatomy: Components, origin: Origin): Promise<Certificate> {
  const packet = await readPrimary(anatomy.primary.packet, origin);
  const context = { primary: packet, anatomy };
  const primary = await inspectPrimary(context);
  const users: CertificateUser[] = [];
  for (const user of anatomy.users) {
    if (user.packet.tag === TAG.userId) users.push(await inspectUser(user, context));
  }
  const subkeys: CertificateKey[] = [];
  for (const subkey of anatomy.subkeys) {
    if (subkey.packet.body[0] === 4) subkeys.push(await inspectSubkey(subkey, context));
  }
  const { fingerprint, created } = primary;
  const binary = joinPackets(assemblePackets(anatomy));
  return { fingerprint, userIds: userIdsOf(users), created, primary, users, subkeys, binary, anatomy };
}

/** What the signatures of a component are over. */
export function subjectOf(component: Component, anatomy: Components): KeySubject {
  const key = hashedKey(anatomy.primary.packet.body);
  const { tag, body } = component.packet;
  switch (tag) {
    case TAG.userId:
      return { key, userID: { write: () => body } };
    case TAG.userAttribute:
      return { key, userAttribute: { write: () => body } };
    case TAG.publicSubkey:
      return { key, bind: hashedKey(body) };
    default:
      return { key };
  }
}

async function readPrimary(packet: Packet, origin: Origin): Promise<AnyKeyPacket> {
  const version = packet.body[0] ?? 0;
  if (version !== 4) {
    throw malformed(origin, `holds a key of version ${version}, only version 4 is supported`);
  }
  const { key, algorithm } = await readKey(packet);
  if (key !== null && algorithm.problem?.kind !== 'unsupported') return key;
  const reason = algorithm.problem?.reason ?? 'the key is damaged';
  throw malformed(origin, `holds ${fingerprintOf(packet.body)}: ${reason}`);
}

async function readKey(
  packet: Packet,
): Promise<{ readonly key: AnyKeyPacket | null; readonly algorithm: Algorithm }> {
  try {
    const key = await readPublicKeyPacket(packet);
    return { key, algorithm: algorithmOf(key) };
  } catch {
    return { key: null, algorithm: unknownAlgorithm(packet.body[5] ?? 0) };
  }
}

interface Context {
  /** The primary key, which makes all self-signatures. */
  readonly primary: AnyKeyPacket;
  readonly anatomy: Components;
}

async function inspectPrimary({ primary, anatomy }: Context): Promise<CertificateKey> {
  // A revocation certificate appended to a key ends up after its last subkey: look everywhere.
  const signatures = [anatomy.primary, ...anatomy.users, ...anatomy.subkeys].flatMap(
    (part) => part.signatures,
  );
  const claims = await readSelfSignatures(signatures, {
    primary,
    subject: subjectOf(anatomy.primary, anatomy),
    bindingTypes: new Set([signatureType.key]),
    revocationType: signatureType.keyRevocation,
    subkey: null,
    keyCreated: primary.created,
  });
  return { ...(await identityOf(anatomy.primary.packet)), ...claims };
}

async function inspectUser(user: Component, { primary, anatomy }: Context): Promise<CertificateUser> {
  const claims = await readSelfSignatures(user.signatures, {
    primary,
    subject: subjectOf(user, anatomy),
    bindingTypes: CERTIFICATIONS,
    revocationType: signatureType.certRevocation,
    subkey: null,
    keyCreated: primary.created,
  });
  return { userId: Buffer.from(user.packet.body).toString('utf8'), ...claims };
}

async function inspectSubkey(subkey: Component, { primary, anatomy }: Context): Promise<CertificateKey> {
  const identity = await identityOf(subkey.packet);
  const claims = await readSelfSignatures(subkey.signatures, {
    primary,
    subject: subjectOf(subkey, anatomy),
    bindingTypes: new Set([signatureType.subkeyBinding]),
    revocationType: signatureType.subkeyRevocation,
    subkey: identity.packet,
    keyCreated: identity.created,
  });
  return { ...identity, ...claims };
}

async function identityOf(packet: Packet): Promise<Omit<CertificateKey, keyof SelfSignatures>> {
  const fingerprint = fingerprintOf(packet.body);
  const { key, algorithm } = await readKey(packet);
  const created = new Date(Buffer.from(packet.body).readUInt32BE(1) * 1000);
  return { fingerprint, keyId: fingerprint.slice(-16), created, algorithm, packet: key };
}

/** Leaves out user ids that the primary key did not sign: anyone can add one to a certificate. */
function userIdsOf(users: readonly CertificateUser[]): readonly string[] {
  const signed = users.filter(({ bindings, weakBindings, revocations }) => {
    return revocations.length === 0 && (bindings.length > 0 || weakBindings.length > 0);
  });
  const first = signed.filter(({ bindings }) => bindings.some(({ primaryUser }) => primaryUser));
  return [...new Set([...first, ...signed].map(({ userId }) => userId))];
}

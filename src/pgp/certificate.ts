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

/** A primary key or subkey and all that its primary key said of it. */
export interface CertificateKey extends SelfSignatures {
  /** 40 upper-case hex digits. */
  readonly fingerprint: string;
  /** The last 16 of them. */
  readonly keyId: string;
  readonly created: Date;
  readonly algorithm: Algorithm;
  /** Null where the algorithm cannot be read at all. */
  readonly packet: AnyKeyPacket | null;
}

export interface CertificateUser extends SelfSignatures {
  /** Foreign text: to be escaped before it is shown. */
  readonly userId: string;
}

/** A public certificate: one version 4 primary key with its user ids and subkeys. Every claim in it was checked. */
export interface Certificate {
  /** Of the primary key, 40 upper-case hex digits. */
  readonly fingerprint: string;
  /** Those that the primary key signed and did not revoke, the primary one first. Foreign text. */
  readonly userIds: readonly string[];
  readonly created: Date;
  readonly primary: CertificateKey;
  readonly users: readonly CertificateUser[];
  readonly subkeys: readonly CertificateKey[];
  /** The packets, as `keys.gpg` has them. */
  readonly binary: Uint8Array;
  readonly anatomy: Components;
}

const CERTIFICATIONS: ReadonlySet<number> = new Set([
  signatureType.certGeneric,
  signatureType.certPersona,
  signatureType.certCasual,
  signatureType.certPositive,
]);

/**
 * Checks every claim of a dissected certificate.
 *
 * @throws {PacksignError} the origin's code: the primary key is not of version 4, or of an algorithm that is not
 * supported; the message names its fingerprint.
 */
export async function inspectCertificate(anatomy: Components, origin: Origin): Promise<Certificate> {
  const packet = await readPrimary(anatomy.primary.packet, origin);
  const primary = await inspectPrimary(anatomy, packet);
  const users: CertificateUser[] = [];
  for (const user of anatomy.users) {
    if (user.packet.tag === TAG.userId) users.push(await inspectUser(user, packet, anatomy));
  }
  const subkeys: CertificateKey[] = [];
  for (const subkey of anatomy.subkeys) {
    if (subkey.packet.body[0] === 4) subkeys.push(await inspectSubkey(subkey, packet, anatomy));
  }
  const { fingerprint, created } = primary;
  const binary = joinPackets(assemblePackets(anatomy));
  return { fingerprint, userIds: userIdsOf(users), created, primary, users, subkeys, binary, anatomy };
}

/** What a signature that stands behind this component is over. */
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
  if (version !== 4)
    throw malformed(origin, `holds a key of version ${version}, only version 4 is supported`);
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

async function inspectPrimary(anatomy: Components, primary: AnyKeyPacket): Promise<CertificateKey> {
  // A revocation certificate pasted behind a key ends up after its last subkey; it must not get lost there.
  const everywhere = [anatomy.primary, ...anatomy.users, ...anatomy.subkeys].flatMap(
    (part) => part.signatures,
  );
  const claims = await readSelfSignatures(everywhere, {
    primary,
    subject: subjectOf(anatomy.primary, anatomy),
    bindingTypes: new Set([signatureType.key]),
    revocationType: signatureType.keyRevocation,
    subkey: null,
    keyCreated: primary.created,
  });
  return { ...(await identityOf(anatomy.primary.packet)), ...claims };
}

async function inspectUser(
  user: Component,
  primary: AnyKeyPacket,
  anatomy: Components,
): Promise<CertificateUser> {
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

async function inspectSubkey(
  subkey: Component,
  primary: AnyKeyPacket,
  anatomy: Components,
): Promise<CertificateKey> {
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

/** A user id that nobody but a stranger wrote into the certificate is not shown as its owner's. */
function userIdsOf(users: readonly CertificateUser[]): readonly string[] {
  const signed = users.filter(({ bindings, weakBindings, revocations }) => {
    return revocations.length === 0 && (bindings.length > 0 || weakBindings.length > 0);
  });
  const first = signed.filter(({ bindings }) => bindings.some(({ primaryUser }) => primaryUser));
  return [...new Set([...first, ...signed].map(({ userId }) => userId))];
}

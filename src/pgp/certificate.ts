import type { AnyKeyPacket } from 'openpgp';
import type { Algorithm } from './algorithm.js';
import { algorithmOf, unknownAlgorithm } from './algorithm.js';
import { COMPONENT_LIMIT, COMPONENT_LIMIT_BYTES, newBudget } from './budget.js';
import type { Budget } from './budget.js';
import { assemblePackets, joinCopies, nameOf, subjectOf } from './components.js';
import type { Component, Components, Copies } from './components.js';
import { contentOf } from './content.js';
import { selfSignaturesOf, selfStatement } from './self-signatures.js';
import type { SelfSignatures, Statement } from './self-signatures.js';
import type { Packet } from './packets.js';
import { joinPackets, TAG } from './packets.js';
import type { Origin } from './origin.js';
import { malformed } from './origin.js';
import { fingerprintOf, readPublicKeyPacket, signedBytes } from './packet-objects.js';
import { sortSignatures } from './sort-signatures.js';
import type { LooseSignature } from './sort-signatures.js';

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

/** A part of a certificate with what verified over it; the signatures are those of the statements. */
export interface SignedComponent extends Component {
  readonly statements: readonly Statement[];
}

export interface SignedComponents {
  readonly primary: SignedComponent;
  readonly users: readonly SignedComponent[];
  readonly subkeys: readonly SignedComponent[];
}

/** A key that may revoke another. While it is not known, nobody can tell whether it did. */
export interface Revoker {
  readonly fingerprint: string;
  readonly isKnown: boolean;
}

/** A public certificate: one version 4 primary key with its user ids and subkeys. All its signatures were checked. */
export interface Certificate {
  /** Of the primary key, 40 upper-case hex digits. */
  readonly fingerprint: string;
  /** The user ids that the primary key signed and did not revoke, the primary one first. Foreign text. */
  readonly userIds: readonly string[];
  readonly created: Date;
  readonly primary: CertificateKey;
  readonly users: readonly CertificateUser[];
  readonly subkeys: readonly CertificateKey[];
  /** The packets that verified, as `keys.gpg` has them. */
  readonly binary: Uint8Array;
  readonly anatomy: SignedComponents;
  /** What other keys may have signed. */
  readonly loose: readonly LooseSignature[];
  /** The keys that may revoke this one too (RFC 9580 §5.2.3.23). */
  readonly revokers: readonly Revoker[];
}

/**
 * Checks every signature of a certificate that was split into its components; of several copies, each signature once.
 *
 * @throws {PacksignError} the origin's code: the primary key is not of version 4, or has an unsupported algorithm; the
 * certificate exceeds the limits of docs/FORMAT.md §9. The message names its fingerprint.
 */
export async function inspectCertificate(
  copies: Copies,
  origin: Origin,
  budget: Budget = newBudget(origin),
): Promise<Certificate> {
  const components = joinCopies(copies);
  requireSize(components, origin);
  const primary = await readPrimary(components.primary.packet, origin);
  const { verified, loose } = await sortSignatures(components, { primary, budget, origin });
  const signed = async (component: Component): Promise<SignedComponent> => {
    const context = {
      issuer: primary,
      content: contentOf(signedBytes(subjectOf(component, components))),
      ...(await signedKey(component, primary)),
      budget,
    };
    const statements: Statement[] = [];
    for (const one of verified.get(nameOf(component)) ?? [])
      statements.push(await selfStatement(one, context));
    return withStatements(component.packet, statements);
  };
  const users: SignedComponent[] = [];
  for (const user of components.users) users.push(await signed(user));
  const subkeys: SignedComponent[] = [];
  for (const subkey of components.subkeys) subkeys.push(await signed(subkey));
  return await describeCertificate({ primary: await signed(components.primary), users, subkeys }, loose);
}

export function withStatements(packet: Packet, statements: readonly Statement[]): SignedComponent {
  return { packet, statements, signatures: statements.map((statement) => statement.packet) };
}

/** The certificate with these parts, all of whose signatures were checked, where these other keys are known. */
export async function describeCertificate(
  anatomy: SignedComponents,
  loose: readonly LooseSignature[],
  known: ReadonlySet<string> = new Set(),
): Promise<Certificate> {
  const { primary, users, subkeys } = anatomy;
  const described = await describeKey(primary);
  const named = users.filter(({ packet }) => packet.tag === TAG.userId).map(describeUser);
  const keys: CertificateKey[] = [];
  for (const subkey of subkeys) if (subkey.packet.body[0] === 4) keys.push(await describeKey(subkey));
  const isSigned = ({ statements }: SignedComponent) => statements.length > 0;
  const written = { primary, users: users.filter(isSigned), subkeys: subkeys.filter(isSigned) };
  return {
    fingerprint: described.fingerprint,
    userIds: userIdsOf(named),
    created: described.created,
    primary: described,
    users: named,
    subkeys: keys,
    binary: joinPackets(assemblePackets(written)),
    anatomy,
    loose,
    revokers: revokersOf(anatomy).map((fingerprint) => ({ fingerprint, isKnown: known.has(fingerprint) })),
  };
}

function revokersOf({ primary, users }: SignedComponents): readonly string[] {
  const statements = [primary, ...users].flatMap((component) => component.statements);
  return [...new Set(statements.flatMap(({ revokers }) => revokers))];
}

function requireSize(components: Components, origin: Origin): void {
  const all = [components.primary, ...components.users, ...components.subkeys];
  const name = fingerprintOf(components.primary.packet.body);
  if (all.length > COMPONENT_LIMIT)
    throw malformed(origin, `holds more than ${COMPONENT_LIMIT} user ids and subkeys for ${name}`);
  if (all.some(({ packet }) => packet.body.length > COMPONENT_LIMIT_BYTES))
    throw malformed(origin, `holds a user id or a key larger than 64 KiB for ${name}`);
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

interface ReadKey {
  readonly key: AnyKeyPacket | null;
  readonly algorithm: Algorithm;
}

async function readKey(packet: Packet): Promise<ReadKey> {
  try {
    const key = await readPublicKeyPacket(packet);
    return { key, algorithm: algorithmOf(key) };
  } catch {
    return { key: null, algorithm: unknownAlgorithm(packet.body[5] ?? 0) };
  }
}

/** A key that may make signatures for a certificate; null if packsign cannot, or must not, compute with it. */
export async function readIssuer(packet: Packet): Promise<AnyKeyPacket | null> {
  if (packet.body[0] !== 4) return null;
  const { key, algorithm } = await readKey(packet);
  return algorithm.problem?.kind === 'unsupported' ? null : key;
}

/** The key that the self-signatures of a component are about. */
async function signedKey(
  { packet }: Component,
  primary: AnyKeyPacket,
): Promise<{ readonly subkey: AnyKeyPacket | null; readonly keyCreated: Date }> {
  if (packet.tag !== TAG.publicSubkey || packet.body[0] !== 4)
    return { subkey: null, keyCreated: primary.created };
  return { subkey: await readIssuer(packet), keyCreated: createdOf(packet) };
}

function createdOf({ body }: Packet): Date {
  return body.length < 5 ? new Date(0) : new Date(Buffer.from(body).readUInt32BE(1) * 1000);
}

async function describeKey({ packet, statements }: SignedComponent): Promise<CertificateKey> {
  const fingerprint = fingerprintOf(packet.body);
  const { key, algorithm } = await readKey(packet);
  return {
    fingerprint,
    keyId: fingerprint.slice(-16),
    created: createdOf(packet),
    algorithm,
    packet: key,
    ...selfSignaturesOf(statements),
  };
}

function describeUser({ packet, statements }: SignedComponent): CertificateUser {
  return { userId: Buffer.from(packet.body).toString('utf8'), ...selfSignaturesOf(statements) };
}

/** Leaves out user ids that the primary key did not sign: anyone can add one to a certificate. */
function userIdsOf(users: readonly CertificateUser[]): readonly string[] {
  const signed = users.filter(({ bindings, weakBindings, revocations }) => {
    return revocations.length === 0 && (bindings.length > 0 || weakBindings.length > 0);
  });
  const first = signed.filter(({ bindings }) => bindings.some(({ primaryUser }) => primaryUser));
  return [...new Set([...first, ...signed].map(({ userId }) => userId))];
}

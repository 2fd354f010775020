import { enums } from 'openpgp';
import type { AnyKeyPacket } from 'openpgp';
import type { Budget } from './budget.js';
import { SELF_SIGNATURE_LIMIT, digestCost } from './budget.js';
import { firstSigned } from './check-signature.js';
import { contentOf } from './content.js';
import type { Content } from './content.js';
import type { Component, Components } from './components.js';
import { nameOf, subjectOf } from './components.js';
import type { Origin } from './origin.js';
import { malformed } from './origin.js';
import { digestOf, fingerprintOf, signedBytes } from './packet-objects.js';
import { TAG } from './packets.js';
import type { Packet } from './packets.js';
import { isRevocationType } from './self-signatures.js';
import type { Verified } from './self-signatures.js';
import { issuersIn, partsOf, SUBPACKET } from './signature-parts.js';
import type { SignatureParts, Subpacket } from './signature-parts.js';

const { signature: signatureType } = enums;

export const CERTIFICATIONS: ReadonlySet<number> = new Set([
  signatureType.certGeneric,
  signatureType.certPersona,
  signatureType.certCasual,
  signatureType.certPositive,
]);

/** A signature that the primary key did not make, over the part of the certificate that its digest fits. Unverified. */
export interface LooseSignature {
  /** The part, by `nameOf`. */
  readonly target: string;
  /** Copies that differ in their numbers: at most one is right. */
  readonly variants: readonly SignatureParts[];
  readonly unhashed: readonly Subpacket[];
}

export interface SortedSignatures {
  /** By the name of the part that each is over. */
  readonly verified: ReadonlyMap<string, readonly Verified[]>;
  readonly loose: readonly LooseSignature[];
}

export interface SortContext {
  readonly primary: AnyKeyPacket;
  readonly budget: Budget;
  readonly origin: Origin;
}

/** All copies of one statement. */
type Copies = Omit<LooseSignature, 'target'>;

/** A part of a certificate, and how to hash it. */
interface Target {
  readonly name: string;
  readonly content: Content;
  readonly fits: (type: number) => boolean;
}

/**
 * Finds out what each signature of a certificate is over, wherever it stands: the order of packets is not signed, nor
 * is the unhashed area (threat T27). Drops what is over no part of the certificate. Checks each signature at most once.
 *
 * @throws {PacksignError} the origin's code: more than 512 signatures, or too much to compute (threat T29). A
 * certificate that cannot be checked to the end is not usable: one of the signatures may be a revocation.
 */
export async function sortSignatures(
  components: Components,
  { primary, budget, origin }: SortContext,
): Promise<SortedSignatures> {
  const all = [components.primary, ...components.users, ...components.subkeys];
  const keyId = fingerprintOf(components.primary.packet.body).slice(-16);
  const statements = statementsIn(all.flatMap(({ signatures }) => signatures));
  const own = statements.filter((copies) => !isByAnother(copies, keyId));
  if (own.reduce((count, { variants }) => count + variants.length, 0) > SELF_SIGNATURE_LIMIT) {
    const hint = 'gpg --export --export-options export-minimal KEY leaves out the signatures of others';
    const what = `holds more than ${SELF_SIGNATURE_LIMIT} signatures for ${fingerprintOf(components.primary.packet.body)}`;
    throw malformed(origin, what, hint);
  }
  const targets = all.map((component) => targetOf(component, components));
  const verified = new Map<string, Verified[]>(targets.map(({ name }) => [name, []]));
  const loose: LooseSignature[] = [];
  for (const copies of statements) {
    for (const target of targets.filter(({ fits }) => fits(first(copies).type))) {
      budget.spend(digestCost(target.content.bytes.length) * copies.variants.length);
      const variants = await matching(copies.variants, target.content);
      if (variants.length === 0) continue;
      const isOwn = own.includes(copies);
      const parts = isOwn
        ? await firstSigned(variants, { issuer: primary, budget, content: target.content })
        : null;
      if (parts !== null) verified.get(target.name)?.push({ parts, unhashed: copies.unhashed });
      else if (mayBeByOthers(first(copies))) loose.push({ ...copies, target: target.name, variants });
    }
  }
  return { verified, loose };
}

function mayBeByOthers({ type }: SignatureParts): boolean {
  return CERTIFICATIONS.has(type) || isRevocationType(type);
}

/** Whether it says of itself, signed, that another key certifies. */
function isByAnother(copies: Copies, keyId: string): boolean {
  const { type, hashed } = first(copies);
  const issuers = issuersIn(hashed);
  return CERTIFICATIONS.has(type) && issuers.length > 0 && !issuers.includes(keyId);
}

function first({ variants }: Copies): SignatureParts {
  const [parts] = variants;
  if (parts === undefined) throw new Error('a statement without a copy');
  return parts;
}

/** Each statement with its copies, revocations first. */
function statementsIn(packets: readonly Packet[]): readonly Copies[] {
  const statements = new Map<
    string,
    { variants: Map<string, SignatureParts>; unhashed: Map<string, Subpacket> }
  >();
  for (const packet of packets) {
    const parts = partsOf(packet);
    if (parts === null) continue;
    const copies = statements.get(parts.name) ?? { variants: new Map(), unhashed: new Map() };
    statements.set(parts.name, copies);
    const numbers = latin1(parts.rest);
    if (!copies.variants.has(numbers)) copies.variants.set(numbers, parts);
    for (const subpacket of parts.unhashed.filter(mayProveItself))
      copies.unhashed.set(`${subpacket.type}:${latin1(subpacket.body)}`, subpacket);
  }
  return Array.from(statements.values(), ({ variants, unhashed }) => ({
    variants: [...variants.values()],
    unhashed: [...unhashed.values()],
  })).sort((a, b) => Number(isRevocationType(first(b).type)) - Number(isRevocationType(first(a).type)));
}

function mayProveItself({ type }: Subpacket): boolean {
  return type === SUBPACKET.embeddedSignature || type === SUBPACKET.keyBlock;
}

function targetOf(component: Component, components: Components): Target {
  const types = TYPES[component.packet.tag] ?? new Set();
  return {
    name: nameOf(component),
    content: contentOf(signedBytes(subjectOf(component, components))),
    fits: (type) => types.has(type),
  };
}

/** The copies whose digest begins as they say, which costs far less than to check them. */
async function matching(
  variants: readonly SignatureParts[],
  content: Content,
): Promise<readonly SignatureParts[]> {
  const found: SignatureParts[] = [];
  for (const parts of variants) {
    const digest = await digestOf(content, parts);
    if (digest !== null && digest[0] === parts.rest[0] && digest[1] === parts.rest[1]) found.push(parts);
  }
  return found;
}

const USER_TYPES: ReadonlySet<number> = new Set([...CERTIFICATIONS, signatureType.certRevocation]);

/** The signatures that may be over a packet of a certificate. */
const TYPES: Readonly<Record<number, ReadonlySet<number>>> = {
  [TAG.publicKey]: new Set([signatureType.key, signatureType.keyRevocation]),
  [TAG.userId]: USER_TYPES,
  [TAG.userAttribute]: USER_TYPES,
  [TAG.publicSubkey]: new Set([signatureType.subkeyBinding, signatureType.subkeyRevocation]),
};

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

import { enums } from 'openpgp';
import type { AnyKeyPacket } from 'openpgp';
import type { Budget } from './budget.js';
import { describeCertificate, readIssuer, withStatements } from './certificate.js';
import type { Certificate, SignedComponent } from './certificate.js';
import { firstSigned } from './check-signature.js';
import { nameOf, subjectOf } from './components.js';
import { contentOf } from './content.js';
import { signedBytes } from './packet-objects.js';
import type { Packet } from './packets.js';
import { isRevocationType, keyInBlock, otherStatement } from './self-signatures.js';
import type { Statement } from './self-signatures.js';
import { issuersIn } from './signature-parts.js';
import type { SignatureParts } from './signature-parts.js';
import { CERTIFICATIONS } from './sort-signatures.js';
import type { LooseSignature } from './sort-signatures.js';

const CERTIFIER_TYPES: ReadonlySet<number> = new Set([...CERTIFICATIONS, enums.signature.certRevocation]);

/** The public key packet with this fingerprint, if it is known. */
export type FindKey = (fingerprint: string) => Packet | null;

export interface OtherKeys {
  /** Their primary keys may have certified one another. */
  readonly all: readonly Certificate[];
  readonly findKey: FindKey;
  readonly budget: Budget;
}

/** A key, and its packet where that goes along with the signature: nobody could check a revoker's without it. */
interface Issuer {
  readonly key: AnyKeyPacket;
  readonly carried: Packet | null;
}

type Revokers = ReadonlyMap<string, Issuer>;

/**
 * The certificate with what other known keys signed of it: revocations by designated revokers (RFC 9580 §5.2.3.23),
 * certifications by other primary keys, and what these took back.
 *
 * @throws {PacksignError} `KEYS_MALFORMED`: too much to compute (threat T29).
 */
export async function withOthers(certificate: Certificate, others: OtherKeys): Promise<Certificate> {
  const revokers = await findRevokers(certificate, others);
  const added = new Map<string, Statement[]>();
  const left: LooseSignature[] = [];
  for (const one of revocationsFirst(certificate.loose)) {
    const statement = await statementOf(one, { ...others, certificate, revokers });
    if (statement === null) left.push(one);
    else added.set(one.target, [...(added.get(one.target) ?? []), statement]);
  }
  const isNew = certificate.revokers.some(
    ({ fingerprint, isKnown }) => !isKnown && revokers.has(fingerprint),
  );
  if (added.size === 0 && !isNew) return certificate;
  const { primary, users, subkeys } = certificate.anatomy;
  const grown = (component: SignedComponent): SignedComponent =>
    withStatements(component.packet, [...component.statements, ...(added.get(nameOf(component)) ?? [])]);
  const anatomy = { primary: grown(primary), users: users.map(grown), subkeys: subkeys.map(grown) };
  const known = new Set([...knownRevokers(certificate), ...revokers.keys()]);
  return await describeCertificate(anatomy, left, known);
}

/** Designated revokers whose keys were there when the certificate was read. */
export function knownRevokers({ revokers }: Certificate): readonly string[] {
  return revokers.filter(({ isKnown }) => isKnown).map(({ fingerprint }) => fingerprint);
}

async function findRevokers(certificate: Certificate, { all, findKey }: OtherKeys): Promise<Revokers> {
  const found = new Map<string, Issuer>();
  for (const { fingerprint } of certificate.revokers) {
    const beside = all.find((other) => other.fingerprint === fingerprint)?.anatomy.primary.packet;
    const carried =
      beside ??
      findKey(fingerprint) ??
      certificate.loose
        .map(({ unhashed }) => keyInBlock(unhashed, fingerprint))
        .find((packet) => packet !== null) ??
      null;
    const key = carried === null ? null : await readIssuer(carried);
    if (key !== null) found.set(fingerprint, { key, carried });
  }
  return found;
}

interface Looking extends OtherKeys {
  readonly certificate: Certificate;
  readonly revokers: Revokers;
}

async function statementOf(loose: LooseSignature, looking: Looking): Promise<Statement | null> {
  const { certificate, revokers } = looking;
  const { primary, users, subkeys } = certificate.anatomy;
  const component = [primary, ...users, ...subkeys].find((part) => nameOf(part) === loose.target);
  const [parts] = loose.variants;
  if (component === undefined || parts === undefined) return null;
  const isRevocation = isRevocationType(parts.type);
  const content = contentOf(signedBytes(subjectOf(component, certificate.anatomy)));
  const issuers = [...(isRevocation ? revokers.values() : []), ...certifiersOf(parts, looking)];
  for (const { key, carried } of issuers) {
    const by = key.getFingerprint().toUpperCase();
    const known = component.statements.find(
      (statement) => statement.by === by && statement.name === parts.name,
    );
    if (known !== undefined) return known;
    const untried = loose.variants.filter((variant) => isUntried(variant, by));
    const good = await firstSigned(untried, { issuer: key, budget: looking.budget, content });
    if (good !== null) return otherStatement(good, key, carried);
  }
  return null;
}

/** Other primary keys that may have made a certification, or taken one back. */
function certifiersOf(parts: SignatureParts, { all, certificate }: Looking): readonly Issuer[] {
  if (!CERTIFIER_TYPES.has(parts.type)) return [];
  const signed = issuersIn(parts.hashed);
  // Whoever removes the hint of a certification makes it count for nothing. One that is taken back needs no hint.
  const named = signed.length > 0 || isRevocationType(parts.type) ? signed : issuersIn(parts.unhashed);
  const isAny = named.length === 0 && isRevocationType(parts.type);
  return all.flatMap(({ fingerprint, primary: { keyId, packet } }) => {
    const isOther = fingerprint !== certificate.fingerprint && packet !== null;
    return isOther && (isAny || named.includes(keyId)) ? [{ key: packet, carried: null }] : [];
  });
}

/** So that no merge checks a signature again. */
const tried = new WeakMap<SignatureParts, Set<string>>();

function isUntried(parts: SignatureParts, by: string): boolean {
  const before = tried.get(parts) ?? new Set();
  if (before.has(by)) return false;
  tried.set(parts, before.add(by));
  return true;
}

function revocationsFirst(loose: readonly LooseSignature[]): readonly LooseSignature[] {
  const isRevocation = ({ variants: [parts] }: LooseSignature) => Number(isRevocationType(parts?.type ?? 0));
  return [...loose].sort((a, b) => isRevocation(b) - isRevocation(a));
}

import type { Certificate } from '../pgp/certificates.js';
import type { Component, Components } from '../pgp/components.js';
import type { Packet } from '../pgp/packets.js';
import { readArmored } from './pins.js';

/** What is to be kept of the certificates that somebody served. */
export interface Offered {
  readonly certificates: readonly Certificate[];
  /** The pinned primaries. */
  readonly fingerprints: readonly string[];
  /** Whether the database beside them was refused: then their revocations count, and nothing else. */
  readonly isRefused: boolean;
}

/**
 * The armored certificates that the store keeps: what it has, and what was offered, of pinned primaries alone. Only what
 * a pinned primary key signed is kept, without user attributes, certifications by others, and second copies (threat T31).
 * Null for none.
 */
export async function storedCertificates(
  before: string | null,
  { certificates, fingerprints, isRefused }: Offered,
): Promise<string | null> {
  const { armorCertificates, encodeCertificates, mergeCertificates } = await import('../pgp/certificates.js');
  const isPinned = ({ fingerprint }: Certificate) => fingerprints.includes(fingerprint);
  const known = (await readArmored(before)).filter(isPinned);
  const offered: Certificate[] = [];
  for (const certificate of certificates.filter(isPinned)) {
    const had = known.find(({ fingerprint }) => fingerprint === certificate.fingerprint);
    if (isRefused && had === undefined) continue;
    offered.push(await cleaned(certificate, isRefused && had !== undefined ? had : null));
  }
  const kept: Certificate[] = [];
  // Once more, because of two copies of one signature the store may have had one that does not verify.
  for (const certificate of await mergeCertificates(known, offered))
    kept.push(await cleaned(certificate, null));
  if (kept.length === 0) return null;
  return Buffer.from(armorCertificates(encodeCertificates(kept).binary)).toString();
}

/** The certificate with nothing but what its primary key signed; where `had` is given, only revocations of parts of it. */
async function cleaned(certificate: Certificate, had: Certificate | null): Promise<Certificate> {
  const [{ inspectCertificate }, { CERTIFICATE_FILE }] = await Promise.all([
    import('../pgp/certificate.js'),
    import('../pgp/origin.js'),
  ]);
  const clean = await cleanComponents(certificate);
  return await inspectCertificate(had === null ? clean : revocationsOf(had.anatomy, clean), CERTIFICATE_FILE);
}

/** The parts that the primary key signed, with its signatures alone. */
async function cleanComponents({ anatomy, primary }: Certificate): Promise<Components> {
  const [{ subjectOf }, { isMadeBy }] = await Promise.all([
    import('../pgp/certificate.js'),
    import('../pgp/self-signatures.js'),
  ]);
  const clean = async (component: Component, types: ReadonlySet<number>): Promise<Component> => {
    const kept = new Map<string, Packet>();
    // A revocation certificate appended to a key ends up after its last subkey.
    const place =
      types === OF_PRIMARY ? [anatomy.primary, ...anatomy.users, ...anatomy.subkeys] : [component];
    for (const signature of place.flatMap(({ signatures }) => signatures)) {
      const name = statementOf(signature);
      if (primary.packet === null || kept.has(name) || !types.has(signature.body[1] ?? -1)) continue;
      if (await isMadeBy(signature, primary.packet, subjectOf(component, anatomy))) kept.set(name, signature);
    }
    return { ...component, signatures: [...kept.values()] };
  };
  const bound = async (
    components: readonly Component[],
    types: ReadonlySet<number>,
  ): Promise<readonly Component[]> => {
    const all: Component[] = [];
    for (const component of components) all.push(await clean(component, types));
    return all.filter(({ signatures }) => signatures.length > 0);
  };
  return {
    primary: await clean(anatomy.primary, OF_PRIMARY),
    users: await bound(
      anatomy.users.filter(({ packet }) => packet.tag === USER_ID),
      OF_USER_ID,
    ),
    subkeys: await bound(anatomy.subkeys, OF_SUBKEY),
  };
}

const USER_ID = 13;
/** Types of signatures (RFC 9580 §5.2.1) over each part: one over the primary key alone fits behind any other part. */
const OF_PRIMARY: ReadonlySet<number> = new Set([0x1f, 0x20]);
const OF_USER_ID: ReadonlySet<number> = new Set([0x10, 0x11, 0x12, 0x13, 0x30]);
const OF_SUBKEY: ReadonlySet<number> = new Set([0x18, 0x28]);
const REVOCATIONS: ReadonlySet<number> = new Set([0x20, 0x28, 0x30]);

function revocationsOf(had: Components, served: Components): Components {
  const among = (components: readonly Component[]) => (component: Component) => {
    const bytes = Buffer.from(component.packet.body);
    const twin = components.find(({ packet }) => bytes.equals(packet.body));
    const signatures = (twin?.signatures ?? []).filter(({ body }) => REVOCATIONS.has(body[1] ?? -1));
    return { ...component, signatures };
  };
  return {
    primary: among([served.primary])(had.primary),
    users: had.users.map(among(served.users)),
    subkeys: had.subkeys.map(among(served.subkeys)),
  };
}

/** What a version 4 signature signs beside its subject: equal for all copies, whatever their unhashed area. */
function statementOf({ body }: Packet): string {
  const hashedEnd = 6 + ((body[4] ?? 0) << 8) + (body[5] ?? 0);
  return Buffer.from(body.subarray(0, hashedEnd)).toString('latin1');
}

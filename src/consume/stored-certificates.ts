import type { Certificate, SignedComponent, SignedComponents } from '../pgp/certificate.js';
import { TAG } from '../pgp/packets.js';
import type { Statement } from '../pgp/self-signatures.js';
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
 * a pinned primary key signed is kept, and what a designated revoker revoked, without user attributes and without
 * certifications by others (threat T31). Null for none.
 */
export async function storedCertificates(
  before: string | null,
  { certificates, fingerprints, isRefused }: Offered,
): Promise<string | null> {
  const { encodeCertificates, mergeCertificates } = await import('../pgp/certificates.js');
  const { describeCertificate } = await import('../pgp/certificate.js');
  const isPinned = ({ fingerprint }: Certificate) => fingerprints.includes(fingerprint);
  const known = (await readArmored(before)).filter(isPinned);
  const offered: Certificate[] = [];
  for (const certificate of certificates.filter(isPinned)) {
    const had = known.find(({ fingerprint }) => fingerprint === certificate.fingerprint);
    if (!isRefused) offered.push(certificate);
    else if (had !== undefined) {
      offered.push(await describeCertificate(revocationsOf(had.anatomy, certificate.anatomy), []));
    }
  }
  const kept: Certificate[] = [];
  for (const certificate of await mergeCertificates(known, offered)) {
    kept.push(await describeCertificate(cleaned(certificate), []));
  }
  if (kept.length === 0) return null;
  return Buffer.from(encodeCertificates(kept).armored).toString();
}

/** The parts that the primary key signed, with its own statements, and with the revocations of designated revokers. */
function cleaned({ fingerprint, anatomy }: Certificate): SignedComponents {
  const isNeeded = ({ by, claim }: Statement) => by === fingerprint || claim.kind === 'revocation';
  const clean = (component: SignedComponent) => withOnly(component, component.statements.filter(isNeeded));
  const isSigned = ({ statements }: SignedComponent) => statements.some(({ by }) => by === fingerprint);
  return {
    primary: clean(anatomy.primary),
    users: anatomy.users.filter((user) => user.packet.tag === TAG.userId && isSigned(user)).map(clean),
    subkeys: anatomy.subkeys.filter(isSigned).map(clean),
  };
}

/** What was served to revoke the parts that are known. */
function revocationsOf(had: SignedComponents, served: SignedComponents): SignedComponents {
  const among = (components: readonly SignedComponent[]) => (component: SignedComponent) => {
    const bytes = Buffer.from(component.packet.body);
    const twin = components.find(({ packet }) => bytes.equals(packet.body));
    const statements = twin?.statements ?? [];
    return withOnly(
      component,
      statements.filter(({ claim }) => claim.kind === 'revocation'),
    );
  };
  return {
    primary: among([served.primary])(had.primary),
    users: had.users.map(among(served.users)),
    subkeys: had.subkeys.map(among(served.subkeys)),
  };
}

function withOnly({ packet }: SignedComponent, statements: readonly Statement[]): SignedComponent {
  return { packet, statements, signatures: statements.map((statement) => statement.packet) };
}

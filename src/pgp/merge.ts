import type { AnyKeyPacket } from 'openpgp';
import type { Components, Component } from './components.js';
import type { Certificate } from './certificate.js';
import { inspectCertificate, subjectOf } from './certificate.js';
import { isMadeBy } from './self-signatures.js';
import type { Packet } from './packets.js';
import { CERTIFICATE_FILE } from './origin.js';

/** Primary keys whose certifications are merged, by key id. */
type Issuers = ReadonlyMap<string, AnyKeyPacket>;

/**
 * Adds to certificates what fresh copies of them hold (docs/FORMAT.md §8): subkeys, user ids, longer expiry,
 * revocations. Loses, replaces and reorders nothing that was known. The server of the fresh copy cannot add packets of
 * its own: a packet must be signed by the certificate's primary key or by another primary key of either list. Fresh
 * certificates of other primary keys follow at the end.
 *
 * OpenPGP.js's own `update` replaces a subkey's binding by a newer one without checking it.
 */
export async function mergeCertificates(
  known: readonly Certificate[],
  fresh: readonly Certificate[],
): Promise<readonly Certificate[]> {
  const issuers: Issuers = new Map(
    [...known, ...fresh].flatMap(({ primary: { keyId, packet } }) =>
      packet === null ? [] : [[keyId, packet]],
    ),
  );
  const merged = new Map<string, Certificate>();
  for (const certificate of [...known, ...fresh]) {
    const before = merged.get(certificate.fingerprint);
    const after = before === undefined ? certificate : await mergeOne(before, certificate, issuers);
    merged.set(certificate.fingerprint, after);
  }
  return [...merged.values()];
}

async function mergeOne(known: Certificate, fresh: Certificate, issuers: Issuers): Promise<Certificate> {
  const merging: Merging = { anatomy: known.anatomy, issuers };
  const anatomy: Components = {
    primary: await mergeComponent(known.anatomy.primary, fresh.anatomy.primary, merging),
    users: await mergeComponents(known.anatomy.users, fresh.anatomy.users, merging),
    subkeys: await mergeComponents(known.anatomy.subkeys, fresh.anatomy.subkeys, merging),
  };
  return inspectCertificate(anatomy, CERTIFICATE_FILE);
}

interface Merging {
  readonly anatomy: Components;
  readonly issuers: Issuers;
}

async function mergeComponents(
  known: readonly Component[],
  fresh: readonly Component[],
  merging: Merging,
): Promise<readonly Component[]> {
  const merged = new Map(known.map((component) => [nameOf(component), component]));
  for (const component of fresh) {
    const before = merged.get(nameOf(component));
    const after = await mergeComponent(before ?? { ...component, signatures: [] }, component, merging);
    if (before !== undefined || after.signatures.length > 0) merged.set(nameOf(component), after);
  }
  return [...merged.values()];
}

async function mergeComponent(known: Component, fresh: Component, merging: Merging): Promise<Component> {
  const seen = new Set(known.signatures.map(signedPart));
  const added: Packet[] = [];
  for (const signature of fresh.signatures) {
    const name = signedPart(signature);
    if (seen.has(name) || !(await isWelcome(signature, fresh, merging))) continue;
    seen.add(name);
    added.push(signature);
  }
  return added.length === 0 ? known : { ...known, signatures: [...known.signatures, ...added] };
}

/**
 * Whether a known issuer made the signature, over the component that it follows or over the primary key, as for a
 * misplaced revocation certificate.
 */
async function isWelcome(
  signature: Packet,
  component: Component,
  { anatomy, issuers }: Merging,
): Promise<boolean> {
  const subjects = [subjectOf(component, anatomy), subjectOf(anatomy.primary, anatomy)];
  for (const issuer of issuers.values()) {
    for (const subject of subjects) {
      if (await isMadeBy(signature, issuer, subject)) return true;
    }
  }
  return false;
}

function nameOf({ packet }: Component): string {
  return `${packet.tag}:${Buffer.from(packet.body).toString('base64')}`;
}

/**
 * Identifies a version 4 signature: all but its unhashed area, which anyone can change to make a thousand different
 * packets of one signature.
 */
function signedPart({ body }: Packet): string {
  const bytes = Buffer.from(body);
  const hashedEnd = bytes[0] === 4 && bytes.length >= 8 ? 6 + bytes.readUInt16BE(4) : bytes.length;
  if (hashedEnd + 2 > bytes.length) return bytes.toString('base64');
  const unhashedEnd = hashedEnd + 2 + bytes.readUInt16BE(hashedEnd);
  return Buffer.concat([bytes.subarray(0, hashedEnd), bytes.subarray(unhashedEnd)]).toString('base64');
}

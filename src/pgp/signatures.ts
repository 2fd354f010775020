import { enums } from 'openpgp';
import type { SignaturePacket } from 'openpgp';
import { reasonOf } from '../errors.js';
import { SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import { SLACK_MS } from '../model/time.js';
import { dearmorOnly, encodeArmor, isBinary } from './armor.js';
import type { Certificate, CertificateKey } from './certificate.js';
import { isSignedBy, issuerHint } from './check-signature.js';
import { contentOf } from './content.js';
import type { Content } from './content.js';
import { joinPackets, splitPackets, TAG } from './packets.js';
import { malformed, SIGNATURE_FILE } from './origin.js';
import { readSignaturePacket } from './packet-objects.js';
import { STRONG_HASHES } from './policy.js';
import { demandsMore } from './self-signatures.js';
import { fingerprintsIn, issuersIn, packetWith, partsOf } from './signature-parts.js';
import type { SignatureParts } from './signature-parts.js';
import { keyExpiry, keyStatus } from './key-status.js';

/** The most signatures in one file (docs/FORMAT.md §9). */
const SIGNATURE_LIMIT = 32;

/** One signature packet with its header, as `Signer.sign` makes it. Unchecked. */
export type SignaturePacketBytes = Uint8Array;

/** The result for one signature of a file. Only good ones count, and only once for each `fingerprint`. */
export interface SignatureReport {
  /** Primary fingerprint of the certificate that it matched; null if none has such a key. */
  readonly fingerprint: string | null;
  /** Fingerprint, or else key id, of the key that it names as its issuer. Unproven unless `good`. */
  readonly issuer: string | null;
  /** First user id of that certificate. Foreign text. */
  readonly userId: string | null;
  /** From the hashed area. Unproven unless `good`. */
  readonly signedAt: Date | null;
  readonly good: boolean;
  /** Why it is not good, for people; null if it is. */
  readonly reason: string | null;
  /** Whether it is not good because its key was revoked. */
  readonly revoked: boolean;
  /** As it is to be written, with an unhashed area of our own (threat T27); null unless `good`. */
  readonly packet: SignaturePacketBytes | null;
  /** When the signing key expires, as known now; in the past means stale (docs/FORMAT.md §8 step 10). */
  readonly keyExpires: Date | null;
}

/**
 * The packets of a signature file (docs/FORMAT.md §7, threat T2): one armor block, or binary if the user names such a
 * file, with nothing but signature packets. Refuses a complete signed message.
 *
 * @throws {PacksignError} `SIGNATURE_MALFORMED`: anything else, more than 64 KiB or 32 signatures.
 */
export function readSignatures(
  bytes: Uint8Array,
  { allowBinary = false }: { readonly allowBinary?: boolean } = {},
): readonly SignaturePacketBytes[] {
  if (bytes.length > SIGNATURE_LIMIT_BYTES) throw malformed(SIGNATURE_FILE, 'is larger than 64 KiB');
  const binary = allowBinary && isBinary(bytes) ? bytes : dearmorOnly(bytes, 'SIGNATURE', SIGNATURE_FILE);
  const packets = splitPackets(binary, SIGNATURE_FILE);
  const foreign = packets.find(({ tag }) => tag !== TAG.signature);
  if (foreign !== undefined) {
    throw malformed(SIGNATURE_FILE, `holds a packet that is not a signature (type ${foreign.tag})`);
  }
  if (packets.length > SIGNATURE_LIMIT) {
    throw malformed(SIGNATURE_FILE, `holds more than ${SIGNATURE_LIMIT} signatures`);
  }
  return packets.map((packet) => joinPackets([packet]));
}

/** A signature file: one armor block with the signatures in the given order, exact duplicates once. */
export function joinSignatures(signatures: readonly SignaturePacketBytes[]): Uint8Array {
  const packets = signatures.flatMap((signature) => splitPackets(signature, SIGNATURE_FILE));
  const distinct = new Map(packets.map((packet) => [Buffer.from(packet.body).toString('base64'), packet]));
  return encodeArmor(joinPackets([...distinct.values()]), 'SIGNATURE');
}

/**
 * Checks each signature by itself against each certificate by itself (docs/FORMAT.md §8 step 4, threats T3, T4, T7).
 * Gives one report for each, in their order. Never throws because of what a signature holds. `countDistinct` compares
 * `signedAt` with `Issued`, once the database has been read.
 */
export async function verifySignatures(
  document: Uint8Array | Content,
  signatures: readonly SignaturePacketBytes[],
  { certificates, now }: { readonly certificates: readonly Certificate[]; readonly now: Date },
): Promise<readonly SignatureReport[]> {
  const content = document instanceof Uint8Array ? contentOf(document) : document;
  const reports: SignatureReport[] = [];
  for (const signature of signatures)
    reports.push(await verifyOne(signature, { content, certificates, now }));
  return reports;
}

/**
 * Primary fingerprints with a good signature made between two moments, both included (threats T6, T23): compare their
 * number with a threshold. The caller adds the slack of docs/FORMAT.md §8.
 */
export function countDistinct(
  reports: readonly SignatureReport[],
  { from, until }: { readonly from: Date; readonly until: Date },
): ReadonlySet<string> {
  const counted = reports.filter(({ good, signedAt }) => {
    return good && signedAt !== null && from <= signedAt && signedAt <= until;
  });
  return new Set(counted.map(({ fingerprint }) => fingerprint).filter((fingerprint) => fingerprint !== null));
}

interface Known {
  readonly content: Content;
  readonly certificates: readonly Certificate[];
  readonly now: Date;
}

/** A key that may have made a signature. */
interface Candidate {
  readonly certificate: Certificate;
  readonly key: CertificateKey;
}

const NOTHING: SignatureReport = {
  fingerprint: null,
  issuer: null,
  userId: null,
  signedAt: null,
  good: false,
  reason: null,
  revoked: false,
  packet: null,
  keyExpires: null,
};

async function verifyOne(signature: SignaturePacketBytes, known: Known): Promise<SignatureReport> {
  const opened = open(signature);
  if (typeof opened === 'string') return { ...NOTHING, reason: opened };
  const { certificates, now, content } = known;
  const { parts, packet } = opened;
  const base = { ...NOTHING, issuer: namedIssuer(parts), signedAt: packet.created };
  const { likely, others } = candidatesFor(parts, certificates);
  const flaw = flawOf(packet, now);
  if (flaw !== null) return { ...base, ...named(likely[0], now), reason: flaw };

  let report: SignatureReport = { ...base, reason: 'made by a key that is not among the certificates' };
  for (const candidate of [...likely, ...others]) {
    const fault = await faultOf(opened, candidate, content);
    // A stranger's certificate can list a foreign subkey, so a failure does not decide while candidates are left.
    if (fault === null)
      return { ...base, ...named(candidate, now), good: true, packet: written(parts, candidate) };
    if (report.fingerprint === null && likely.includes(candidate))
      report = { ...base, ...named(candidate, now), ...fault };
  }
  return report;
}

interface Opened {
  readonly parts: SignatureParts;
  /** Without its unhashed area, which anybody can change (threat T27). */
  readonly packet: SignaturePacket;
}

/** The signature, or why it is refused. Reads each by itself: one that cannot be read does not spoil the others. */
function open(signature: SignaturePacketBytes): Opened | string {
  try {
    const [packet] = splitPackets(signature, SIGNATURE_FILE);
    const version = packet?.body[0] ?? 0;
    if (packet?.tag !== TAG.signature) return 'not a signature';
    if (version !== 4) return `signatures of version ${version} are not supported`;
    const parts = partsOf(packet);
    if (parts === null) return 'the signature is damaged';
    const bare = readSignaturePacket(packetWith(parts, []).body);
    if (demandsMore(bare)) return 'the signature demands something that packsign does not know';
    return { parts, packet: bare };
  } catch (error) {
    return `the signature cannot be read: ${reasonOf(error)}`;
  }
}

/** What is wrong with a signature, regardless of its key. */
function flawOf(packet: SignaturePacket, now: Date): string | null {
  if (packet.signatureType !== enums.signature.binary) return 'not a signature over the exact bytes';
  if (!STRONG_HASHES.has(packet.hashAlgorithm ?? -1)) return 'the signature is over a hash that is too weak';
  if (packet.created === null) return 'the signature has no date';
  if (packet.created.getTime() > now.getTime() + SLACK_MS) return 'the signature is dated in the future';
  const expires = packet.getExpirationTime();
  if (expires instanceof Date && expires <= now) return 'the signature has expired';
  return null;
}

/** Why a signature is not good by one key of one certificate, or null if it is. */
async function faultOf(
  { parts, packet }: Opened,
  { certificate, key }: Candidate,
  content: Content,
): Promise<Pick<SignatureReport, 'reason' | 'revoked'> | null> {
  const status = keyStatus(certificate, key, packet.created ?? new Date(0));
  if (status.kind !== 'valid') return { reason: status.reason, revoked: status.kind === 'revoked' };
  if (key.packet === null) return { reason: 'the key cannot be read', revoked: false };
  if (await isSignedBy(parts, key.packet, content)) return null;
  return { reason: 'the signature does not match', revoked: false };
}

/** The keys that a signature names, and those that may have made it all the same: a hint is not signed (threat T27). */
function candidatesFor(
  { hashed, unhashed }: SignatureParts,
  certificates: readonly Certificate[],
): { readonly likely: readonly Candidate[]; readonly others: readonly Candidate[] } {
  const signed = issuersIn(hashed);
  const ids = signed.length > 0 ? signed : issuersIn(unhashed);
  const all = certificates.flatMap((certificate) =>
    [certificate.primary, ...certificate.subkeys].map((key) => ({ certificate, key })),
  );
  const isNamed = ({ key }: Candidate) => ids.includes(key.keyId);
  return {
    likely: all.filter(isNamed),
    others: signed.length > 0 ? [] : all.filter((candidate) => !isNamed(candidate)),
  };
}

function named(candidate: Candidate | undefined, now: Date): Partial<SignatureReport> {
  if (candidate === undefined) return {};
  const { certificate, key } = candidate;
  return {
    fingerprint: certificate.fingerprint,
    userId: certificate.userIds[0] ?? null,
    keyExpires: keyExpiry(certificate, key, now),
  };
}

function written(parts: SignatureParts, { key }: Candidate): SignaturePacketBytes {
  return joinPackets([packetWith(parts, key.packet === null ? [] : issuerHint(parts, key.packet))]);
}

/** The fingerprint, or else the key id, that a signature names. */
function namedIssuer({ hashed, unhashed }: SignatureParts): string | null {
  const areas = [...hashed, ...unhashed];
  return fingerprintsIn(areas)[0] ?? issuersIn(areas)[0] ?? null;
}

import { enums } from 'openpgp';
import type { SignaturePacket } from 'openpgp';
import { reasonOf } from '../errors.js';
import { SLACK_MS } from '../model/time.js';
import { dearmorOnly, encodeArmor, isBinary } from './armor.js';
import type { Certificate, CertificateKey } from './certificate.js';
import { contentOf } from './content.js';
import type { Content } from './content.js';
import { joinPackets, splitPackets, TAG } from './packets.js';
import { malformed, SIGNATURE_FILE } from './origin.js';
import { issuerKeyId, readSignaturePacket, verifyPacket } from './packet-objects.js';
import { POLICY, STRONG_HASHES } from './policy.js';
import { keyExpiry, keyStatus } from './key-status.js';

/** Limits of docs/FORMAT.md §9. */
export const SIGNATURE_LIMIT_BYTES = 64 * 1024;
export const SIGNATURE_LIMIT = 32;

/** One signature packet with its header, as `Signer.sign` makes it. Nothing about it is checked. */
export type SignaturePacketBytes = Uint8Array;

/** What one signature of a file is worth. Only good ones count, and only once for each `fingerprint`. */
export interface SignatureReport {
  /** Primary fingerprint of the certificate that it matched; null where none has such a key. */
  readonly fingerprint: string | null;
  /** Fingerprint, else key id, of the key that it says made it. Unproven unless `good`. */
  readonly issuer: string | null;
  /** First user id of that certificate. Foreign text. */
  readonly userId: string | null;
  /** From the hashed area. Unproven unless `good`. */
  readonly signedAt: Date | null;
  readonly good: boolean;
  /** Why it is not good, for people; null where it is. */
  readonly reason: string | null;
  /** Whether that is because the key that it says made it had been revoked. */
  readonly revoked: boolean;
  /** When the key that signed expires, as known now: past means stale (docs/FORMAT.md §8 step 10). */
  readonly keyExpires: Date | null;
}

/**
 * The packets of a signature file (docs/FORMAT.md §7, threat T2): one armor block, or binary where a user
 * names such a file, and signature packets alone. A complete signed message is refused.
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
    throw malformed(SIGNATURE_FILE, `holds something that is no signature (packet type ${foreign.tag})`);
  }
  if (packets.length > SIGNATURE_LIMIT)
    throw malformed(SIGNATURE_FILE, `holds more than ${SIGNATURE_LIMIT} signatures`);
  return packets.map((packet) => joinPackets([packet]));
}

/** A signature file: all in one armor block, in the order given, exact duplicates once. */
export function joinSignatures(signatures: readonly SignaturePacketBytes[]): Uint8Array {
  const packets = signatures.flatMap((signature) => splitPackets(signature, SIGNATURE_FILE));
  const distinct = new Map(packets.map((packet) => [Buffer.from(packet.body).toString('base64'), packet]));
  return encodeArmor(joinPackets([...distinct.values()]), 'SIGNATURE');
}

/**
 * Judges each signature by itself against each certificate by itself (docs/FORMAT.md §8 step 4, threats T3,
 * T4, T7), one report for each in their order. Never throws on what a signature holds. Whether `signedAt` lies
 * after `Issued` is for `countDistinct`, once the database has been read.
 */
export async function verifySignatures(
  document: Uint8Array | Content,
  signatures: readonly SignaturePacketBytes[],
  { certificates, now }: { readonly certificates: readonly Certificate[]; readonly now: Date },
): Promise<readonly SignatureReport[]> {
  const content = document instanceof Uint8Array ? contentOf(document) : document;
  const reports: SignatureReport[] = [];
  for (const signature of signatures) reports.push(await judge(signature, { content, certificates, now }));
  return reports;
}

/**
 * Primary fingerprints with a good signature made between two moments, both included (threats T6, T23): the
 * number to hold against a threshold. The slack of docs/FORMAT.md §8 is the caller's to add.
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

interface Case {
  readonly content: Content;
  readonly certificates: readonly Certificate[];
  readonly now: Date;
}

interface Suspect {
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
  keyExpires: null,
};

async function judge(signature: SignaturePacketBytes, matter: Case): Promise<SignatureReport> {
  const opened = open(signature);
  if (opened.kind === 'refused') return { ...NOTHING, reason: opened.reason };
  const { packet } = opened;
  const base = { ...NOTHING, issuer: issuerOf(packet), signedAt: packet.created };
  const suspects = suspectsOf(packet, matter.certificates);
  const refusal = flawOf(packet, matter.now);
  if (refusal !== null) return { ...base, ...named(suspects[0], matter.now), reason: refusal };

  let report: SignatureReport = { ...base, reason: 'made by a key that is not among the certificates' };
  for (const suspect of suspects) {
    const fault = await faultOf(packet, suspect, matter.content);
    // A stranger's certificate can list a foreign subkey: the first that fails is not the last word.
    if (fault === null) return { ...base, ...named(suspect, matter.now), good: true };
    if (report.fingerprint === null) report = { ...base, ...named(suspect, matter.now), ...fault };
  }
  return report;
}

type Opened =
  | { readonly kind: 'opened'; readonly packet: SignaturePacket }
  | { readonly kind: 'refused'; readonly reason: string };

/** Each packet is read by itself, so that one that cannot be read spoils no other. */
function open(signature: SignaturePacketBytes): Opened {
  try {
    const [packet] = splitPackets(signature, SIGNATURE_FILE);
    const version = packet?.body[0] ?? 0;
    if (packet?.tag !== TAG.signature) return { kind: 'refused', reason: 'not a signature' };
    if (version !== 4)
      return { kind: 'refused', reason: `signatures of version ${version} are not supported` };
    return { kind: 'opened', packet: readSignaturePacket(packet.body) };
  } catch (error) {
    return { kind: 'refused', reason: `the signature cannot be read: ${reasonOf(error)}` };
  }
}

/** What is wrong with a signature whoever made it. */
function flawOf(packet: SignaturePacket, now: Date): string | null {
  if (packet.signatureType !== enums.signature.binary) return 'not a signature over the exact bytes';
  if (!STRONG_HASHES.has(packet.hashAlgorithm ?? -1)) return 'the signature is over a hash that is too weak';
  if (packet.created === null) return 'the signature has no date';
  if (packet.created.getTime() > now.getTime() + SLACK_MS) return 'the signature is dated in the future';
  const expires = packet.getExpirationTime();
  if (expires instanceof Date && expires <= now) return 'the signature has expired';
  return null;
}

type Fault = Pick<SignatureReport, 'reason' | 'revoked'>;

/** Why a signature does not hold against one key of one certificate, or null where it does. */
async function faultOf(packet: SignaturePacket, suspect: Suspect, content: Content): Promise<Fault | null> {
  const { certificate, key } = suspect;
  const standing = keyStatus(certificate, key, packet.created ?? new Date(0));
  if (standing.kind !== 'valid') return { reason: standing.reason, revoked: standing.kind === 'revoked' };
  if (key.packet === null) return { reason: 'the key cannot be read', revoked: false };
  try {
    await verifyPacket(packet, { by: key.packet, over: content, config: POLICY });
    return null;
  } catch (error) {
    return { reason: `the signature does not match: ${reasonOf(error)}`, revoked: false };
  }
}

function suspectsOf(packet: SignaturePacket, certificates: readonly Certificate[]): readonly Suspect[] {
  const keyId = issuerKeyId(packet);
  return certificates.flatMap((certificate) => {
    const keys = [certificate.primary, ...certificate.subkeys].filter((key) => key.keyId === keyId);
    return keys.map((key) => ({ certificate, key }));
  });
}

function named(
  suspect: Suspect | undefined,
  now: Date,
): Pick<SignatureReport, 'fingerprint' | 'userId' | 'keyExpires'> {
  if (suspect === undefined) return { fingerprint: null, userId: null, keyExpires: null };
  const { certificate, key } = suspect;
  return {
    fingerprint: certificate.fingerprint,
    userId: certificate.userIds[0] ?? null,
    keyExpires: keyExpiry(certificate, key, now),
  };
}

function issuerOf(packet: SignaturePacket): string | null {
  const fingerprint = packet.issuerFingerprint;
  if (fingerprint !== null && packet.issuerKeyVersion === 4)
    return Buffer.from(fingerprint).toString('hex').toUpperCase();
  return issuerKeyId(packet);
}

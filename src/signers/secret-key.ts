import { enums, SignaturePacket } from 'openpgp';
import type { AnySecretKeyPacket } from 'openpgp';
import { PacksignError, reasonOf } from '../errors.js';
import { dearmorOnly, isBinary } from '../pgp/armor.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import { inspectCertificate } from '../pgp/certificate.js';
import { CERTIFICATES_LIMIT_BYTES } from '../pgp/certificates.js';
import { splitComponents } from '../pgp/components.js';
import type { Component, Components } from '../pgp/components.js';
import { newBudget } from '../pgp/budget.js';
import { chooseHash } from '../pgp/hash.js';
import { chooseSigningKey } from '../pgp/key-status.js';
import { KEY_FILE, malformed } from '../pgp/origin.js';
import { withOthers } from '../pgp/other-signatures.js';
import { fingerprintOf, publicPacketOf, readSecretKeyPacket, signPacket } from '../pgp/packet-objects.js';
import { joinPackets, splitPackets, TAG } from '../pgp/packets.js';
import { POLICY } from '../pgp/policy.js';
import { requireValid } from '../pgp/usable.js';
import { wrongIssuer } from './made.js';
import { signerOf } from './signer.js';
import type { Signer } from './signer.js';

export interface UnlockOptions {
  /** Asks for the passphrase of a locked key. Null if there is no one to ask. */
  readonly passphrase: () => Promise<string | null>;
  readonly date: Date;
  /** Whether a locked key for which nobody gives a passphrase is good enough, because nothing has to be signed. */
  readonly mayStayLocked?: boolean;
}

/** Secret key packets by fingerprint, locked ones still locked. */
export type Secrets = ReadonlyMap<string, AnySecretKeyPacket>;

/** A secret key file taken apart; some secret halves may be missing (`gnu-dummy`, smart card). */
export interface SecretKeyFile {
  readonly certificate: Certificate;
  readonly secrets: Secrets;
}

/**
 * A signer from a secret key, armored or binary, whole or with only a signing subkey. Its newest signing subkey that is
 * valid at the date signs, or the primary key if there never was a signing subkey (threat T25).
 *
 * @throws {PacksignError} `KEY_MALFORMED`: not exactly one secret key. `KEY_EXPIRED`, `KEY_REVOKED`,
 * `KEY_NOT_YET_VALID`, `KEY_WEAK`, `KEY_UNUSABLE`: it cannot sign. `PASSPHRASE_NEEDED`, `PASSPHRASE_WRONG`.
 */
export async function readSecretKey(bytes: Uint8Array, options: UnlockOptions): Promise<Signer> {
  const { passphrase, date, mayStayLocked = false } = options;
  const { certificate, secrets } = await openSecretKey(bytes);
  const status = chooseSigningKey(certificate, date, (key) => secretOf(key, secrets) !== null);
  const { key } = requireValid(certificate, status);
  const secret = secretOf(key, secrets);
  if (secret === null) throw malformed(KEY_FILE, 'holds no secret key that signs');
  const staysLocked = mayStayLocked && !secret.isDecrypted() && (await passphrase()) === null;
  if (!staysLocked) await unlock(secret, { fingerprint: key.fingerprint, passphrase });
  return signerWith(secret, certificate, key);
}

/**
 * The certificate of a secret key file; needs no passphrase.
 *
 * @throws {PacksignError} `KEY_MALFORMED`.
 */
export async function readSecretCertificate(bytes: Uint8Array): Promise<Certificate> {
  return (await openSecretKey(bytes)).certificate;
}

/** Reads a whole secret key file and leaves it locked. Throws `KEY_MALFORMED`. */
export async function openSecretKey(bytes: Uint8Array): Promise<SecretKeyFile> {
  const { anatomy, secrets } = await publicComponentsOf(secretComponentsOf(bytes));
  const own = await inspectCertificate([anatomy], KEY_FILE);
  // A revocation by a designated revoker may carry its key along.
  const others = { all: [own], findKey: () => null, budget: newBudget(KEY_FILE) };
  return { certificate: await withOthers(own, others), secrets };
}

/** The secret half of a key; null if the file does not have it. */
export function secretOf(
  { fingerprint }: Pick<CertificateKey, 'fingerprint'>,
  secrets: Secrets,
): AnySecretKeyPacket | null {
  const secret = secrets.get(fingerprint);
  return secret === undefined || secret.isMissingSecretKeyMaterial() ? null : secret;
}

/** The public half of a secret key that was taken apart, and its secret packets. Throws `KEY_MALFORMED`. */
export async function publicComponentsOf({ primary, users, subkeys }: Components): Promise<{
  readonly anatomy: Components;
  readonly secrets: Secrets;
}> {
  const secrets = new Map<string, AnySecretKeyPacket>();
  const publicPrimary = await publicComponentOf(primary, secrets);
  if (publicPrimary === null) throw malformed(KEY_FILE, 'holds a key that cannot be read');
  const publicSubkeys: Component[] = [];
  // What stands behind a subkey may be about another part, such as a revocation of the primary key (threat T27).
  const signatures = [...publicPrimary.signatures];
  for (const subkey of subkeys) {
    const component = await publicComponentOf(subkey, secrets);
    if (component === null) signatures.push(...subkey.signatures);
    else publicSubkeys.push(component);
  }
  return { anatomy: { primary: { ...publicPrimary, signatures }, users, subkeys: publicSubkeys }, secrets };
}

/** The packets of a secret key file, unchanged. Throws `KEY_MALFORMED`. */
export function secretComponentsOf(bytes: Uint8Array): Components {
  if (bytes.length > CERTIFICATES_LIMIT_BYTES) throw malformed(KEY_FILE, 'is larger than 1 MiB');
  const isPublic = Buffer.from(bytes)
    .toString('latin1')
    .trimStart()
    .startsWith('-----BEGIN PGP PUBLIC KEY BLOCK-----');
  const label = isPublic ? 'PUBLIC KEY BLOCK' : 'PRIVATE KEY BLOCK';
  const binary = isBinary(bytes) ? bytes : dearmorOnly(bytes, label, KEY_FILE);
  const [anatomy, another] = splitComponents(splitPackets(binary, KEY_FILE), KEY_FILE);
  const { tag, body } = anatomy.primary.packet;
  if (tag !== TAG.secretKey) throw publicKeyGiven(fingerprintOf(body));
  if (another !== undefined)
    throw malformed(KEY_FILE, 'holds more than one key', 'export the one key into its own file');
  return anatomy;
}

function publicKeyGiven(fingerprint: string): PacksignError {
  const hint = `signing needs the secret key; if GnuPG has it: --key ${fingerprint}`;
  return malformed(KEY_FILE, 'holds a public key', hint);
}

/** Null if OpenPGP.js cannot read the key; such a subkey cannot sign here. */
async function publicComponentOf(
  component: Component,
  secrets: Map<string, AnySecretKeyPacket>,
): Promise<Component | null> {
  const { packet } = component;
  if (packet.tag !== TAG.secretKey && packet.tag !== TAG.secretSubkey) return component;
  try {
    const secret = await readSecretKeyPacket(packet);
    secrets.set(secret.getFingerprint().toUpperCase(), secret);
    return { ...component, packet: publicPacketOf(secret, packet.tag) };
  } catch {
    return null;
  }
}

/**
 * Unlocks a secret key and checks that its two halves belong together. Throws `PASSPHRASE_NEEDED`, `PASSPHRASE_WRONG`,
 * `KEY_UNUSABLE`, `KEY_MALFORMED`. These errors carry no cause, so that nothing of the key or the passphrase gets into
 * one (threat T19).
 */
export async function unlock(
  secret: AnySecretKeyPacket,
  { fingerprint, passphrase }: Pick<UnlockOptions, 'passphrase'> & { readonly fingerprint: string },
): Promise<void> {
  if (!secret.isDecrypted()) {
    const words = await passphrase();
    if (words === null) {
      throw new PacksignError('PASSPHRASE_NEEDED', `key ${fingerprint} is locked with a passphrase`, {
        hint: 'give it with --passphrase-file FILE or in PACKSIGN_PASSPHRASE',
      });
    }
    await decrypt(secret, words, fingerprint);
  }
  try {
    // If the public half was tampered with, a signature could give the secret away.
    await secret.validate();
  } catch {
    throw malformed(KEY_FILE, `is damaged: the halves of key ${fingerprint} do not belong together`);
  }
}

async function decrypt(secret: AnySecretKeyPacket, words: string, fingerprint: string): Promise<void> {
  try {
    await secret.decrypt(words);
  } catch (error) {
    if (reasonOf(error).startsWith('Incorrect key passphrase')) {
      throw new PacksignError('PASSPHRASE_WRONG', `that is not the passphrase of key ${fingerprint}`);
    }
    throw new PacksignError('KEY_UNUSABLE', `key ${fingerprint} is locked in a way that is not supported`, {
      hint: 'give it a new passphrase with a current version of gpg, and export it again',
    });
  }
}

function signerWith(secret: AnySecretKeyPacket, certificate: Certificate, key: CertificateKey): Signer {
  return signerOf(certificate, key, async (over, { date, deterministic, preferredHashes }) => {
    const signature = new SignaturePacket();
    signature.signatureType = enums.signature.binary;
    signature.hashAlgorithm = chooseHash(key.algorithm.name, preferredHashes);
    const config = { ...POLICY, nonDeterministicSignaturesViaNotation: !deterministic };
    await signPacket(signature, { by: secret, over, date, config });
    requireIssuer(signature, key);
    return joinPackets([{ tag: TAG.signature, body: signature.write() }]);
  });
}

/** Threat T25: check which key signed, do not assume it. */
function requireIssuer(signature: SignaturePacket, key: CertificateKey): void {
  const issuer = Buffer.from(signature.issuerFingerprint ?? []).toString('hex');
  if (issuer.toUpperCase() !== key.fingerprint) throw wrongIssuer(key, [issuer.toUpperCase()]);
}

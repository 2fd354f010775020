import { enums, SignaturePacket } from 'openpgp';
import type { AnySecretKeyPacket } from 'openpgp';
import { PacksignError, reasonOf } from '../errors.js';
import { wholeSeconds } from '../model/time.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import { subjectOf } from '../pgp/certificate.js';
import type { SelfSignatures } from '../pgp/self-signatures.js';
import { contentOf } from '../pgp/content.js';
import type { Subject } from '../pgp/packet-objects.js';
import { signPacket, verifyPacket } from '../pgp/packet-objects.js';
import { POLICY } from '../pgp/policy.js';
import { openSecretKey, unlock } from '../signers/secret-key.js';
import { signingSubkeys } from '../pgp/key-status.js';

/** What a backup was found to be good for. */
export interface CheckedBackup {
  readonly fingerprint: string;
  /** Foreign text. */
  readonly userIds: readonly string[];
  /** Fingerprints of the keys that made a signature which verified, the primary key first. */
  readonly works: readonly string[];
  /** Fingerprints of signing subkeys whose secret half is not in the file. */
  readonly missing: readonly string[];
  readonly locked: boolean;
}

const TEST = Buffer.from('packsign: does this backup sign?\n');

/**
 * Restores a secret key in memory, makes the primary key certify and each signing subkey sign, and verifies both
 * with the public half. Expiry plays no part: an expired key can be extended from its backup.
 *
 * @throws {PacksignError} `KEY_MALFORMED`, `KEY_UNUSABLE`: no secret primary key in it. `PASSPHRASE_NEEDED`,
 * `PASSPHRASE_WRONG`.
 */
export async function checkBackup(
  bytes: Uint8Array,
  { passphrase, date }: { readonly passphrase: () => Promise<string | null>; readonly date: Date },
): Promise<CheckedBackup> {
  const { certificate, secrets } = await openSecretKey(bytes);
  const { fingerprint, userIds, primary } = certificate;
  const held = (key: CertificateKey): AnySecretKeyPacket | null => {
    const secret = secrets.get(key.fingerprint);
    return secret === undefined || secret.isMissingSecretKeyMaterial() ? null : secret;
  };
  if (held(primary) === null) {
    throw new PacksignError('KEY_UNUSABLE', `the secret primary key ${fingerprint} is not in this file`, {
      hint: 'a backup has to hold the whole key: the file without .signing in its name',
    });
  }
  requireClaims(certificate);
  const subkeys = signingSubkeys(certificate);
  const works: string[] = [];
  const locked = held(primary)?.isDecrypted() === false;
  for (const key of [primary, ...subkeys]) {
    const secret = held(key);
    if (secret === null) continue;
    await unlock(secret, { fingerprint: key.fingerprint, passphrase });
    await tryOut(secret, key, { certificate, date });
    works.push(key.fingerprint);
  }
  const missing = subkeys.filter((key) => held(key) === null).map((key) => key.fingerprint);
  return { fingerprint, userIds, works, missing, locked };
}

/** A damaged self-signature is simply not there: the key would come back without its user id or its subkey. */
function requireClaims({ primary, users, subkeys }: Certificate): void {
  const isSaid = ({ bindings, weakBindings }: SelfSignatures) =>
    bindings.length > 0 || weakBindings.length > 0;
  const silent = [
    ...(isSaid(primary) || users.some(isSaid) ? [] : [primary]),
    ...subkeys.filter((subkey) => !isSaid(subkey) && subkey.revocations.length === 0),
  ];
  const [first] = silent;
  if (first !== undefined) throw damaged(`key ${first.fingerprint} has no valid self-signature`);
}

function damaged(what: string): PacksignError {
  return new PacksignError('KEY_UNUSABLE', what, {
    hint: 'this backup is damaged: make another from the key itself',
  });
}

async function tryOut(
  secret: AnySecretKeyPacket,
  key: CertificateKey,
  { certificate, date }: { certificate: Certificate; date: Date },
): Promise<void> {
  const certifies = key === certificate.primary;
  const { anatomy } = certificate;
  const over: Subject = certifies ? subjectOf(anatomy.primary, anatomy) : contentOf(TEST);
  const signature = new SignaturePacket();
  signature.signatureType = certifies ? enums.signature.key : enums.signature.binary;
  signature.hashAlgorithm = enums.hash.sha512;
  try {
    await signPacket(signature, { by: secret, over, date: wholeSeconds(date), config: POLICY });
    if (key.packet === null) throw new Error('its public half cannot be read');
    await verifyPacket(signature, { by: key.packet, over, config: POLICY });
  } catch (error) {
    throw damaged(`key ${key.fingerprint} does not sign: ${reasonOf(error)}`);
  }
}

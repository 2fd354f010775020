import { enums } from 'openpgp';
import type { AnySecretKeyPacket } from 'openpgp';
import { PacksignError, reasonOf } from '../errors.js';
import { wholeSeconds } from '../model/time.js';
import { subjectOf } from '../pgp/components.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import { contentOf } from '../pgp/content.js';
import { signingSubkeys } from '../pgp/key-status.js';
import { verifyPacket } from '../pgp/packet-objects.js';
import { POLICY } from '../pgp/policy.js';
import type { SelfSignatures } from '../pgp/self-signatures.js';
import { openSecretKey, secretOf, unlock } from '../signers/secret-key.js';
import type { UnlockOptions } from '../signers/secret-key.js';
import { makeSignature } from './make-self-signature.js';

/** What a backup can do. */
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
 * Restores a secret key in memory, lets the primary key certify and each signing subkey sign, and verifies the
 * signatures with the public half. Expired keys pass, because a backup can extend them.
 *
 * @throws {PacksignError} `KEY_MALFORMED`, `KEY_UNUSABLE`: no secret primary key in it. `PASSPHRASE_NEEDED`,
 * `PASSPHRASE_WRONG`.
 */
export async function checkBackup(
  bytes: Uint8Array,
  { passphrase, date }: UnlockOptions,
): Promise<CheckedBackup> {
  const { certificate, secrets } = await openSecretKey(bytes);
  const { fingerprint, userIds, primary } = certificate;
  const secretPrimary = secretOf(primary, secrets);
  if (secretPrimary === null) {
    throw new PacksignError('KEY_UNUSABLE', `the secret primary key ${fingerprint} is not in this file`, {
      hint: 'a backup must hold the whole key: the file without .signing in its name',
    });
  }
  requireSelfSignatures(certificate);
  const works: string[] = [];
  const missing: string[] = [];
  const locked = !secretPrimary.isDecrypted();
  for (const key of [primary, ...signingSubkeys(certificate)]) {
    const secret = secretOf(key, secrets);
    if (secret === null) missing.push(key.fingerprint);
    else {
      await unlock(secret, { fingerprint: key.fingerprint, passphrase });
      await tryKey(secret, key, { certificate, date });
      works.push(key.fingerprint);
    }
  }
  return { fingerprint, userIds, works, missing, locked };
}

/** A damaged self-signature counts as absent: the key would come back without its user id or its subkey. */
function requireSelfSignatures({ primary, users, subkeys }: Certificate): void {
  const isSigned = ({ bindings, weakBindings }: SelfSignatures) =>
    bindings.length > 0 || weakBindings.length > 0;
  const [unsigned] = [
    ...(isSigned(primary) || users.some(isSigned) ? [] : [primary]),
    ...subkeys.filter((subkey) => !isSigned(subkey) && subkey.revocations.length === 0),
  ];
  if (unsigned !== undefined) throw damaged(`key ${unsigned.fingerprint} has no valid self-signature`);
}

function damaged(what: string): PacksignError {
  return new PacksignError('KEY_UNUSABLE', what, {
    hint: 'this backup is damaged: make another from the key itself',
  });
}

async function tryKey(
  by: AnySecretKeyPacket,
  key: CertificateKey,
  { certificate, date }: { certificate: Certificate; date: Date },
): Promise<void> {
  const { primary, anatomy } = certificate;
  const [signatureType, over] =
    key === primary
      ? ([enums.signature.key, subjectOf(anatomy.primary, anatomy)] as const)
      : ([enums.signature.binary, contentOf(TEST)] as const);
  try {
    const signature = await makeSignature({ signatureType }, { by, over, date: wholeSeconds(date) });
    if (key.packet === null) throw new Error('its public half cannot be read');
    await verifyPacket(signature, { by: key.packet, over, config: POLICY });
  } catch (error) {
    throw damaged(`key ${key.fingerprint} does not sign: ${reasonOf(error)}`);
  }
}

import { PacksignError } from '../errors.js';
import type { ErrorDetails } from '../errors.js';
import { orNull } from '../model/or-null.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import type { Content } from '../pgp/content.js';
import type { SignaturePacketBytes } from '../pgp/signatures.js';
import { readSignatures, verifySignatures } from '../pgp/signatures.js';

export interface Made {
  readonly certificate: Certificate;
  /** The key that was asked to sign. */
  readonly key: CertificateKey;
  readonly content: Content;
  readonly date: Date;
  /** The program that signed, for people. */
  readonly by: string;
}

/**
 * The one signature that a program wrote, verified with the certificate: the program's own report is not enough
 * (threats T13, T25). Throws SIGNER_FAILED, SELF_CHECK_FAILED.
 */
export async function requireMade(output: Uint8Array, made: Made): Promise<SignaturePacketBytes> {
  const { certificate, key, content, date, by } = made;
  const signature = onlySignature(output, by);
  const [report] = await verifySignatures(content, [signature], { certificates: [certificate], now: date });
  const issuer = report?.issuer ?? 'an unknown key';
  if (report === undefined || !key.fingerprint.endsWith(issuer))
    throw wrongIssuer(key, [issuer], { hint: 'name the key that signs by its full fingerprint' });
  if (report.good) return signature;
  const why = `the signature that ${by} made does not verify: ${report.reason ?? 'no reason given'}`;
  const hint = 'check the settings of the program that signs, gpg.conf above all';
  throw new PacksignError('SELF_CHECK_FAILED', why, { hint });
}

export function wrongIssuer(
  { fingerprint }: CertificateKey,
  issuers: readonly string[],
  details: ErrorDetails = {},
): PacksignError {
  const got = issuers.map((issuer) => `one by ${issuer}`).join(' and ');
  const message = `expected a signature by ${fingerprint}, got ${got}`;
  return new PacksignError('SELF_CHECK_FAILED', message, details);
}

function onlySignature(output: Uint8Array, by: string): SignaturePacketBytes {
  const [signature, another] = orNull(() => readSignatures(output, { allowBinary: true })) ?? [];
  if (signature !== undefined && another === undefined) return signature;
  throw new PacksignError('SIGNER_FAILED', `${by} did not give exactly one detached signature`, {
    hint: 'it must write an OpenPGP detached signature of its standard input, and nothing else',
  });
}

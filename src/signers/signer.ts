import { wholeSeconds } from '../model/time.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import { contentOf } from '../pgp/content.js';
import type { Content } from '../pgp/content.js';
import { keyStatusToSign } from '../pgp/key-status.js';
import type { SignaturePacketBytes } from '../pgp/signatures.js';
import { requireValid } from '../pgp/usable.js';

/** A key file, GnuPG or an external command. It shows its public half; only `sign` reaches the secret one. */
export interface Signer {
  /** Primary fingerprint, 40 upper-case hex digits. */
  readonly fingerprint: string;
  readonly certificate: Certificate;
  /** Fingerprint of the key in the certificate that signs, usually a subkey. */
  readonly signingKey: string;
  /**
   * One signature over the exact bytes: binary, version 4. If deterministic, it has no random salt: the same bytes,
   * date and key then give the same signature, except for ECDSA keys and external commands.
   *
   * @throws {PacksignError} as `requireUsable`, if the key may not sign at that date, and the errors of GnuPG or the
   * command.
   */
  readonly sign: (document: Uint8Array | Content, options: SigningOptions) => Promise<SignaturePacketBytes>;
}

export interface SigningOptions {
  readonly date: Date;
  readonly deterministic: boolean;
}

/** How packsign runs a program that signs. */
export interface Circumstances {
  /** packsign's own environment; the program does not get packsign's own variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** How long one signature may take. */
  readonly timeoutMs: number;
  /** Ends the program. */
  readonly signal?: AbortSignal;
  /** Gets what the program prints for people, a line at a time. Foreign text. */
  readonly onNotice: (line: string) => void;
}

/** Makes one signature; the date has whole seconds. */
export type MakeSignature = (
  content: Content,
  options: SigningOptions & { readonly preferredHashes: readonly number[] },
) => Promise<SignaturePacketBytes>;

/** A signer that checks before each signature that its key may sign at that date. */
export function signerOf(certificate: Certificate, key: CertificateKey, make: MakeSignature): Signer {
  return {
    fingerprint: certificate.fingerprint,
    certificate,
    signingKey: key.fingerprint,
    sign: async (document, { date: moment, deterministic }) => {
      const date = wholeSeconds(moment);
      const { preferredHashes } = requireValid(certificate, keyStatusToSign(certificate, key, date));
      const content = document instanceof Uint8Array ? contentOf(document) : document;
      return await make(content, { date, deterministic, preferredHashes });
    },
  };
}

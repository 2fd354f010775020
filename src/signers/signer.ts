import type { Certificate } from '../pgp/certificate.js';
import type { Content } from '../pgp/content.js';
import type { SignaturePacketBytes } from '../pgp/signatures.js';

/**
 * Whoever signs: a key file, GnuPG, an external command. It shows its public half; the secret one is reachable
 * through `sign` alone.
 */
export interface Signer {
  /** Primary fingerprint, 40 upper-case hex digits. */
  readonly fingerprint: string;
  readonly certificate: Certificate;
  /** Fingerprint of the key of the certificate that signs: a subkey, mostly. */
  readonly signingKey: string;
  /**
   * One signature over the exact bytes: binary, version 4. Without the random salt when deterministic: then
   * the same bytes, date and key give the same signature, but for ECDSA keys and external commands.
   *
   * @throws {PacksignError} as `requireUsable`, should the key not stand at that date; what keeps GnuPG or a command
   * from signing.
   */
  readonly sign: (document: Uint8Array | Content, options: SigningOptions) => Promise<SignaturePacketBytes>;
}

export interface SigningOptions {
  readonly date: Date;
  readonly deterministic: boolean;
}

/** How programs that sign for us are run. */
export interface Circumstances {
  /** Of packsign itself; its own variables are never handed on. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** How long one signature may take. */
  readonly timeoutMs: number;
  /** Gets what such a program says to people, a line at a time. Foreign text. */
  readonly onNotice: (line: string) => void;
}

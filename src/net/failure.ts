import { PacksignError, reasonOf, systemCode } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { proxyName } from './proxy.js';

/** Beside a failure of the network: whether to try again, and when. */
export interface Prospect {
  readonly isFinal: boolean;
  /** How long the server asks us to wait. */
  readonly waitMs: number;
  /** Whether the server answers that there are too many requests. */
  readonly isThrottling: boolean;
}

const FINAL: Prospect = { isFinal: true, waitMs: 0, isThrottling: false };

/** Failures that another attempt may not meet. */
const WORTH_RETRYING: readonly ErrorCode[] = ['NETWORK', 'NETWORK_TIMEOUT'];

/** Whether and when another attempt is worth it; null for errors that are not the network's. */
export function prospectOf(error: unknown): Prospect | null {
  if (!(error instanceof PacksignError) || !WORTH_RETRYING.includes(error.code)) return null;
  const { cause } = error;
  if (typeof cause === 'object' && cause !== null && 'isFinal' in cause) return cause as Prospect;
  return { ...FINAL, isFinal: false };
}

/** A failure of the network. `prospect`: final unless it says otherwise. */
export function networkError(
  message: string,
  hint: string | null = null,
  prospect: Partial<Prospect> = {},
): PacksignError {
  const cause: Prospect = { ...FINAL, ...prospect };
  return new PacksignError('NETWORK', message, { hint, cause });
}

export function timeoutError(at: URL, proxy: URL | null = null): PacksignError {
  const through = proxy === null ? '' : ` through ${proxyName(proxy)}`;
  return new PacksignError('NETWORK_TIMEOUT', `${at.host} does not answer in time${through}`, {
    hint: 'try again later; --timeout 5m is more patient',
  });
}

const NETWORK_HINT = 'check the address and your network, and try again';
const PROXY_HINT = 'check http_proxy, https_proxy and ALL_PROXY, and try again';
const OWN_CA_HINT =
  'if the server has a certificate of your own authority, name it: SSL_CERT_FILE=FILE or NODE_EXTRA_CA_CERTS=FILE';

/** The name of an encoding that a server gives: headers may be long. */
export function encodingName(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`;
}

/** What an error of Node's sockets or of TLS means to a user. `proxy`: the proxy that was asked, if one was. */
export function failure(at: URL, error: unknown, proxy: URL | null = null): PacksignError {
  if (error instanceof PacksignError) return error;
  const code = systemCode(error) ?? '';
  const tls = tlsTrouble(error, at);
  if (tls !== null) return networkError(`cannot fetch ${at.href}: ${tls[0]}`, tls[1]);
  if (code === 'ETIMEDOUT' || code === 'ERR_SOCKET_CONNECTION_TIMEOUT') return timeoutError(at, proxy);
  const who = proxy === null ? '' : `${proxyName(proxy)}: `;
  const words = `cannot fetch ${at.href}: ${who}${wordsFor(error, proxy ?? at)}`;
  return networkError(words, proxy === null ? NETWORK_HINT : PROXY_HINT, { isFinal: false });
}

/** Why there is no way through a proxy, so that the server behind it does not get the blame. */
export function proxyFailure(proxy: URL, error: unknown): PacksignError {
  const [words, hint] = tlsTrouble(error, proxy) ?? [wordsFor(error, proxy), null];
  const prospect = { isFinal: hint !== null };
  return networkError(`${proxyName(proxy)}: ${words}`, hint ?? PROXY_HINT, prospect);
}

/** What a proxy says that does not let us through. */
export function proxyRefusal(proxy: URL, status: number): Error {
  const wantsName = status === 407 || status === 401;
  return networkError(
    `${proxyName(proxy)} ${wantsName ? 'asks for a user name and a password' : `refuses (${status})`}`,
    wantsName ? 'put them into its address: https_proxy=http://NAME:PASSWORD@HOST:PORT' : null,
    { isFinal: status < 500 },
  );
}

type Trouble = readonly [words: string, hint: string];

function certificateTrouble(code: string, { hostname }: URL): Trouble | null {
  const certificate = `the TLS certificate of ${hostname}`;
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return [
        `${certificate} has expired`,
        'check the clock of this machine; if it is right, tell the operator',
      ];
    case 'CERT_NOT_YET_VALID':
      return [`${certificate} is not valid yet`, 'check the clock of this machine'];
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return [
        `the TLS certificate is not for ${hostname}`,
        'check the address; if it is right, tell the operator',
      ];
    case 'CERT_REVOKED':
      return [`${certificate} is revoked`, 'tell its operator'];
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'CERT_UNTRUSTED':
      return [`no authority that this machine knows has signed ${certificate}`, OWN_CA_HINT];
    default:
      return null;
  }
}

function tlsTrouble(error: unknown, url: URL): Trouble | null {
  const code = systemCode(error) ?? '';
  const trouble = certificateTrouble(code, url);
  if (trouble !== null) return trouble;
  const { host } = url;
  const isTls = code === 'EPROTO' || code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_');
  if (!isTls) return null;
  const isPlain = /wrong.version.number|http.request/i.test(`${code} ${reasonOf(error)}`);
  const words = isPlain ? `${host} does not speak TLS there` : `no TLS connection with ${host} (${code})`;
  return [words, 'check the address, above all http or https and the port'];
}

function wordsFor(error: unknown, { hostname, host }: URL): string {
  const code = systemCode(error) ?? '';
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `there is no host ${hostname}, or no network`;
    case 'ECONNREFUSED':
      return `nothing answers at ${host}`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `there is no way to ${hostname}`;
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return 'the connection was closed';
    case 'HPE_HEADER_OVERFLOW':
      return 'the answer has more than 64 KiB of headers';
    default:
      // Of several addresses that all failed Node makes an error without a message.
      return code.startsWith('HPE_') ? 'the answer is not HTTP' : reasonOf(error) || code;
  }
}

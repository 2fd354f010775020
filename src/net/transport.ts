import type { IncomingMessage } from 'node:http';
import { PacksignError } from '../errors.js';
import { makeAgents } from './agents.js';
import type { Agents } from './agents.js';
import { bodyOf, cancel } from './body.js';
import { exchange } from './exchange.js';
import { networkError } from './failure.js';
import type { Prospect } from './failure.js';
import { openFile } from './file.js';
import { makePatience } from './patience.js';
import type { Patience, Pauses } from './patience.js';
import { NO_PROXIES } from './proxy.js';
import type { ProxySettings } from './proxy.js';
import type { Answer, Reply, Request, Sending } from './reply.js';

/** How the network is reached. Environment and terminal are the caller's. */
export interface NetworkOptions extends Pauses {
  readonly proxies: ProxySettings;
  /** PEM texts of the authorities that may sign TLS certificates, in place of Node's own; null for those. */
  readonly authorities: () => readonly string[] | null;
  /** The `Authorization` that goes to a host, and to no other; null for none. */
  readonly authorizationFor: (at: URL) => string | null;
}

/** A way to the network, kept open between requests. */
export interface Network extends Pick<Patience, 'retrying'> {
  /** One attempt. Throws NETWORK, NETWORK_TIMEOUT, REDIRECT_REFUSED, FILE_UNREADABLE, USAGE. */
  readonly get: (url: string, request?: Request) => Promise<Reply>;
  /**
   * One attempt at a request of any method, to one address: its answer is the caller's to judge, also a redirection.
   * Throws NETWORK, NETWORK_TIMEOUT, USAGE, and what the body throws.
   */
  readonly send: (url: string, request: Sending) => Promise<Answer>;
  readonly close: () => void;
}

const REDIRECT_LIMIT = 5;
/** Servers take no longer address, and messages name it. */
const ADDRESS_LIMIT = 8192;
const FORBIDDEN = 403;
const ABSENT = new Set([FORBIDDEN, 404, 410]);
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);
const THROTTLING = new Set([429, 503]);
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** No proxy, no credentials, half a minute of patience. */
export const DIRECT_NETWORK: NetworkOptions = {
  proxies: NO_PROXIES,
  authorities: () => null,
  authorizationFor: () => null,
  patienceMs: 30_000,
  backOffMs: 500,
};

/** Opens the network; no connection is made before the first request. */
export function openNetwork(options: NetworkOptions): Network {
  let agents: Agents | null = null;
  const open = () => (agents ??= makeAgents(options.authorities()));
  const patience = makePatience(options);
  return {
    get: async (url, request = {}) => {
      if (new URL(url).protocol === 'file:') return await openFile(url, request);
      await patience.turn();
      return await follow(url, request, { agents: open(), options });
    },
    send: async (url, { method, headers, body = null }) => {
      const { patienceMs, proxies } = options;
      await patience.turn();
      const at = new URL(url);
      const response = await exchange(at, {
        ...{ agents: open(), proxies, headers: { ...headersFor({}, null), ...headers } },
        ...{ deadline: performance.now() + patienceMs, upload: { method, body, patienceMs } },
      });
      return {
        status: response.statusCode ?? 0,
        headers: plainHeaders(response.headers),
        body: bodyOf(response, { at, patienceMs }),
        cancel: () => cancel(response),
      };
    },
    retrying: patience.retrying,
    close: () => agents?.close(),
  };
}

/** Does work with the network, and closes it. */
export async function withNetwork<T>(
  options: NetworkOptions,
  work: (network: Network) => Promise<T>,
): Promise<T> {
  const network = openNetwork(options);
  try {
    return await work(network);
  } finally {
    network.close();
  }
}

interface Means {
  readonly agents: Agents;
  readonly options: NetworkOptions;
}

/** One request with its redirections: few, in one time, and never to a scheme that protects less. */
async function follow(url: string, request: Request, means: Means): Promise<Reply> {
  const { agents, options } = means;
  const deadline = performance.now() + options.patienceMs;
  let at = new URL(url);
  for (let count = 0; count <= REDIRECT_LIMIT; count += 1) {
    const headers = headersFor(request, options.authorizationFor(at));
    const response = await exchange(at, { agents, proxies: options.proxies, headers, deadline });
    if (!REDIRECTS.has(response.statusCode ?? 0)) return await read(at, response, { request, means });
    const { location } = response.headers;
    cancel(response);
    const isShort = location !== undefined && location.length <= ADDRESS_LIMIT;
    if (!isShort || !URL.canParse(location, at)) throw networkError(`${at.href} redirects to nowhere`);
    at = permitted(at, new URL(location, at));
  }
  throw new PacksignError('REDIRECT_REFUSED', `${url} redirects more than ${REDIRECT_LIMIT} times`);
}

function permitted(from: URL, to: URL): URL {
  const isWeaker = from.protocol === 'https:' && to.protocol !== 'https:';
  // A password that somebody else's server names is never sent.
  to.username = '';
  to.password = '';
  // A proxy is asked for the whole address, of which this is no part.
  to.hash = '';
  if (!isWeaker && ['http:', 'https:'].includes(to.protocol)) return to;
  throw new PacksignError('REDIRECT_REFUSED', `${from.href} redirects to ${to.href}, which is less secure`, {
    hint: 'if the database is there now, name that address',
  });
}

function headersFor(
  { etag, from = 0, fresh }: Request,
  authorization: string | null,
): Record<string, string> {
  return {
    'user-agent': 'packsign',
    accept: '*/*',
    // The bytes as they are in the file: hashes are over those.
    'accept-encoding': 'identity',
    ...(isHeaderValue(etag) ? { 'if-none-match': etag } : {}),
    ...(from > 0 ? { range: `bytes=${from}-` } : {}),
    ...(fresh === true ? { 'cache-control': 'no-cache', pragma: 'no-cache' } : {}),
    ...(authorization === null ? {} : { authorization }),
  };
}

/** Node refuses to send anything else. */
function isHeaderValue(text: string | null | undefined): text is string {
  return typeof text === 'string' && /^[\t\x20-\x7e\x80-\xff]+$/.test(text);
}

async function read(
  at: URL,
  response: IncomingMessage,
  { request, means }: { request: Request; means: Means },
): Promise<Reply> {
  const { statusCode = 0, headers } = response;
  const start = statusCode === 206 ? rangeOf(headers['content-range']) : { from: 0, length: null };
  if (statusCode === 200 || (statusCode === 206 && start?.from === (request.from ?? 0))) {
    const rest = lengthOf(headers['content-length']);
    const from = start?.from ?? 0;
    return {
      kind: 'found',
      url: at.href,
      from,
      length: start?.length ?? (rest === null ? null : from + rest),
      // The end of a body without a length or chunks is that of the connection.
      isWhole: statusCode === 200 && (rest !== null || headers['transfer-encoding'] !== undefined),
      headers: plainHeaders(headers),
      body: bodyOf(response, { at, patienceMs: means.options.patienceMs }),
      cancel: () => cancel(response),
    };
  }
  cancel(response);
  // The server does not do ranges, or the file is shorter than what we have of it.
  const isRefusedRange = statusCode === 416 || statusCode === 206;
  if (isRefusedRange && (request.from ?? 0) > 0) {
    return await follow(at.href, { ...request, from: 0 }, means);
  }
  if (statusCode === 304 && typeof request.etag === 'string') return { kind: 'unchanged' };
  if (ABSENT.has(statusCode)) {
    return { kind: 'absent', isForbidden: statusCode === FORBIDDEN, headers: plainHeaders(headers) };
  }
  throw refusalOf(at, statusCode, headers);
}

function refusalOf(at: URL, status: number, headers: IncomingMessage['headers']): PacksignError {
  if (status === 401) {
    const hint = 'put its name and password into ~/.netrc, or the header into PACKSIGN_AUTHORIZATION';
    return networkError(`${at.href} answers 401: it asks who you are`, hint);
  }
  return networkError(`${at.href} answers ${status}`, null, prospectFor(status, headers));
}

/** What the status of an answer says about another attempt. */
export function prospectFor(status: number, headers: IncomingMessage['headers']): Prospect {
  return { isFinal: !PASSING.has(status), isThrottling: THROTTLING.has(status), waitMs: waitOf(headers) };
}

/** `Retry-After`: seconds or a date (RFC 9110, section 10.2.3), which is one of the server's clock. */
function waitOf({ 'retry-after': text = '', date = '' }: IncomingMessage['headers']): number {
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.parse(date);
  return Number.isFinite(ms) && ms > 0 ? ms : 0;
}

function rangeOf(text: string | undefined): { readonly from: number; readonly length: number | null } | null {
  const [, from, length] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(text ?? '') ?? [];
  return from === undefined ? null : { from: Number(from), length: lengthOf(length) };
}

function lengthOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function plainHeaders(headers: IncomingMessage['headers']): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat()[0] ?? '']));
}

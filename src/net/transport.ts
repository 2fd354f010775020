import type { Dispatcher, request as undiciRequest } from 'undici';
import { setTimeout as sleep } from 'node:timers/promises';
import { PacksignError, reasonOf, systemCode } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { openFile } from './file.js';
import { bounded } from './pace.js';
import type { Reply, Request } from './reply.js';

/** How to reach the network. The caller reads environment and terminal. */
export interface NetworkOptions {
  /** Proxies from the environment, and the hosts that need none; empty if there are none. */
  readonly proxies: { readonly http: string; readonly https: string; readonly none: string };
  /** The longest silence of a server, and the time over which its speed is measured. */
  readonly patienceMs: number;
  /** How long to wait before a second attempt; doubled before each further one. */
  readonly backOffMs: number;
}

/** Connections to the network, kept open between requests. */
export interface Network {
  /** One attempt. Throws NETWORK, NETWORK_TIMEOUT, REDIRECT_REFUSED, FILE_UNREADABLE. */
  readonly get: (url: string, request?: Request) => Promise<Reply>;
  /** Tries up to three times, each time after a longer wait, what may fail temporarily. */
  readonly retrying: <T>(attempt: (number: number) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

const ATTEMPTS = 3;
const REDIRECT_LIMIT = 5;
const LONGEST_WAIT_MS = 30_000;
const CONNECTIONS = 16;
const FORBIDDEN = 403;
const ABSENT = new Set([FORBIDDEN, 404, 410]);
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Failures that may be temporary. */
const WORTH_RETRYING: readonly ErrorCode[] = ['NETWORK', 'NETWORK_TIMEOUT'];

/** No proxy, and half a minute of patience. */
export const DIRECT_NETWORK: NetworkOptions = {
  proxies: { http: '', https: '', none: '' },
  patienceMs: 30_000,
  backOffMs: 500,
};

/** Opens the network. Loads nothing before the first request. */
export function openNetwork(options: NetworkOptions): Network {
  let agents: Promise<Agents> | null = null;
  const open = () => (agents ??= makeAgents(options));
  return {
    get: async (url, request = {}) => {
      if (new URL(url).protocol === 'file:') return await openFile(url, request);
      return await follow(url, request, { agents: await open(), options });
    },
    retrying: (attempt) => retry(attempt, options),
    close: async () => {
      if (agents === null) return;
      const { http, https } = await agents;
      await Promise.all([http.destroy(), https.destroy()]);
    },
  };
}

async function retry<T>(attempt: (number: number) => Promise<T>, { backOffMs }: NetworkOptions): Promise<T> {
  for (let number = 0; ; number += 1) {
    try {
      return await attempt(number);
    } catch (error) {
      if (!(error instanceof PacksignError) || !WORTH_RETRYING.includes(error.code)) throw error;
      const prospect = prospectOf(error);
      if (number + 1 >= ATTEMPTS || prospect?.isFinal === true) throw error;
      await sleep(Math.min(Math.max(backOffMs * 2 ** number, prospect?.waitMs ?? 0), LONGEST_WAIT_MS));
    }
  }
}

/** The cause of a failure: whether another attempt makes sense, and how long the server asked to wait. */
interface Prospect {
  readonly isFinal: boolean;
  readonly waitMs: number;
}

const FINAL: Prospect = { isFinal: true, waitMs: 0 };

function prospectOf({ cause }: PacksignError): Prospect | null {
  return typeof cause === 'object' && cause !== null && 'isFinal' in cause ? (cause as Prospect) : null;
}

interface Agents {
  readonly request: typeof undiciRequest;
  readonly http: Dispatcher;
  readonly https: Dispatcher;
}

async function makeAgents({ proxies, patienceMs }: NetworkOptions): Promise<Agents> {
  const { Agent, EnvHttpProxyAgent, request } = await import('undici');
  const common = {
    headersTimeout: patienceMs,
    bodyTimeout: patienceMs,
    connect: { timeout: Math.min(patienceMs, 10_000) },
    connections: CONNECTIONS,
    maxHeaderSize: 64 * 1024,
  };
  // Pass empty strings, or the library reads the environment itself.
  const through = (proxy: string) =>
    proxy === ''
      ? new Agent(common)
      : new EnvHttpProxyAgent({ ...common, httpProxy: proxy, httpsProxy: proxy, noProxy: proxies.none });
  return { request, http: through(proxies.http), https: through(proxies.https) };
}

interface Means {
  readonly agents: Agents;
  readonly options: NetworkOptions;
}

/** Follows the redirections of a request: only a few, and never to a less secure scheme. */
async function follow(url: string, request: Request, means: Means): Promise<Reply> {
  let at = new URL(url);
  for (let count = 0; count <= REDIRECT_LIMIT; count += 1) {
    const answer = await send(at, request, means);
    if (!REDIRECTS.has(answer.statusCode)) return await read(at, answer, { request, means });
    const location = headerOf(answer.headers, 'location');
    await discard(answer.body);
    if (location === null || !URL.canParse(location, at)) {
      throw new PacksignError('NETWORK', `${at.href} redirects without an address`, { cause: FINAL });
    }
    at = permitted(at, new URL(location, at));
  }
  throw new PacksignError('REDIRECT_REFUSED', `${url} redirects more than ${REDIRECT_LIMIT} times`);
}

function permitted(from: URL, to: URL): URL {
  const isWeaker = from.protocol === 'https:' && to.protocol !== 'https:';
  if (!isWeaker && ['http:', 'https:'].includes(to.protocol)) return to;
  throw new PacksignError('REDIRECT_REFUSED', `${from.href} redirects to ${to.href}, which is less secure`, {
    hint: 'if the database has moved there, use that address',
  });
}

async function send(at: URL, request: Request, { agents }: Means): Promise<Dispatcher.ResponseData> {
  const dispatcher = at.protocol === 'https:' ? agents.https : agents.http;
  try {
    return await agents.request(at, { dispatcher, headers: headersFor(request) });
  } catch (error) {
    throw failure(at, error);
  }
}

function headersFor({ etag, from = 0, fresh }: Request): Record<string, string> {
  return {
    'user-agent': 'packsign',
    // Hashes are over the stored bytes, not over compressed ones.
    'accept-encoding': 'identity',
    ...(etag === undefined || etag === null ? {} : { 'if-none-match': etag }),
    ...(from > 0 ? { range: `bytes=${from}-` } : {}),
    ...(fresh === true ? { 'cache-control': 'no-cache', pragma: 'no-cache' } : {}),
  };
}

async function read(
  at: URL,
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { request, means }: { request: Request; means: Means },
): Promise<Reply> {
  const start = statusCode === 206 ? rangeOf(headerOf(headers, 'content-range')) : { from: 0, length: null };
  if (statusCode === 200 || (statusCode === 206 && start?.from === (request.from ?? 0))) {
    const rest = lengthOf(headerOf(headers, 'content-length'));
    const from = start?.from ?? 0;
    return {
      kind: 'found',
      url: at.href,
      from,
      length: start?.length ?? (rest === null ? null : from + rest),
      headers: plainHeaders(headers),
      body: bounded(body, {
        patienceMs: means.options.patienceMs,
        explain: (error) => failure(at, error),
        at: at.href,
      }),
      cancel: () => {
        // Without a listener, its error would end the process.
        body.on('error', () => undefined);
        body.destroy();
      },
    };
  }
  await discard(body);
  // Our part is longer than the file there, or the server sent another range.
  const isRefusedRange = statusCode === 416 || statusCode === 206;
  if (isRefusedRange && (request.from ?? 0) > 0) {
    return await follow(at.href, { ...request, from: 0 }, means);
  }
  if (statusCode === 304 && typeof request.etag === 'string') return { kind: 'unchanged' };
  if (ABSENT.has(statusCode)) return { kind: 'absent', isForbidden: statusCode === FORBIDDEN };
  const asked = Number(headerOf(headers, 'retry-after'));
  throw new PacksignError('NETWORK', `${at.href} answers ${statusCode}`, {
    cause: PASSING.has(statusCode) ? { isFinal: false, waitMs: asked > 0 ? asked * 1000 : 0 } : FINAL,
  });
}

function rangeOf(text: string | null): { readonly from: number; readonly length: number | null } | null {
  const [, from, length] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(text ?? '') ?? [];
  if (from === undefined) return null;
  return { from: Number(from), length: lengthOf(length ?? null) };
}

function lengthOf(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

type Headers = Dispatcher.ResponseData['headers'];

function headerOf(headers: Headers, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

function plainHeaders(headers: Headers): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, headerOf(headers, name) ?? '']));
}

/** Reads the rest of an answer that nobody needs; cuts off a long one. */
async function discard(body: Dispatcher.ResponseData['body']): Promise<void> {
  try {
    await body.dump({ limit: 16 * 1024 });
  } catch {
    // Nobody needs it.
  }
}

function failure(at: URL, error: unknown): PacksignError {
  if (error instanceof PacksignError) return error;
  const code = systemCode(error) ?? '';
  if (code.endsWith('_TIMEOUT') || code === 'ETIMEDOUT') {
    return new PacksignError('NETWORK_TIMEOUT', `${at.host} does not answer in time`, {
      hint: 'try again later; --timeout 5m is more patient',
      cause: error,
    });
  }
  return new PacksignError('NETWORK', `cannot fetch ${at.href}: ${wordsFor(code, at) ?? reasonOf(error)}`, {
    hint: 'look at the address and at your network, and try again',
    cause: error,
  });
}

function wordsFor(code: string, at: URL): string | null {
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `there is no host ${at.hostname}, or no network`;
    case 'ECONNREFUSED':
      return `nothing answers at ${at.host}`;
    case 'UND_ERR_SOCKET':
    case 'ECONNRESET':
      return 'the connection was closed';
    default:
      return null;
  }
}

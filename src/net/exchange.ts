import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { systemCode } from '../errors.js';
import type { Agents } from './agents.js';
import { failure, networkError, proxyRefusal, timeoutError } from './failure.js';
import { hostOf, proxyAuthorization, proxyFor } from './proxy.js';
import type { ProxySettings } from './proxy.js';

const HEADER_LIMIT_BYTES = 64 * 1024;
/** A server that goes on with 103 Early Hints and the like never answers. */
const INTERIM_LIMIT = 16;

export interface ExchangeOptions {
  readonly agents: Agents;
  readonly proxies: ProxySettings;
  readonly headers: Readonly<Record<string, string>>;
  /** When the headers of the answer have to be there, on the clock of `performance`. */
  readonly deadline: number;
  /** GET without a body if it is left out. */
  readonly upload?: Upload;
}

/** A request that is no plain GET. */
export interface Upload {
  readonly method: string;
  /** Its bytes, from the beginning each time that it is called; the headers say how many. Null for none. */
  readonly body: (() => AsyncIterable<Uint8Array>) | null;
  readonly patienceMs: number;
}

/** What connections hold of a body that was sent, and how fast a server has to take it. */
const HELD_BYTES = 4 * 1024 * 1024;
const LEAST_BYTES_PER_MS = 16;

/**
 * Sends one request and waits for the headers of its answer. Throws NETWORK, NETWORK_TIMEOUT, USAGE for a proxy that
 * packsign cannot use, and what its body throws.
 */
export async function exchange(at: URL, options: ExchangeOptions): Promise<IncomingMessage> {
  const proxy = proxyFor(at, options.proxies);
  for (;;) {
    const answer = await sendOnce(at, proxy, options);
    if (answer.kind === 'answered') return answer.response;
    // The server closed a kept connection just when we used it again: nobody has answered yet, so ask once more. The
    // next connection may be a kept one too, until there is none.
    if (!answer.wasKept) throw failure(at, answer.error, proxy);
  }
}

type Answer =
  | { readonly kind: 'answered'; readonly response: IncomingMessage }
  | { readonly kind: 'failed'; readonly error: unknown; readonly wasKept: boolean };

async function sendOnce(at: URL, proxy: URL | null, options: ExchangeOptions): Promise<Answer> {
  const isTls = at.protocol === 'https:';
  const request = (isTls ? httpsRequest : httpRequest)(requestOptions(at, proxy, options));
  return await new Promise((resolve) => {
    let hasAnswered = false;
    const fail = (error: unknown) => {
      // What happens to the connection behind a whole answer does not take it back.
      if (hasAnswered) return;
      clearTimeout(alarm);
      const isClosed = ['ECONNRESET', 'EPIPE'].includes(systemCode(error) ?? '');
      resolve({ kind: 'failed', error, wasKept: request.reusedSocket && isClosed });
      request.destroy();
    };
    let alarm: NodeJS.Timeout | undefined;
    const wait = (ms: number) => {
      clearTimeout(alarm);
      alarm = setTimeout(() => fail(timeoutError(at, proxy)), Math.max(1, ms));
    };
    wait(options.deadline - performance.now());
    let interim = 0;
    request.on('information', () => {
      interim += 1;
      if (interim > INTERIM_LIMIT) fail(networkError(`${at.host} sends interim answers without end`));
    });
    // Also after the answer: an error that nobody hears ends the process.
    request.on('error', fail);
    // Some ends come without an error or an answer, such as that of a server that changes to another protocol (101).
    request.once('close', () =>
      fail(networkError(`${at.host} closed the connection`, null, { isFinal: false })),
    );
    request.once('response', (response) => {
      if (!isTls && proxy !== null && response.statusCode === 407) {
        fail(proxyRefusal(proxy, 407));
        return;
      }
      hasAnswered = true;
      clearTimeout(alarm);
      // A connection in the middle of a body that nobody wants is of no more use.
      response.once('end', () => request.writableEnded || request.destroy());
      resolve({ kind: 'answered', response });
    });
    const { upload } = options;
    if (upload === undefined) request.end();
    else sendBody(request, upload, { wait, hasEnded: () => hasAnswered }).catch(fail);
  });
}

/** A server that takes nothing for as long as we are patient, besides what the connection still holds, is silent. */
async function sendBody(
  request: ClientRequest,
  { body, patienceMs }: Upload,
  { wait, hasEnded }: { readonly wait: (ms: number) => void; readonly hasEnded: () => boolean },
): Promise<void> {
  let sent = 0;
  for await (const chunk of body?.() ?? []) {
    // It may refuse before it has read everything.
    if (hasEnded() || request.destroyed) return;
    sent += chunk.length;
    const isTaken = request.write(chunk);
    wait(patienceMs + Math.min(sent, HELD_BYTES) / LEAST_BYTES_PER_MS);
    if (!isTaken) await drained(request);
  }
  request.end();
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      request.off('drain', done).off('close', done);
      resolve();
    };
    request.on('drain', done).on('close', done);
  });
}

function requestOptions(
  at: URL,
  proxy: URL | null,
  { agents, headers, upload }: ExchangeOptions,
): RequestOptions {
  const common = { maxHeaderSize: HEADER_LIMIT_BYTES, headers, method: upload?.method ?? 'GET' };
  const direct = { ...common, ...hostOf(at), path: `${at.pathname}${at.search}` };
  if (at.protocol === 'https:') return { ...direct, agent: agents.httpsVia(proxy) };
  if (proxy === null) return { ...direct, agent: agents.http };
  // A proxy is asked for the whole address (RFC 9112, section 3.2.2).
  return {
    ...common,
    ...hostOf(proxy),
    path: at.href,
    agent: agents.http,
    headers: { ...headers, host: at.host, ...proxyAuthorization(proxy) },
  };
}

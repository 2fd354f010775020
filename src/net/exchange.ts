import { request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
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
}

/**
 * Sends one GET and waits for the headers of its answer. Throws NETWORK, NETWORK_TIMEOUT, and USAGE for a proxy that
 * packsign cannot use.
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
    const alarm = setTimeout(
      () => fail(timeoutError(at, proxy)),
      Math.max(1, options.deadline - performance.now()),
    );
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
      resolve({ kind: 'answered', response });
    });
    request.end();
  });
}

function requestOptions(at: URL, proxy: URL | null, { agents, headers }: ExchangeOptions): RequestOptions {
  const common = { maxHeaderSize: HEADER_LIMIT_BYTES, headers };
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

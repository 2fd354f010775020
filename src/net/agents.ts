import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { proxyFailure, proxyRefusal } from './failure.js';
import { hostOf, proxyAuthorization } from './proxy.js';

/** Kept connections of one run, by the proxy that they go through. */
export interface Agents {
  readonly http: HttpAgent;
  readonly httpsVia: (proxy: URL | null) => HttpsAgent;
  readonly close: () => void;
}

/** Enough for all downloads at once. */
const CONNECTIONS = 16;
/** What a connection holds for a reader that is busy, who gets it in one piece: many small ones cost more time. */
const HELD_BYTES = 256 * 1024;

/** `ca`: PEM of the authorities that count, in place of those of Node; null for Node's. */
export function makeAgents(ca: readonly string[] | null): Agents {
  const common = {
    ...{ keepAlive: true, maxSockets: CONNECTIONS, highWaterMark: HELD_BYTES },
    ...(ca === null ? {} : { ca: [...ca] }),
  };
  const http = new HttpAgent(common);
  const https = new Map<string, HttpsAgent>();
  const connecting = new Set<ClientRequest>();
  return {
    http,
    httpsVia: (proxy) => {
      const name = proxy?.href ?? '';
      const agent = https.get(name) ?? new HttpsAgent(common);
      if (proxy !== null && !https.has(name)) tunnel(agent, proxy, { ca, connecting });
      https.set(name, agent);
      return agent;
    },
    close: () => {
      for (const one of [http, ...https.values(), ...connecting]) one.destroy();
    },
  };
}

type Connected = (error: Error | null, socket?: Socket) => void;

/** Makes an agent open its connections through a proxy, by CONNECT (RFC 9110, section 9.3.6). */
function tunnel(
  agent: HttpsAgent,
  proxy: URL,
  { ca, connecting }: { readonly ca: readonly string[] | null; readonly connecting: Set<ClientRequest> },
): void {
  const open = (options: { host?: string; port?: number; servername?: string }, done: Connected): void => {
    const { host = '', port = 443 } = options;
    const target = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const send = proxy.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send({
      ...hostOf(proxy),
      ...{ method: 'CONNECT', path: target, agent: false },
      headers: { host: target, ...proxyAuthorization(proxy) },
      ...(ca === null ? {} : { ca: [...ca] }),
    });
    connecting.add(request);
    request.once('close', () => connecting.delete(request));
    request.once('connect', (reply: IncomingMessage, socket: Socket) => {
      if (reply.statusCode === 200) done(null, connectTls({ ...options, socket }));
      else {
        socket.destroy();
        done(proxyRefusal(proxy, reply.statusCode ?? 0));
      }
    });
    // A proxy that answers CONNECT like any other request: its text is never taken for the answer of the origin.
    request.once('response', (reply) => {
      request.destroy();
      done(proxyRefusal(proxy, reply.statusCode ?? 0));
    });
    request.once('error', (error) => done(proxyFailure(proxy, error)));
    request.end();
  };
  Object.assign(agent, { createConnection: open });
}

import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { PacksignError, reasonOf, systemCode } from '../errors.js';

/** A file to send. */
export interface Resource {
  readonly type: string;
  readonly cacheControl: string;
  readonly size: number;
  readonly modified: Date;
  readonly read: (start: number, end: number) => Readable;
  readonly close: () => Promise<void>;
}

export interface ServerOptions {
  /** The address to listen at. */
  readonly host: string;
  /** The port; 0 means any free one. */
  readonly port: number;
  /** The file at a path, which is decoded and begins without a slash; null if there is none. */
  readonly find: (path: string) => Promise<Resource | null>;
  /** The path where clients listen for changes, beginning with a slash; null for none. */
  readonly changesPath: string | null;
}

export interface RunningServer {
  readonly url: string;
  /** Tells all listening clients that something changed. */
  readonly tellChange: () => void;
  readonly close: () => Promise<void>;
}

/** Serves files like a static host: GET and HEAD, ranges, conditional requests. Throws NETWORK. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const listeners = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    answer(request, response, { options, listeners }).catch((error: unknown) => {
      // The client went away, or the file became shorter meanwhile.
      response.destroy(error instanceof Error ? error : new Error(reasonOf(error)));
    });
  });
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${nameOfHost(options.host)}:${port}/`,
    tellChange: () => {
      for (const response of listeners) response.write('event: change\ndata:\n\n');
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const isTaken = systemCode(error) === 'EADDRINUSE';
      const why = isTaken ? 'another program uses it' : reasonOf(error);
      reject(
        new PacksignError('NETWORK', `cannot listen at ${host}, port ${port}: ${why}`, {
          hint: 'choose another one with --port, or leave it out to get any free port',
          cause: error,
        }),
      );
    });
    server.listen({ host, port }, resolve);
  });
}

function nameOfHost(host: string): string {
  if (isLoopback(host)) return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

interface Context {
  readonly options: ServerOptions;
  readonly listeners: Set<ServerResponse>;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { options, listeners }: Context,
): Promise<void> {
  const refusal = refusalOf(request, options);
  const path = pathOf(request.url ?? '/');
  if (refusal !== null || path === null) {
    refuse(response, refusal ?? 400);
  } else if (options.changesPath !== null && `/${path}` === options.changesPath) {
    follow(response, listeners);
  } else {
    const resource = await options.find(path);
    if (options.changesPath !== null) {
      // A header tells the page where to listen for changes, because its bytes must stay the published ones.
      response.setHeader('Server-Timing', `packsign-changes;desc="${options.changesPath}"`);
    }
    if (resource === null) refuse(response, 404);
    else await send(request, response, resource);
  }
}

function refusalOf({ method, headers }: IncomingMessage, { host }: ServerOptions): number | null {
  if (!isAddressedTo(host, headers.host)) return 421;
  return method === 'GET' || method === 'HEAD' ? null : 405;
}

/** A page of another site must not read files through a host name of its own that leads to this machine. */
function isAddressedTo(host: string, header: string | undefined): boolean {
  if (!isLoopback(host)) return true;
  return isLoopback((header ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'));
}

/**
 * The path that a request names; null if it is not in canonical form. Decodes each segment by itself. Only the last may be
 * empty, and none may be `.` or `..` or hold a slash, a backslash or a control character.
 */
function pathOf(target: string): string | null {
  const [path = ''] = target.split(/[?#]/, 1);
  if (!path.startsWith('/')) return null;
  try {
    const segments = path.slice(1).split('/').map(decodeURIComponent);
    const isOdd = (segment: string, index: number) =>
      (segment === '' && index < segments.length - 1) || /^\.{1,2}$|[/\\\p{Cc}]/u.test(segment);
    return segments.some(isOdd) ? null : segments.join('/');
  } catch {
    return null;
  }
}

function follow(response: ServerResponse, listeners: Set<ServerResponse>): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  response.write(':\n\n');
  listeners.add(response);
  response.on('close', () => listeners.delete(response));
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'bad request',
  404: 'not found',
  405: 'only GET and HEAD',
  416: 'no such range',
  421: 'not served under this name',
};

function refuse(response: ServerResponse, status: number): void {
  if (status === 405) response.setHeader('Allow', 'GET, HEAD');
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' });
  response.end(`${status} ${REASONS[status] ?? ''}\n`);
}

async function send(request: IncomingMessage, response: ServerResponse, resource: Resource): Promise<void> {
  const { size, modified } = resource;
  const tag = `"${size.toString(16)}-${modified.getTime().toString(16)}"`;
  response.setHeader('Content-Type', resource.type);
  response.setHeader('Cache-Control', resource.cacheControl);
  response.setHeader('ETag', tag);
  response.setHeader('Last-Modified', modified.toUTCString());
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (isKnown(request, { tag, modified })) {
    await resource.close();
    response.writeHead(304).end();
    return;
  }
  const range = rangeOf(request, { tag, size });
  if (range === 'outside') {
    await resource.close();
    response.setHeader('Content-Range', `bytes */${size}`);
    refuse(response, 416);
    return;
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  if (range !== null) response.setHeader('Content-Range', `bytes ${start}-${end}/${size}`);
  response.setHeader('Content-Length', end - start + 1);
  response.writeHead(range === null ? 200 : 206);
  if (request.method === 'HEAD' || size === 0) {
    await resource.close();
    response.end();
    return;
  }
  await pipeline(resource.read(start, end), response);
}

function isKnown({ headers }: IncomingMessage, { tag, modified }: { tag: string; modified: Date }): boolean {
  const tags = headers['if-none-match'];
  if (tags !== undefined) {
    return tags.split(',').some((one) => one.trim().replace(/^W\//, '') === tag || one.trim() === '*');
  }
  const since = Date.parse(headers['if-modified-since'] ?? '');
  return !Number.isNaN(since) && Math.floor(modified.getTime() / 1000) * 1000 <= since;
}

type Range = { readonly start: number; readonly end: number } | 'outside' | null;

/** The one range that the request asks for; null sends the whole file, also for several ranges. */
function rangeOf({ headers }: IncomingMessage, { tag, size }: { tag: string; size: number }): Range {
  const match = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '');
  const condition = headers['if-range'];
  if (match === null || (condition !== undefined && condition !== tag)) return null;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return null;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (start > end) return first !== '' && last !== '' && Number(last) < Number(first) ? null : 'outside';
  return { start, end };
}

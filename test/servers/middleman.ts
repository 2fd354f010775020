import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What happens to a request instead of an answer: a status (with the error that S3 sends with it), the connection cut
 * before the server hears of it, or cut after the server has carried it out.
 */
export type Mishap = number | 'cut-before' | 'cut-after';

export interface Passed {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Null if it was not answered. */
  readonly status: number | null;
  readonly endedAt: number;
}

export interface Middleman {
  readonly url: string;
  /** What has passed, in the order of its end. */
  readonly passed: readonly Passed[];
  /** By the number of the request; the first is 1. */
  readonly mishaps: Map<number, Mishap>;
  readonly habits: Habits;
  readonly stop: () => Promise<void>;
}

export interface Habits {
  /** How long each request waits. */
  delayMs: number;
  /** How long an answer to GET is given again, as a cache does that nobody tells of changes. It checks no signature. */
  staleMs: number;
}

interface Answer {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly at: number;
}

const ERRORS: Readonly<Record<number, string>> = {
  403: 'AccessDenied',
  404: 'NoSuchKey',
  409: 'ConditionalRequestConflict',
  412: 'PreconditionFailed',
  500: 'InternalError',
  503: 'SlowDown',
};

/** Stands between a client and a server on this machine, and passes on every byte, the Host included. */
export async function startMiddleman(port: number): Promise<Middleman> {
  const passed: Passed[] = [];
  const mishaps = new Map<number, Mishap>();
  const habits: Habits = { delayMs: 0, staleMs: 0 };
  const cache = new Map<string, Answer>();
  let count = 0;

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    count += 1;
    const mishap = mishaps.get(count);
    record(incoming, response);
    if (habits.delayMs > 0) await sleep(habits.delayMs);
    if (mishap === 'cut-before') incoming.socket.destroy();
    else if (typeof mishap === 'number') refuse(incoming, response, mishap);
    else if (!answerAgain(incoming, response)) passOn(incoming, response, mishap === 'cut-after');
  }

  function record(incoming: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers } = incoming;
    const startedAt = Date.now();
    response.once('close', () => {
      const status = response.writableFinished ? response.statusCode : null;
      passed.push({ method, url, headers, startedAt, status, endedAt: Date.now() });
    });
  }

  function answerAgain(incoming: IncomingMessage, response: ServerResponse): boolean {
    const known = incoming.method === 'GET' ? cache.get(cacheKey(incoming)) : undefined;
    if (known === undefined || Date.now() - known.at >= habits.staleMs) return false;
    response.writeHead(known.status, [...known.rawHeaders]).end(known.body);
    return true;
  }

  function passOn(incoming: IncomingMessage, response: ServerResponse, isCut: boolean): void {
    const { method, url: path, rawHeaders } = incoming;
    const onward = request({ host: '127.0.0.1', port, method, path, headers: rawHeaders, agent: false });
    onward.on('continue', () => response.writeContinue());
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    onward.on('response', (answer) => {
      const pieces: Buffer[] = [];
      answer.on('error', () => response.destroy());
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('end', () => {
        const { statusCode: status = 0, rawHeaders: headers } = answer;
        if (isCut) incoming.socket.destroy();
        else if (method === 'GET' && status < 300 && habits.staleMs > 0) {
          cache.set(cacheKey(incoming), {
            status,
            rawHeaders: headers,
            body: Buffer.concat(pieces),
            at: Date.now(),
          });
        }
      });
      if (isCut) return;
      response.sendDate = false;
      response.writeHead(answer.statusCode ?? 0, answer.statusMessage, answer.rawHeaders);
      answer.pipe(response);
    });
    onward.flushHeaders();
    incoming.pipe(onward);
  }

  const listen = (incoming: IncomingMessage, response: ServerResponse) =>
    void handle(incoming, response).catch(() => incoming.socket.destroy());
  // Who expects 100 hears it from the server.
  const server = createServer(listen).on('checkContinue', listen);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed,
    mishaps,
    habits,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function cacheKey({ url = '', headers }: IncomingMessage): string {
  return `${url} ${headers.range ?? ''}`;
}

function refuse(incoming: IncomingMessage, response: ServerResponse, status: number): void {
  incoming.resume();
  const body = `<?xml version="1.0"?>\n<Error><Code>${ERRORS[status] ?? 'Error'}</Code><Message>by the test</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(incoming.method === 'HEAD' ? undefined : body);
}

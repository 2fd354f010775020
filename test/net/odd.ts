import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { Handler } from '../consume/scene.js';

/** How a server may answer that is broken, overloaded or out to harm, given the right bytes of the file. */
export type Odd = (bytes: Buffer) => Handler;

/** Bytes as they are, and then the end of the connection. */
export const raw =
  (text: string | ((bytes: Buffer) => string)): Odd =>
  (bytes) =>
  ({ socket }) => {
    socket.on('error', () => undefined);
    socket.end(typeof text === 'string' ? text : text(bytes), 'latin1');
  };

const EVERY_MS = 100;

/** Begins, and goes on with a piece now and then, for ever. */
export const drip =
  (head: string | ((bytes: Buffer) => string), piece: string): Odd =>
  (bytes) =>
  ({ socket }) => {
    socket.on('error', () => undefined);
    socket.write(typeof head === 'string' ? head : head(bytes), 'latin1');
    const timer = setInterval(() => socket.write(piece), EVERY_MS);
    socket.on('close', () => clearInterval(timer));
  };

/** Begins, and goes on as fast as it can, for ever. */
export const flood =
  (head: string, piece: string): Odd =>
  () =>
  ({ socket }) => {
    socket.on('error', () => undefined);
    socket.write(head);
    const block = piece.repeat(1 + Math.floor(16_384 / piece.length));
    const more = () => {
      while (!socket.destroyed && socket.write(block));
      if (!socket.destroyed) socket.once('drain', more);
    };
    more();
  };

/** An answer as a server sends it. */
export const sends =
  (
    status: number,
    headers: Readonly<Record<string, string | number>> = {},
    body: (bytes: Buffer) => Buffer | string = (bytes) => bytes,
  ): Odd =>
  (bytes) =>
  (_, response) => {
    response.on('error', () => undefined);
    response.writeHead(status, headers).end(body(bytes));
  };

/** Odd at first, and then as it should be. */
export const atFirst =
  (odd: Odd, count = 1): Odd =>
  (bytes) => {
    let asked = 0;
    return (request, response) => {
      asked += 1;
      (asked <= count ? odd(bytes) : right(bytes))(request, response);
    };
  };

export const right: Odd = (bytes) => sends(200, { 'content-length': bytes.length })(bytes);

/** So many redirections to itself, and then the file. */
export const redirects =
  (count: number): Odd =>
  (bytes) =>
  (request, response) => {
    const done = Number(new URL(request.url ?? '/', 'http://host').searchParams.get('n') ?? 0);
    if (done >= count) right(bytes)(request, response);
    else redirect(response, `?n=${done + 1}`);
  };

export const redirectsTo =
  (location: (request: IncomingMessage) => string, status = 302): Odd =>
  (bytes) =>
  (request, response) => {
    if (request.url?.includes('?there') === true) right(bytes)(request, response);
    else redirect(response, location(request), status);
  };

function redirect(response: ServerResponse, location: string, status = 302): void {
  response.writeHead(status, { location, 'content-length': 5 }).end('moved');
}

const OK = 'HTTP/1.1 200 OK\r\n';
const ofLength = (bytes: Buffer) => `${OK}Content-Length: ${bytes.length}\r\n\r\n`;
const asChunk = (bytes: Buffer) => `${bytes.length.toString(16)}\r\n${bytes.toString('latin1')}\r\n`;
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const here = ({ headers }: IncomingMessage) => headers.host ?? '';
export const inFuture = (ms: number) => new Date(Math.ceil(Date.now() / 1000) * 1000 + ms).toUTCString();

/** What comes of an answer: the file or database is good, the code of an error, or the kind of a finding. */
export interface OddAnswer {
  readonly name: string;
  readonly odd: Odd;
  readonly file: string;
  readonly database: string;
}

const both = (name: string, odd: Odd, outcome: string): OddAnswer => ({
  ...{ name, odd },
  file: outcome,
  database: outcome,
});

const each = (name: string, odd: Odd, [file, database]: readonly [string, string]): OddAnswer => ({
  ...{ name, odd, file, database },
});

const absent = ['missing', 'DATABASE_MISSING'] as const;
const other = ['altered', 'DATABASE_MISSING'] as const;

/** Answers that end in the time that a whole one takes. */
export const ODD_ANSWERS: readonly OddAnswer[] = [
  ...[301, 302, 303, 307, 308].map((status) =>
    both(
      `${status}`,
      redirectsTo(() => '?there', status),
      'good',
    ),
  ),
  both('five redirections', redirects(5), 'good'),
  both('six redirections', redirects(6), 'REDIRECT_REFUSED'),
  both(
    'a redirection to itself',
    redirectsTo(({ url }) => url ?? '/'),
    'REDIRECT_REFUSED',
  ),
  both(
    'a redirection to ever longer addresses',
    redirectsTo(({ url = '' }) => `${url}${url.includes('?') ? '' : '?'}x`),
    'REDIRECT_REFUSED',
  ),
  both(
    'a redirection to another host',
    redirectsTo((it) => `http://${here(it).replace('127.0.0.1', 'localhost')}${it.url ?? ''}?there`),
    'good',
  ),
  both(
    'a redirection with a password',
    redirectsTo((it) => `http://name:secret@${here(it)}${it.url ?? ''}?there`),
    'good',
  ),
  both(
    'a redirection with a fragment',
    redirectsTo(() => '?there#here'),
    'good',
  ),
  both('a redirection to nowhere', sends(302), 'NETWORK'),
  both('a redirection to no address', sends(302, { location: 'http://[' }), 'NETWORK'),
  ...['ftp://host/x', 'file:///etc/passwd', 'javascript:alert(1)', 'data:text/plain,x', 'ws://host/'].map(
    (location) => both(`a redirection to ${location}`, sends(302, { location }), 'REDIRECT_REFUSED'),
  ),
  both(
    'a redirection with an escape',
    raw('HTTP/1.1 302 Found\r\nLocation: file:///\u001b[31m\r\nContent-Length: 0\r\n\r\n'),
    'NETWORK',
  ),
  ...[
    201, 202, 203, 205, 207, 226, 300, 305, 400, 401, 402, 405, 406, 414, 418, 431, 451, 501, 505, 599, 999,
  ].map((status) => both(`${status}`, sends(status), 'NETWORK')),
  both(
    '204',
    sends(204, {}, () => ''),
    'NETWORK',
  ),
  both(
    '304 to nobody who has it',
    sends(304, {}, () => ''),
    'NETWORK',
  ),
  ...[403, 404, 410].map((status) => each(`${status}`, sends(status), absent)),
  each('404 once', atFirst(sends(404)), absent),
  ...[408, 425, 500, 502, 504].map((status) => both(`${status} for ever`, sends(status), 'NETWORK')),
  ...[429, 503].map((status) => both(`${status} for ever`, sends(status), 'NETWORK')),
  ...[408, 425, 429, 500, 502, 503, 504].map((status) =>
    both(`${status} once`, atFirst(sends(status)), 'good'),
  ),
  both('Retry-After in seconds', atFirst(sends(429, { 'retry-after': '1' })), 'good'),
  both(
    'Retry-After as a date',
    atFirst((bytes) => sends(503, { 'retry-after': inFuture(1000), date: inFuture(0) })(bytes)),
    'good',
  ),
  both('Retry-After of years', sends(503, { 'retry-after': '1000000000' }), 'NETWORK'),
  ...['-1', 'soon', '9'.repeat(400), 'Thu, 01 Jan 1970 00:00:00 GMT'].map((text) =>
    both(`Retry-After: ${text.slice(0, 9)}`, atFirst(sends(503, { 'retry-after': text })), 'good'),
  ),
  each('gzip that nobody asked for', sends(200, { 'content-encoding': 'gzip' }, gzipSync), [
    'NETWORK',
    'good',
  ]),
  both('the name of an encoding that was not applied', sends(200, { 'content-encoding': 'x-gzip' }), 'good'),
  both('the encoding identity', sends(200, { 'content-encoding': 'Identity' }), 'good'),
  both(
    'an encoding that we do not know',
    sends(200, { 'content-encoding': 'br' }, () => 'zzz'),
    'NETWORK',
  ),
  each(
    'gzip that is damaged',
    sends(200, { 'content-encoding': 'gzip' }, (bytes) => gzipSync(bytes).subarray(0, 40)),
    ['NETWORK', 'NETWORK'],
  ),
  each(
    'too great a length',
    raw((bytes) => `${OK}Content-Length: ${bytes.length + 10}\r\n\r\n${bytes.toString('latin1')}`),
    ['altered', 'NETWORK'],
  ),
  each(
    'too small a length',
    raw((bytes) => `${OK}Content-Length: ${bytes.length - 10}\r\n\r\n${bytes.toString('latin1')}`),
    ['altered', 'SIGNATURE_MISSING'],
  ),
  ...['abc', '-1', '1e3', '0x10', '1, 2', '99999999999999999999999'].map((length) =>
    both(
      `the length ${length}`,
      raw((bytes) => `${OK}Content-Length: ${length}\r\n\r\n${bytes.toString('latin1')}`),
      'NETWORK',
    ),
  ),
  both(
    'two lengths',
    raw((bytes) => `${OK}Content-Length: 3\r\nContent-Length: ${bytes.length}\r\n\r\nabc`),
    'NETWORK',
  ),
  both(
    'a length and chunks',
    raw((bytes) => `${OK}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n${asChunk(bytes)}0\r\n\r\n`),
    'NETWORK',
  ),
  both(
    'no length',
    raw((bytes) => `${OK}\r\n${bytes.toString('latin1')}`),
    'good',
  ),
  both(
    'HTTP/1.0',
    raw((bytes) => `HTTP/1.0 200 OK\r\n\r\n${bytes.toString('latin1')}`),
    'good',
  ),
  both(
    'HTTP/1.0 with a length',
    raw((bytes) => `HTTP/1.0 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n${bytes.toString('latin1')}`),
    'good',
  ),
  both(
    'HTTP/0.9',
    raw((bytes) => bytes.toString('latin1')),
    'NETWORK',
  ),
  both('HTTP/9.9', raw('HTTP/9.9 200 OK\r\n\r\n'), 'NETWORK'),
  both(
    'no reason',
    raw((bytes) => `HTTP/1.1 200\r\nContent-Length: ${bytes.length}\r\n\r\n${bytes.toString('latin1')}`),
    'good',
  ),
  both('the status 2000', raw('HTTP/1.1 2000 OK\r\n\r\n'), 'NETWORK'),
  both('what is not HTTP', raw('garbage\r\n\r\n'), 'NETWORK'),
  both('TLS', raw('\u0015\u0003\u0001\u0000\u0002\u0002\u0046'), 'NETWORK'),
  both('a zero in a header', raw(`${OK}X: a\0b\r\n\r\n`), 'NETWORK'),
  both(
    'chunks',
    raw((bytes) => `${CHUNKED}${asChunk(bytes)}0\r\n\r\n`),
    'good',
  ),
  both(
    'chunks with a trailer',
    raw((bytes) => `${CHUNKED}${asChunk(bytes)}0\r\nA: b\r\n\r\n`),
    'good',
  ),
  each(
    'chunks without an end',
    raw((bytes) => `${CHUNKED}${asChunk(bytes)}`),
    ['good', 'NETWORK'],
  ),
  both('a chunk of no number', raw(`${CHUNKED}zz\r\nabc\r\n0\r\n\r\n`), 'NETWORK'),
  both('a chunk of too great a number', raw(`${CHUNKED}ffffffffffffffffff\r\nabc\r\n0\r\n\r\n`), 'NETWORK'),
  both(
    'more bytes behind the answer',
    raw((bytes) => `${ofLength(bytes)}${bytes.toString('latin1')}HTTP/1.1 200 OK\r\n\r\nmore`),
    'good',
  ),
  both(
    '206 to nobody who asked for a part',
    (bytes) => sends(206, { 'content-range': `bytes 0-${bytes.length - 1}/${bytes.length}` })(bytes),
    'good',
  ),
  both('206 without a range', sends(206), 'NETWORK'),
  both(
    '206 from the middle',
    raw('HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nabcde'),
    'NETWORK',
  ),
  both('416', sends(416), 'NETWORK'),
  each(
    'a login page',
    sends(200, { 'content-type': 'text/html' }, () => '<html>log in'),
    other,
  ),
  each(
    'nothing',
    sends(200, {}, () => ''),
    other,
  ),
  both('no answer', raw(''), 'NETWORK'),
  both(
    'a broken connection',
    () =>
      ({ socket }) =>
        void socket.resetAndDestroy(),
    'NETWORK',
  ),
  both(
    'another protocol (101)',
    raw('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
    'NETWORK',
  ),
  both(
    'early hints (103)',
    raw(
      (bytes) =>
        `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${ofLength(bytes)}${bytes.toString('latin1')}`,
    ),
    'good',
  ),
  both('20 kB of headers', sends(200, { 'x-big': 'a'.repeat(20_000) }), 'good'),
  both('100 kB of headers', sends(200, { 'x-big': 'a'.repeat(100_000) }), 'NETWORK'),
];

/** Answers that would never end. */
export const ENDLESS_ANSWERS: readonly OddAnswer[] = [
  both('silence', () => () => undefined, 'NETWORK_TIMEOUT'),
  both('headers that drip', drip(`${OK}X-A: `, 'x'), 'NETWORK_TIMEOUT'),
  both('headers that flood', flood(`${OK}X-A: `, 'x'), 'NETWORK'),
  both('many headers that flood', flood(OK, 'X: y\r\n'), 'NETWORK'),
  ...[100, 102, 103, 110].map((status) =>
    both(`${status} that drips`, drip('', `HTTP/1.1 ${status} x\r\n\r\n`), 'NETWORK_TIMEOUT'),
  ),
  both('103 that floods', flood('', 'HTTP/1.1 103 x\r\nLink: <x>\r\n\r\n'), 'NETWORK'),
  both('a body that drips', drip(ofLength, 'x'), 'NETWORK_SLOW'),
  both('a body without a length that drips', drip(`${OK}\r\n`, 'x'), 'NETWORK_SLOW'),
  both('chunks that drip', drip(CHUNKED, '1\r\nx\r\n'), 'NETWORK_SLOW'),
  both('the name of a chunk that drips', drip(`${CHUNKED}1;`, 'x'), 'NETWORK_TIMEOUT'),
  each(
    'a trailer that drips',
    drip((bytes) => `${CHUNKED}${asChunk(bytes)}0\r\n`, 'A: b\r\n'),
    ['good', 'NETWORK_TIMEOUT'],
  ),
  both('a trailer that floods', flood(`${CHUNKED}0\r\n`, 'A: b\r\n'), 'NETWORK'),
  both(
    'a body that stops before its end',
    drip((bytes) => `${ofLength(bytes)}${bytes.toString('latin1', 0, bytes.length - 1)}`, ''),
    'NETWORK_TIMEOUT',
  ),
  each(
    'a length beyond all bounds, and silence',
    drip(`${OK}Content-Length: 999999999999999\r\n\r\nabc`, ''),
    ['altered', 'DATABASE_TOO_LARGE'],
  ),
  ...[403, 404, 410].map((status) =>
    each(`${status} with a body that drips`, drip(`HTTP/1.1 ${status} x\r\n\r\n`, 'x'), absent),
  ),
  ...[204, 304, 400, 500].map((status) =>
    both(
      `${status} with a body that drips`,
      drip(`HTTP/1.1 ${status} x\r\nContent-Length: 9999\r\n\r\n`, 'x'),
      'NETWORK',
    ),
  ),
  both('302 with a body that drips', drip('HTTP/1.1 302 x\r\nLocation: /elsewhere\r\n\r\n', 'x'), 'good'),
  both('404 with headers that drip', drip('HTTP/1.1 404 x\r\n', 'A: b\r\n'), 'NETWORK_TIMEOUT'),
];

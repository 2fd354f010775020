import { gzipSync } from 'node:zlib';
import { atFirst, flood, inFuture, raw, redirectsTo, sends } from './odd.js';
import type { Odd, OddAnswer } from './odd.js';

/** More of the same kinds as in odd.ts: each bends one thing that a server says. */

const OK = 'HTTP/1.1 200 OK\r\n';
const text = (bytes: Buffer) => bytes.toString('latin1');
const whole = (bytes: Buffer) => `Content-Length: ${bytes.length}\r\n\r\n${text(bytes)}`;

const row = (name: string, odd: Odd, outcome: string): OddAnswer => ({
  ...{ name, odd },
  file: outcome,
  database: outcome,
});

/** The right bytes behind other first lines. */
const behind = (head: string, outcome: string, name = head): OddAnswer =>
  row(
    `first ${JSON.stringify(name)}`,
    raw((bytes) => `${head}${whole(bytes)}`),
    outcome,
  );

/** The right bytes with one more header, or a few. */
const withHeader = (header: string, outcome: string, name = header): OddAnswer =>
  row(
    `with ${JSON.stringify(name)}`,
    raw((bytes) => `${OK}${header}\r\n${whole(bytes)}`),
    outcome,
  );

/** The right bytes with another length or framing. */
const framed = (framing: string, outcome: string): OddAnswer =>
  row(
    `framed ${JSON.stringify(framing)}`,
    raw((bytes) => `${OK}${framing.replaceAll('N', String(bytes.length))}\r\n\r\n${text(bytes)}`),
    outcome,
  );

const chunked = (encoding: string, outcome: string): OddAnswer =>
  row(
    `encoded ${encoding}`,
    raw((bytes) => {
      const chunk = `${bytes.length.toString(16)}\r\n${text(bytes)}\r\n0\r\n\r\n`;
      return `${OK}Transfer-Encoding: ${encoding}\r\n\r\n${chunk}`;
    }),
    outcome,
  );

const partOf = (range: string, outcome: string): OddAnswer =>
  row(
    `206 with ${range}`,
    raw((bytes) => `HTTP/1.1 206 x\r\nContent-Range: ${range}\r\n${whole(bytes)}`),
    outcome,
  );

const leadsTo = (location: string, outcome: string, name = location): OddAnswer =>
  row(
    `redirected to ${JSON.stringify(name)}`,
    raw(`HTTP/1.1 302 x\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`),
    outcome,
  );

const busy = (later: string, outcome: string, status = 503): OddAnswer => {
  const odd = raw(`HTTP/1.1 ${status} x\r\n${later}\r\nContent-Length: 0\r\n\r\n`);
  return row(`${status} with ${later}`, outcome === 'good' ? atFirst(odd) : odd, outcome);
};

const different = (name: string, odd: Odd, [file, database]: readonly [string, string]): OddAnswer => ({
  ...{ name, odd, file, database },
});

/** The whole in small pieces, with a pause behind each. */
const slowly =
  (pieceBytes: number, everyMs: number): Odd =>
  (bytes) =>
  (_, response) => {
    response.on('error', () => undefined);
    response.writeHead(200, { 'content-length': bytes.length });
    const more = (from: number): void => {
      if (from >= bytes.length || response.destroyed) response.end();
      else response.write(bytes.subarray(from, from + pieceBytes), () => later(from + pieceBytes));
    };
    const later = (from: number) => setTimeout(() => more(from), everyMs);
    more(0);
  };

const VERSIONS = [
  ...['ICY 200 OK\r\n', 'SIP/2.0 200 OK\r\n', 'http/1.1 200 OK\r\n', 'HTTP/1.1 2OO OK\r\n'].map((head) =>
    behind(head, 'NETWORK'),
  ),
  ...['HTTP/1.1 999 x\r\n', 'HTTP/1.1 000 x\r\n', 'HTTP/1.1 099 x\r\n', 'HTTP/1.1 101 x\r\n\r\n'].map(
    (head) => behind(head, 'NETWORK'),
  ),
  behind('HTTP/1.1 200 OK\n', 'NETWORK'),
  behind(`HTTP/1.1 500 ${'x'.repeat(60_000)}\r\n`, 'NETWORK', 'a long reason'),
  ...['\r\n\r\nHTTP/1.1 200 OK\r\n', 'HTTP/2.0 200 OK\r\n', 'HTTP/1.1 200\r\n'].map((head) =>
    behind(head, 'good'),
  ),
  behind(`HTTP/1.1 199 x\r\n\r\n${OK}`, 'good'),
  behind(`${'HTTP/1.1 103 x\r\n\r\n'.repeat(15)}${OK}`, 'good', '103 15 times'),
  behind(`${'HTTP/1.1 103 x\r\n\r\n'.repeat(17)}${OK}`, 'NETWORK', '103 17 times'),
];

const HEADERS = [
  ...['Bogus', 'X: a\r\n b', 'X : a'].map((header) => withHeader(header, 'NETWORK')),
  withHeader(`X: ${'a'.repeat(1_000_000)}`, 'NETWORK', 'a header of 1 MB'),
  withHeader(`${'X: a\r\n'.repeat(5000)}X: a`, 'good', '5000 headers'),
  withHeader(`ETag: "${'x'.repeat(60_000)}"`, 'good', 'a long ETag'),
  ...['ETag: "\u009b31m"', 'ETag:', 'ETag: "a", "b"', 'Date: tomorrow\r\nLast-Modified: -1'].map((header) =>
    withHeader(header, 'good'),
  ),
  withHeader('Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nExpires: 0\r\nAge: 99999999999999', 'good'),
  withHeader('Keep-Alive: timeout=99999999999999999999, max=-5\r\nConnection: keep-alive, close', 'good'),
  withHeader('Upgrade: websocket\r\nConnection: Upgrade', 'good'),
  withHeader('Content-Range: bytes 5-9/10', 'good'),
  withHeader('Content-Disposition: attachment; filename="../../evil"', 'good'),
  withHeader('Content-Encoding:', 'good'),
  row(
    'a date of change in the future',
    (bytes) => sends(200, { 'last-modified': inFuture(9e9) })(bytes),
    'good',
  ),
  row(
    'a weak ETag',
    (bytes) => (request, response) => {
      const isKnown = request.headers['if-none-match'] === 'W/"w"';
      sends(isKnown ? 304 : 200, { etag: 'W/"w"' })(bytes)(request, response);
    },
    'good',
  ),
];

const BOMB = gzipSync(Buffer.alloc(400_000_000));

const BODIES = [
  row('a slow answer', slowly(500, 1), 'good'),
  ...['+N', 'N\r\nContent-Length: N'].map((length) => framed(`Content-Length: ${length}`, 'NETWORK')),
  ...['   N  ', '000000000000000000000000N'].map((length) => framed(`Content-Length: ${length}`, 'good')),
  framed('Transfer-Encoding: identity\r\nContent-Length: N', 'NETWORK'),
  chunked('gzip, chunked', 'good'),
  row(
    'a chunk with a long name',
    raw((bytes) => `${OK}Transfer-Encoding: chunked\r\n\r\n5;a=${'x'.repeat(1e6)}\r\n${text(bytes)}`),
    'NETWORK',
  ),
  row(
    'chunks of one byte',
    raw((bytes) => {
      const chunks = Array.from(bytes, (octet) => `1\r\n${String.fromCharCode(octet)}\r\n`);
      return `${OK}Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`;
    }),
    'good',
  ),
  row(
    'a bomb of gzip',
    sends(200, { 'content-encoding': 'gzip' }, () => BOMB),
    'NETWORK',
  ),
  different('Content-Encoding of 60 kB', sends(200, { 'content-encoding': 'z'.repeat(60_000) }), [
    'good',
    'NETWORK',
  ]),
  row('line ends that flood', flood('', '\r\n'), 'NETWORK_TIMEOUT'),
  row('zeros that flood', flood('', '\0'), 'NETWORK'),
  row('a reason that floods', flood('HTTP/1.1 200 ', 'x'), 'NETWORK'),
  row(
    '304 with a body',
    raw((bytes) => `HTTP/1.1 304 x\r\n${whole(bytes)}`),
    'NETWORK',
  ),
];

const RANGES = [
  ...['bytes 0--1/10', 'bytes */*', 'lines 0-9/10', 'bytes 3-9/10'].map((range) => partOf(range, 'NETWORK')),
  partOf(`bytes 0-9/${'9'.repeat(40)}`, 'good'),
  different('206 with a length beyond all bounds', partOf('bytes 0-9/999999999999999', '').odd, [
    'altered',
    'DATABASE_TOO_LARGE',
  ]),
];

const LOCATIONS = [
  leadsTo('', 'REDIRECT_REFUSED'),
  ...['//127.0.0.1:1/x', '\\\\127.0.0.1:1\\x', 'http://127.0.0.1:0/', 'http://0x7f.1:1/'].map((location) =>
    leadsTo(location, 'NETWORK'),
  ),
  ...['http://127.0.0.1:99999/', 'http://127.0.0.1:1/%0d%0aX:y', 'http://xn--a/'].map((location) =>
    leadsTo(location, 'NETWORK'),
  ),
  leadsTo(`/${'x'.repeat(60_000)}`, 'NETWORK', 'a long address'),
  ...['foo://\u009b31m/', 'blob:http://127.0.0.1/x', 'unix:/var/run/x.sock', 'mailto:x@y'].map((location) =>
    leadsTo(location, 'REDIRECT_REFUSED'),
  ),
  row(
    'redirected with spaces around',
    redirectsTo(() => '  ?there  '),
    'good',
  ),
  row(
    'redirected to TLS where there is none',
    redirectsTo(({ headers }) => `https://${headers.host ?? ''}/`),
    'NETWORK',
  ),
];

const PAUSES = [
  busy('Retry-After: Thu, 01 Jan 2099 00:00:00 GMT\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT', 'NETWORK'),
  busy('Retry-After: Thu, 01 Jan 2099 00:00:00 GMT\r\nDate: x', 'good'),
  busy('Retry-After: 1.5', 'good'),
  busy('Retry-After: 30', 'NETWORK', 502),
];

export const ODD_VARIANTS: readonly OddAnswer[] = [
  ...[...VERSIONS, ...HEADERS, ...BODIES, ...RANGES, ...LOCATIONS, ...PAUSES],
];

/**
 * Every case of seven attack scripts on readers, by script, and what has to come of it. A case whose outcome is here is
 * run by readers.test.ts; any other names the test that runs it already.
 */
export interface ReaderCase {
  readonly script: string;
  readonly name: string;
  readonly test: Outcome | OddRow | OtherTest;
}

/** Exit status, then the code of the error or refusal, or the status of the database. */
export interface Outcome {
  readonly outcome: string;
}

/** A row of the tables in test/net/odd.ts, with what comes of it for a file and for a database. */
export interface OddRow {
  readonly odd: string;
  readonly file?: string;
  readonly database?: string;
}

/** A test of another file by its title; `row`: words of that row of its table. */
export interface OtherTest {
  readonly file: string;
  readonly title: string;
  readonly row?: string;
}

const here = (script: string, outcomes: Readonly<Record<string, string>>): readonly ReaderCase[] =>
  Object.entries(outcomes).map(([name, outcome]) => ({ script, name, test: { outcome } }));

const elsewhere = (
  script: string,
  tests: Readonly<Record<string, OddRow | OtherTest>>,
): readonly ReaderCase[] => Object.entries(tests).map(([name, test]) => ({ script, name, test }));

/** A poisoned copy of a revocation is served or mailed before the true one. */
const POISON = here('poison', {
  'the true revocation in the file of the user': '1 KEY_REVOKED',
  'the poisoned one in the file of the user': '1 KEY_REVOKED',
  'trust add while the poisoned one is served': '1 KEY_REVOKED',
  'trust refresh, which then knows no such database': '2 NOT_TRUSTED',
  'verify by a name that was not added': '2 FILE_UNREADABLE',
  'get from what was not added': '2 NOT_TRUSTED',
  'trust add while a clean one is served': '0 authentic',
  'trust refresh learns of the true one': '1 KEY_REVOKED',
  'the poisoned one in the file, the true one beside the database': '1 KEY_REVOKED',
});

/** keys.asc of 900 kB, when a database is added and beside one that is refused. */
const BRICK = here('brick', {
  'trust add of an honest database': '0 authentic',
  'trust add with 220 user ids behind the key': '2 KEYS_MALFORMED',
  'trust list after it': '0',
  'verify of what was not added': '2 FILE_UNREADABLE',
  'get from the honest one': '0 authentic',
  'get from all': '0 authentic',
  'trust refresh of all': '0',
  'trust remove of what was not added': '2 NOT_TRUSTED',
  'trust list again': '0',
  'verify with an altered database and 210 user ids, each with a signature of the key': '1 SIGNATURE_MISSING',
  'the store after it has as many bytes as before': '0 bytes more',
  'verify when all is well again': '0 authentic',
  'trust list in the end': '0',
});

/** keys.asc with a stranger’s certificate of many self-signatures, and many copies of its bare primary key. */
const QUAD = here('quad', {
  '100 self-signatures, no copies': '0 authentic at the cost of none',
  '100 self-signatures, 100 copies': '0 authentic at the cost of none',
  '100 self-signatures, 200 copies': '0 authentic at the cost of none',
  '200 self-signatures, 200 copies': '0 authentic at the cost of none',
  '400 self-signatures, 400 copies': '0 authentic at the cost of none',
});

const DRIP = elsewhere('drip', {
  '404 on the database': { odd: '404 with a body that drips', database: 'DATABASE_MISSING' },
  '404 on the signature': {
    ...{ file: 'net/odd-answers', title: '404 with a body that drips for %s', row: 'signatures' },
  },
  '302 on the database': { odd: '302 with a body that drips', database: 'good' },
  '500 on the database': { odd: '500 with a body that drips', database: 'NETWORK' },
  '200 on the database': { odd: 'a body that drips', database: 'NETWORK_SLOW' },
  '404 on keys.asc': {
    ...{ file: 'net/odd-answers', title: '404 with a body that drips for %s', row: 'keys.asc' },
  },
});

const NET = elsewhere('net', {
  '103 early hints for ever': { odd: '103 that drips', database: 'NETWORK_TIMEOUT' },
  'header drip': { odd: 'headers that drip', database: 'NETWORK_TIMEOUT' },
  'endless header': { odd: 'headers that flood', database: 'NETWORK' },
  'chunk extension drip': { odd: 'the name of a chunk that drips', database: 'NETWORK_TIMEOUT' },
  'trailer drip': { odd: 'a trailer that drips', database: 'NETWORK_TIMEOUT' },
  'ESC in redirect location': { odd: 'a redirection with an escape', database: 'NETWORK' },
  'redirect with password': { odd: 'a redirection with a password', database: 'good' },
  'redirect javascript:': { odd: 'a redirection to javascript:alert(1)', database: 'REDIRECT_REFUSED' },
  'redirect data:': { odd: 'a redirection to data:text/plain,x', database: 'REDIRECT_REFUSED' },
  '304 unasked': { odd: '304 to nobody who has it', database: 'NETWORK' },
  '206 unasked from 5': { odd: '206 from the middle', database: 'NETWORK' },
  'content-length huge, then silence': {
    ...{ odd: 'a length beyond all bounds, and silence', database: 'DATABASE_TOO_LARGE' },
  },
  'negative content-length': { odd: 'the length -1', database: 'NETWORK' },
  'both content-length and transfer-encoding': { odd: 'a length and chunks', database: 'NETWORK' },
  'content-encoding of a body that is not encoded': {
    odd: 'the name of an encoding that was not applied',
    database: 'good',
  },
  'Retry-After 1e9 with 503': { odd: 'Retry-After of years', database: 'NETWORK' },
  'redirect loop': { odd: 'a redirection to ever longer addresses', database: 'REDIRECT_REFUSED' },
});

const part = (row: string): OtherTest => ({
  ...{ file: 'consume/partial-file', title: '%s is no partial file', row },
});
const target = (row: string): OtherTest => ({
  ...{ file: 'consume/partial-file', title: '%s under the name of the file is left alone', row },
});

const GET = [
  ...elsewhere('get', {
    'part that is a hard link': part('a hard link to another file'),
    'part that is a symlink': part('a link to another file'),
    'target is a symlink': target('a link to another file'),
    'target is a dangling symlink': target('a link that leads nowhere'),
    'target is a directory': target('a folder with files'),
    'part is a pipe': part('a named pipe'),
    'part with other bytes': {
      file: 'consume/get',
      title: 'go on in a later run, and begin anew where what was left is not right',
    },
    'part longer than Size': part('a sparse file of a terabyte'),
    'part that is set-uid': part('a set-uid file'),
    'altered on the server': { file: 'threats/serving', title: 'an archive with other bytes' },
    'altered on the server, with --keep-unverified': {
      file: 'threats/serving',
      title: 'an archive with other bytes is kept under another name on request',
    },
    'longer on the server': { file: 'threats/serving', title: 'an archive without an end' },
    'UNVERIFIED is a symlink': {
      file: 'consume/partial-file',
      title: 'nor is one under the name of an unverified file',
    },
  }),
  ...here('get', {
    'trust add': '0 authentic',
    'a file in other case is there': '0 authentic and both files',
    'a device as a package': '2 PACKAGE_NOT_FOUND',
  }),
];

const CHARACTERS =
  '1 DATABASE_MALFORMED: a name may hold letters, digits and . _ + ~ = @ , ! - and begins with a letter, digit or _';
const OWN = '1 DATABASE_MALFORMED: a name must not be that of a file or folder of packsign itself';
const DEVICE =
  '1 DATABASE_MALFORMED: a name must not be that of a Windows device (CON, NUL, COM1 and the like), with any extension';

const TOO_LONG_PATH = 'x'.repeat(1025);
const LONG_PATH = `${'A/'.repeat(500)}x.tgz`;

/** Paths in a database that the maintainer signed. */
const PATHS = here('get, path', {
  ...Object.fromEntries(
    [
      ...['../x.tar.gz', '/x.tar.gz', 'a//x.tar.gz', './x.tar.gz', '.x.tar.gz', 'a/../x.tar.gz'],
      ...['x\u0301.tar.gz', 'é.tar.gz', 'a\\b.tar.gz', 'a:b.tar.gz', 'lantern-0.9.tar.gz '],
      ...['x%2e%2e.tar.gz', '~root', 'a/~x', '-rf.tar.gz'],
    ].map((path) => [path, CHARACTERS]),
  ),
  'x.tar.gz.': '1 DATABASE_MALFORMED: a name must not end with a dot, which Windows drops',
  CON: DEVICE,
  'nul.tar.gz': DEVICE,
  aux: DEVICE,
  'packages.plist': OWN,
  'signatures/x.asc': '0 authentic',
  [TOO_LONG_PATH]: '1 DATABASE_MALFORMED: a path may have at most 1024 bytes',
  'Lantern-0.9.tar.gz2': '0 authentic',
  [LONG_PATH]: '0 authentic',
});

type Answer = readonly [odd: string, file: string, database: string];
const both = (odd: string, outcome: string): Answer => [odd, outcome, outcome];
const network = (odd: string): Answer => both(odd, 'NETWORK');
const good = (odd: string): Answer => both(odd, 'good');
const absent = (odd: string): Answer => [odd, 'missing', 'DATABASE_MISSING'];

/** By the mode of the server, which it applies to archives, or to all files if the mode ends with A. */
const MODES: Readonly<Record<string, Answer>> = {
  ...Object.fromEntries([301, 302, 303, 307, 308].map((status) => [`r${status}`, good(`${status}`)])),
  chain5: good('five redirections'),
  chain6: both('six redirections', 'REDIRECT_REFUSED'),
  loop: both('a redirection to itself', 'REDIRECT_REFUSED'),
  otherhost: good('a redirection to another host'),
  noloc: network('a redirection to nowhere'),
  ftploc: both('a redirection to ftp://host/x', 'REDIRECT_REFUSED'),
  fileloc: both('a redirection to file:///etc/passwd', 'REDIRECT_REFUSED'),
  ...Object.fromEntries([403, 404, 410].map((status) => [`s${status}`, absent(`${status}`)])),
  ...Object.fromEntries(
    [201, 300, 400, 401, 405, 416, 418, 451, 501, 505, 599, 999].map((status) => [
      `s${status}`,
      network(`${status}`),
    ]),
  ),
  ...Object.fromEntries(
    [408, 425, 429, 500, 502, 503, 504].map((status) => [`s${status}`, network(`${status} for ever`)]),
  ),
  ...Object.fromEntries(
    [408, 425, 429, 500, 502, 503, 504].map((status) => [`once${status}`, good(`${status} once`)]),
  ),
  once404: absent('404 once'),
  ra1: good('Retry-After in seconds'),
  radate: good('Retry-After as a date'),
  gz: ['gzip that nobody asked for', 'NETWORK', 'good'],
  gzlabel: good('the name of an encoding that was not applied'),
  br: network('an encoding that we do not know'),
  longcl: ['too great a length', 'altered', 'NETWORK'],
  shortcl: ['too small a length', 'altered', 'SIGNATURE_MISSING'],
  badcl: network('the length abc'),
  nocl: good('no length'),
  u206: good('206 to nobody who asked for a part'),
  304: network('304 to nobody who has it'),
  weak: good('a weak ETag'),
  lm: good('a date of change in the future'),
  html: ['a login page', 'altered', 'DATABASE_MISSING'],
  junk: network('what is not HTTP'),
  early: network('no answer'),
  100: good('early hints (103)'),
  204: network('204'),
  silent: both('silence', 'NETWORK_TIMEOUT'),
  drip: both('a body that drips', 'NETWORK_SLOW'),
  hugehdr: good('20 kB of headers'),
  slow: good('a slow answer'),
};

const continued = (row: string): OtherTest => ({ file: 'net/odd-answers', title: 'after %s', row });

const ODD = [
  ...elsewhere('odd-answers', {
    ...Object.fromEntries(
      Object.entries(MODES).flatMap(([mode, [odd, file, database]]): [string, OddRow][] => [
        [`mode ${mode}`, { odd, file }],
        [`mode ${mode}A`, { odd, database }],
      ]),
    ),
    'mode wrongrange': continued('a 206 from elsewhere'),
    'mode nocr206': continued('a 206 without a range'),
    'mode nocr206A': { odd: '206 without a range', database: 'NETWORK' },
    'mode 416': continued('416'),
  }),
];

export const READER_CASES: readonly ReaderCase[] = [
  ...[...POISON, ...BRICK, ...QUAD, ...DRIP, ...NET, ...GET, ...PATHS, ...ODD],
];

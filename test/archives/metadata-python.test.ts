import { execFileSync } from 'node:child_process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePkgInfo } from '../../src/archives/metadata-python.js';
import { hasTool } from '../tools.js';

function pkgInfo(text: string, encoding: BufferEncoding = 'utf8') {
  return parsePkgInfo(Buffer.from(text, encoding), 'sdist');
}

const MEBIBYTE = 1024 * 1024;
const NAMED = 'Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n';

/** What Python's e-mail parser reads, blanks around it and the line ends of folding aside. */
function askPython(documents: readonly Buffer[]): readonly { name: string | null; version: string | null }[] {
  const script = `
import email, json, sys
def value(message, name):
    found = [v for k, v in message.raw_items() if k.lower() == name]
    return found[0].encode('ascii', 'surrogateescape').decode('latin-1').strip(' \\t\\r\\n') if found else None
documents = [bytes.fromhex(d) for d in json.load(sys.stdin)]
messages = [email.message_from_bytes(d) for d in documents]
json.dump([{'name': value(m, 'name'), 'version': value(m, 'version')} for m in messages], sys.stdout)
`;
  const input = JSON.stringify(documents.map((document) => document.toString('hex')));
  return JSON.parse(
    execFileSync('python3', ['-c', script], { input, encoding: 'utf8', maxBuffer: 1 << 28 }),
  ) as ReturnType<typeof askPython>;
}

function isWord(text: string | null): text is string {
  return text !== null && /^[!-~]+$/.test(text);
}

describe('PKG-INFO and METADATA', () => {
  it('gives name, version, summary and home page', () => {
    expect(pkgInfo(`${NAMED}Summary: does a thing\nHome-page: https://example.org/demo\n\nbody\n`)).toEqual({
      kind: 'sdist',
      name: 'demo',
      version: '1.0',
      summary: 'does a thing',
      homePage: 'https://example.org/demo',
    });
  });

  it('is absent if name or version is missing or not a plain word', () => {
    expect(pkgInfo('Name: demo\n')).toBeNull();
    expect(pkgInfo('Version: 1.0\n')).toBeNull();
    expect(pkgInfo('')).toBeNull();
    expect(pkgInfo('Name: two words\nVersion: 1.0\n')).toBeNull();
    expect(pkgInfo('Name: démo\nVersion: 1.0\n')).toBeNull();
    expect(pkgInfo('Name: demo\nVersion: 1.0\u001b[31m\n')).toBeNull();
    expect(pkgInfo('Name: demo\n x\nVersion: 1.0\n')).toBeNull();
  });

  it('takes the first of a repeated header, in any case of letters', () => {
    expect(pkgInfo('NAME: first\nname: second\nvErSiOn: 1\nVersion: 2\n')).toMatchObject({
      name: 'first',
      version: '1',
    });
  });

  it('reads no header after the first blank line', () => {
    expect(pkgInfo('Name: demo\n\nVersion: 1.0\n')).toBeNull();
  });

  it('unfolds a summary into one line', () => {
    expect(pkgInfo(`${NAMED}Summary: one\n   two\n\tthree\n`)?.summary).toBe('one two three');
  });

  it('reads a summary as UTF-8, else as Latin-1', () => {
    expect(pkgInfo(`${NAMED}Summary: Größe\n`)?.summary).toBe('Größe');
    expect(pkgInfo(`${NAMED}Summary: Größe\n`, 'latin1')?.summary).toBe('Größe');
  });

  it('T16: puts a space for control characters and bidirectional controls of a summary, and cuts it', () => {
    expect(pkgInfo(`${NAMED}Summary: a\u0007b\u001b[31mc\u202ed\u2066e\u009bf\n`)?.summary).toBe(
      'a b [31mc d e f',
    );
    expect(Array.from(pkgInfo(`${NAMED}Summary: ${'😀'.repeat(3000)}\n`)?.summary ?? '')).toHaveLength(1024);
  });

  it('ignores the UNKNOWN of old setuptools', () => {
    expect(pkgInfo(`${NAMED}Summary: UNKNOWN\nHome-page: UNKNOWN\n`)).toMatchObject({
      summary: '',
      homePage: null,
    });
  });

  it('takes a home page from a Project-URL if there is no other', () => {
    const urls =
      'Project-URL: Source, https://example.org/src\nProject-URL: Home Page , https://example.org/\n';
    expect(pkgInfo(NAMED + urls)?.homePage).toBe('https://example.org/');
    expect(pkgInfo(`${NAMED}Home-page: UNKNOWN\n${urls}`)?.homePage).toBe('https://example.org/');
    expect(pkgInfo(`${NAMED}${urls}Home-page: http://example.org/x\n`)?.homePage).toBe(
      'http://example.org/x',
    );
  });

  it.each([
    'javascript:alert(1)',
    'ftp://example.org/',
    'https:example.org',
    'https://',
    'https://exämple.org/',
    'https://example.org/a b',
    'https://bank.example@evil.example/',
    `https://example.org/${'x'.repeat(3000)}`,
  ])('takes %s for no home page', (address) => {
    expect(pkgInfo(`${NAMED}Home-page: ${address}\n`)?.homePage).toBeNull();
  });

  it.each([
    ['line ends of two characters', 'Name: demo\r\nVersion: 1\r\nSummary: a\r\n  b\r\n\r\nName: other\r\n'],
    ['line ends of old Macs', 'Name: demo\rVersion: 1\rSummary: a\r b\r\rName: other\r'],
    ['mixed line ends', 'Name: demo\rVersion: 1\r\nSummary: a\r b\n\rName: other\n'],
    ['no line end', 'Version: 1\nSummary: a b\nName: demo'],
    ['folded values', 'Name:\n demo\nVersion:\r\n\t1\nSummary:\n a\n b\n'],
    ['folded lines of nobody', ' Name: x\n\ty\nName: demo\nVersion: 1\nSummary: a b\n'],
    ['a separator of a mailbox', 'From x: y\n Name: z\nName: demo\nVersion: 1\nFrom y\n z\nSummary: a b\n'],
    ['a header in a folded line', 'X: y\n Name: x\n  \nName: demo\nVersion: 1\nSummary: a b\n'],
    ['headers with longer names', 'X-Name: x\nName-x: y\n:Name: z\nName: demo\nVersion: 1\nSummary: a b\n'],
    ['a header without a name', ': x\n Name: y\nName: demo\nVersion: 1\nSummary: a b\n'],
    ['repeated headers', 'Name: demo\nVersion: 1\nSummary: a b\nsummary: c\nName: x\nVersion: 2\n'],
    ['a line of blanks', 'Name: demo\n  \nVersion: 1\nSummary: a b\n \t\n'],
    ['an end at what is no header', 'Name: demo\nVersion: 1\nSummary: a b\nno header\nName: x\n'],
    ['blanks of other alphabets', 'Name:\u00a0demo\u00a0\nVersion: \u00c2\u00a01\u000b\nSummary: a b\n'],
    ['long headers', `X: ${'x'.repeat(100_000)}\nName: demo\nVersion: 1\nSummary: a b\n`],
    ['long folded headers', `X:${'\n y'.repeat(100_000)}\nName: demo\nVersion: 1\nSummary: a b\n`],
  ])('reads headers with %s', (_what, text) => {
    expect(pkgInfo(text, 'latin1')).toEqual({
      kind: 'sdist',
      name: 'demo',
      version: '1',
      summary: 'a b',
      homePage: null,
    });
  });

  it.each([
    ['a first name that is empty', 'Name:\nName: demo\nVersion: 1\n'],
    ['a name that is folded in two', 'Name: de\n mo\nVersion: 1\n'],
    ['a blank before a colon', 'Name : demo\nName: demo\nVersion: 1\n'],
    ['a byte-order mark', '\u00ef\u00bb\u00bfName: demo\nVersion: 1\n'],
    ['NUL in a name', 'Name: de\u0000mo\nVersion: 1\n'],
    ['NUL between headers', 'Name: demo\n\u0000\nVersion: 1\n'],
    ['a line end too many', 'Name: demo\n\rVersion: 1\n'],
    ['a blank line of two characters', 'Name: demo\r\n\r\nVersion: 1\r\n'],
    ['a name of more than 1,024 characters', `Name: ${'x'.repeat(1025)}\nVersion: 1\n`],
  ])('is absent with %s', (_what, text) => {
    expect(pkgInfo(text, 'latin1')).toBeNull();
  });

  it('takes the first Project-URL that is a home page, folded or not', () => {
    const urls = [
      'Project-URL: Homepage',
      'Project-URL: Homepage, ftp://example.org/',
      'PROJECT-URL: Home\n page,\n\thttps://example.org/a,b ',
      'Project-URL: homepage, https://example.org/second',
    ];
    expect(pkgInfo(`${NAMED}${urls.join('\n')}\n`)?.homePage).toBe('https://example.org/a,b');
    expect(pkgInfo(`${NAMED}${urls.join('\r\n')}\r\n`)?.homePage).toBe('https://example.org/a,b');
  });

  it.each([
    ['HTTPS://Example.org/A', 'https://Example.org/A'],
    ['https://example.org/@scope/name', 'https://example.org/@scope/name'],
    ['https://example.org?a@b', 'https://example.org?a@b'],
    ['https://@example.org/', null],
    ['https://user@example.org/', null],
    ['https://:secret@example.org/', null],
    ['https://example.org\\@evil.example/', null],
    ['https://example.org/a\\b', null],
    ['https://example.org./', null],
    ['https://10.1/', null],
    ['https://example.org:99999/', null],
    ['https://[::1/', null],
  ])('takes %s for the home page %s', (address, homePage) => {
    expect(pkgInfo(`${NAMED}Home-page: ${address}\n`)?.homePage).toBe(homePage);
  });

  // With the square of its length, one of them alone would take longer than a test may.
  it('T16: reads a mebibyte of anything in time that grows with its length', () => {
    for (const unit of [
      'x',
      ' ',
      '\n',
      '\r',
      ':',
      ',',
      'x:',
      ':\n',
      ':\r',
      ' \r',
      'a:\r\n',
      'From \n',
      'Project-URL:,\n',
      'Project-URL:\n ',
    ]) {
      for (const start of ['', `${NAMED}Project-URL: `, 'Name:'])
        pkgInfo(start + unit.repeat(MEBIBYTE / unit.length), 'latin1');
    }
  });

  it('keeps the values in memory, and not the whole document', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const document = `${NAMED}Summary: a summary of some length\nHome-page: https://example.org/demo\nX: `;
    const read = () => pkgInfo(document + 'x'.repeat(MEBIBYTE / 2));
    collect();
    const before = process.memoryUsage().heapUsed;
    const kept = Array.from({ length: 60 }, read);
    collect();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(10 * MEBIBYTE);
    expect(kept).toHaveLength(60);
  });

  it.runIf(hasTool('python3'))('gives the same name and version as the e-mail parser of Python', () => {
    const part = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom('Name: demo', 'Version: 1.0', 'name:demo2', 'VERSION:\t2.0  ', 'Name:'),
      },
      {
        weight: 3,
        arbitrary: fc.constantFrom(
          ' folded',
          '\tfolded',
          '   ',
          'Summary: gr\u00f6\u00dfe',
          'X: \u00c3\u00b6',
          ': x',
          'Name : d',
        ),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          '',
          'no header',
          'From somebody',
          'From: x',
          '\u00ef\u00bb\u00bfName: bom',
          '\u000b',
        ),
      },
      { weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
    );
    const end = fc.constantFrom('\n', '\n', '\n', '\r\n', '\r');
    const documents = fc.sample(
      fc
        .array(fc.tuple(part, end), { minLength: 2, maxLength: 8 })
        .map((lines) => Buffer.from(lines.flat().join(''), 'latin1')),
      { numRuns: 4000, seed: 7 },
    );
    const expected = askPython(documents);
    let agreed = 0;
    for (const [at, document] of documents.entries()) {
      const { name, version } = expected[at]!;
      const ours = parsePkgInfo(document, 'wheel');
      const theirs = isWord(name) && isWord(version) ? { name, version } : null;
      expect(
        ours === null ? null : { name: ours.name, version: ours.version },
        JSON.stringify(document.toString('latin1')),
      ).toEqual(theirs);
      if (theirs !== null) agreed += 1;
    }
    expect(agreed).toBeGreaterThan(300);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        parsePkgInfo(Buffer.from(bytes), 'egg');
      }),
    );
  });
});

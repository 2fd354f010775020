import { readSignature } from 'openpgp';
import { describe, expect, test } from 'vitest';
import { dearmorOnly, encodeArmor, isBinary } from '../../src/pgp/armor.js';
import { joinPackets, splitPackets } from '../../src/pgp/packets.js';
import { SIGNATURE_FILE } from '../../src/pgp/origin.js';
import { forgeKey, forgeSignature, subkeyOf } from './forge.js';

const BYTES = Buffer.from('any bytes at all, long enough for two lines of base64 in the armor, yes');
const ARMORED = Buffer.from(encodeArmor(BYTES, 'SIGNATURE')).toString();

function read(text: string): string {
  return Buffer.from(dearmorOnly(Buffer.from(text), 'SIGNATURE', SIGNATURE_FILE)).toString();
}

const MALFORMED = expect.objectContaining({ code: 'SIGNATURE_MALFORMED' }) as unknown;

describe('armor', () => {
  test('comes back as it went in, for every length', () => {
    for (let length = 1; length < 200; length++) {
      const bytes = Buffer.alloc(length, length);
      expect(dearmorOnly(encodeArmor(bytes, 'SIGNATURE'), 'SIGNATURE', SIGNATURE_FILE)).toEqual(bytes);
    }
  });

  // In time that grows with their number: with its square, these would take longer than a test may.
  test('lines of spaces do not take long to refuse', () => {
    const spaces = ARMORED.replace('\n\n', `\n${' '.repeat(60_000)}x\n\n`);
    for (let time = 0; time < 2000; time += 1) expect(() => read(spaces)).toThrow(MALFORMED);
  });

  test('is what OpenPGP.js reads', async () => {
    const key = await forgeKey();
    const signature = await forgeSignature(subkeyOf(key));
    const armored = Buffer.from(encodeArmor(signature, 'SIGNATURE')).toString();
    expect(Buffer.from((await readSignature({ armoredSignature: armored })).write() as Uint8Array)).toEqual(
      signature,
    );
  });

  test.each([
    ['white space around it', `\n \t${ARMORED}\r\n\n`],
    ['CRLF line ends', ARMORED.replaceAll('\n', '\r\n')],
    ['armor headers', ARMORED.replace('\n\n', '\nVersion: GnuPG v2\nComment: none: of it\n\n')],
    ['trailing blanks on lines', ARMORED.replaceAll('\n', '  \n')],
    ['a wrong checksum', ARMORED.replace(/\n=\w.../, '\n=AAAA')],
    ['no checksum', ARMORED.replace(/\n=..../, '')],
  ])('accepts %s', (_, text) => {
    expect(read(text)).toBe(BYTES.toString());
  });

  test.each([
    ['a second block behind it', ARMORED + ARMORED],
    ['a second block of another kind', ARMORED + ARMORED.replaceAll('SIGNATURE', 'MESSAGE')],
    ['text before it', `trust me\n${ARMORED}`],
    ['text after it', `${ARMORED}trust me\n`],
    ['a byte-order mark', `\u{feff}${ARMORED}`],
    ['another kind of block', ARMORED.replaceAll('SIGNATURE', 'MESSAGE')],
    ['an end line of another kind', ARMORED.replace('END PGP SIGNATURE', 'END PGP MESSAGE')],
    ['no end line', ARMORED.replace(/-----END.*/, '')],
    ['no empty line', ARMORED.replace('\n\n', '\n')],
    ['a malformed header', ARMORED.replace('\n\n', '\nno header\n\n')],
    ['a character that is not base64', ARMORED.replace('\n\n', '\n\n*')],
    ['truncated base64', ARMORED.replace(/(\n=....)/, 'A$1')],
    ['nothing in it', '-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n'],
    ['an indented block', ARMORED.replaceAll('\n', '\n ')],
    ['an empty file', ''],
  ])('T2: refuses %s', (_, text) => {
    expect(() => read(text)).toThrow(MALFORMED);
  });

  test('a byte-order mark does not make a file binary', () => {
    expect(isBinary(Buffer.from('\u{feff}-----BEGIN'))).toBe(false);
    expect(isBinary(Buffer.from([0xc2, 0x00]))).toBe(true);
    expect(isBinary(Buffer.from([0x88, 0x00]))).toBe(true);
  });
});

describe('packet framing', () => {
  const split = (bytes: readonly number[]): unknown => splitPackets(Uint8Array.from(bytes), SIGNATURE_FILE);

  test('reads old and new headers of every length form', () => {
    for (const length of [0, 1, 191, 192, 8383, 8384, 70_000]) {
      const body = Buffer.alloc(length, 7);
      const packet = { tag: 2, body };
      const again = splitPackets(joinPackets([packet, packet]), SIGNATURE_FILE);
      expect(again.map(({ tag, body }) => [tag, body.length])).toEqual([
        [2, length],
        [2, length],
      ]);
    }
    expect(split([0x88, 1, 9, 0x89, 0, 1, 9, 0x8a, 0, 0, 0, 1, 9])).toHaveLength(3);
    expect(split([0xc2, 0xff, 0, 0, 0, 1, 9])).toHaveLength(1);
  });

  test.each([
    ['nothing', []],
    ['an indeterminate length', [0x8b, 1, 2, 3]],
    ['a partial length', [0xc2, 0xe1, 1, 2, 1, 3]],
    ['a body cut off', [0xc2, 3, 1, 2]],
    ['a header cut off', [0xc2]],
    ['a length cut off', [0xc2, 0xff, 0, 0]],
    ['an old length cut off', [0x89, 0]],
    ['a length beyond every file', [0xc2, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
    ['trailing zero bytes', [0xc2, 1, 9, 0]],
  ])('refuses %s', (_, bytes) => {
    expect(() => split(bytes)).toThrow(MALFORMED);
  });
});

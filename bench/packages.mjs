// Minimal packages of three kinds, each of an exact size: real metadata first, then filler.
import { Buffer } from 'node:buffer';
import { createCipheriv, createHash } from 'node:crypto';
import { constants, crc32, deflateRawSync } from 'node:zlib';

const VERSION = '1.0';
const TIME = 1_700_000_000;

/** Bytes that no compressor can shrink, the same for the same seed. */
export function filler(seed, length) {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

export const KINDS = {
  sdist: { suffix: '.tar.gz', fileName: (name) => `${name}-${VERSION}.tar.gz`, make: makeSdist },
  deb: { suffix: '.deb', fileName: (name) => `${name}_${VERSION}_all.deb`, make: makeDeb },
  rpm: { suffix: '.rpm', fileName: (name) => `${name}-${VERSION}-1.noarch.rpm`, make: makeRpm },
};

function makeSdist(name, size) {
  const top = `${name}-${VERSION}`;
  const pkgInfo = [
    'Metadata-Version: 2.1',
    `Name: ${name}`,
    `Version: ${VERSION}`,
    'Summary: A package to measure with',
    `Home-page: https://example.org/${name}`,
    'Author: A. Maintainer',
    'License: MIT',
    'Requires-Python: >=3.9',
    '',
    '',
  ].join('\n');
  return gzipOfSize([tarMember(`${top}/PKG-INFO`, Buffer.from(pkgInfo))], {
    path: `${top}/filler`,
    seed: name,
    size,
  });
}

function makeDeb(name, size) {
  const control = [
    `Package: ${name}`,
    `Version: ${VERSION}`,
    'Architecture: all',
    'Maintainer: A. Maintainer <maintainer@example.org>',
    'Section: misc',
    'Priority: optional',
    'Description: A package to measure with',
    '',
  ].join('\n');
  const start = Buffer.concat([
    Buffer.from('!<arch>\n'),
    arMember('debian-binary', Buffer.from('2.0\n')),
    arMember('control.tar.gz', gzip(Buffer.concat([tarMember('./control', Buffer.from(control)), TAR_END]))),
  ]);
  const contents = gzipOfSize([], { path: './filler', seed: name, size: size - start.length - AR_HEADER });
  return Buffer.concat([start, arMember('data.tar.gz', contents)]);
}

const AR_HEADER = 60;

function arMember(name, bytes) {
  const header = `${name.padEnd(16)}${String(TIME).padEnd(12)}0     0     100644  ${String(bytes.length).padEnd(10)}\`\n`;
  return Buffer.concat([Buffer.from(header), bytes, Buffer.from(bytes.length % 2 === 0 ? '' : '\n')]);
}

const TAR_END = Buffer.alloc(1024);

function tarMember(path, bytes) {
  return Buffer.concat([tarHeader(path, bytes.length), bytes, Buffer.alloc(-bytes.length & 511)]);
}

function tarHeader(path, size) {
  const header = Buffer.alloc(512);
  const octal = (number, digits) => number.toString(8).padStart(digits, '0');
  header.write(path, 0);
  header.write(`0000644\0${'0000000\0'.repeat(2)}${octal(size, 11)}\0${octal(TIME, 11)}\0        0`, 100);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148);
  return header;
}

/** A gzip file of `size` bytes: the given members compressed, then one of filler, which is only stored. */
function gzipOfSize(members, { path, seed, size }) {
  const build = (length) => {
    const front = Buffer.concat([...members, tarHeader(path, length)]);
    const body = filler(seed, length);
    const end = Buffer.concat([Buffer.alloc(-length & 511), TAR_END]);
    return [front, body, end];
  };
  const join = ([front, body, end]) =>
    gzipOf([deflatePiece(front), ...stored(body), deflatePiece(end, constants.Z_FINISH)], [front, body, end]);
  let length = size - join(build(0)).length - 5 * Math.ceil(size / 0xffff);
  for (let tries = 0; tries < 8; tries += 1) {
    const file = join(build(Math.max(0, length)));
    if (file.length === size || length < 0) return file;
    length += size - file.length;
  }
  return join(build(length));
}

function deflatePiece(bytes, finishFlush = constants.Z_FULL_FLUSH) {
  return deflateRawSync(bytes, { finishFlush });
}

/** Stored blocks of deflate, none of them the last. */
function stored(bytes) {
  const pieces = [];
  for (let at = 0; at < bytes.length; at += 0xffff) {
    const piece = bytes.subarray(at, at + 0xffff);
    const header = Buffer.alloc(5);
    header.writeUInt16LE(piece.length, 1);
    header.writeUInt16LE(~piece.length & 0xffff, 3);
    pieces.push(header, piece);
  }
  return pieces;
}

function gzip(bytes) {
  return gzipOf([deflatePiece(bytes, constants.Z_FINISH)], [bytes]);
}

function gzipOf(deflated, contents) {
  const header = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crcOf(contents));
  trailer.writeUInt32LE(contents.reduce((sum, { length }) => sum + length, 0) >>> 0, 4);
  return Buffer.concat([header, ...deflated, trailer]);
}

function crcOf(pieces) {
  return pieces.reduce((value, piece) => crc32(piece, value), 0);
}

// An .rpm is a lead, a header with the signature's tags, a header with the package's, and the payload. The
// payload here is filler: indexers hash it and never unpack it.

const INT32 = 4;
const STRING = 6;
const BINARY = 7;
const STRINGS = 8;
const LOCALIZED = 9;

function makeRpm(name, size) {
  const label = `${name}-${VERSION}-1`;
  const lead = Buffer.alloc(96);
  lead.writeUInt32BE(0xedabeedb);
  lead.writeUInt16BE(0x0300, 4);
  lead.write(label.slice(0, 65), 10);
  lead.writeUInt16BE(1, 76);
  lead.writeUInt16BE(5, 78);
  const header = rpmHeader(63, [
    [100, STRINGS, ['C']],
    [1000, STRING, name],
    [1001, STRING, VERSION],
    [1002, STRING, '1'],
    [1004, LOCALIZED, ['A package to measure with']],
    [1005, LOCALIZED, ['A package to measure with']],
    [1006, INT32, TIME],
    [1009, INT32, size],
    [1014, STRING, 'MIT'],
    [1016, LOCALIZED, ['Unspecified']],
    [1021, STRING, 'linux'],
    [1022, STRING, 'noarch'],
    [1044, STRING, `${label}.src.rpm`],
    [1047, STRINGS, [name]],
    [1112, INT32, 8],
    [1113, STRINGS, [`${VERSION}-1`]],
    [1124, STRING, 'cpio'],
    [1125, STRING, 'gzip'],
    [1126, STRING, '9'],
  ]);
  const payload = Math.max(0, size - lead.length - RPM_SIGNATURE_BYTES - header.length);
  const signature = rpmHeader(62, [[1000, INT32, header.length + payload]]);
  const padding = Buffer.alloc(RPM_SIGNATURE_BYTES - signature.length);
  return Buffer.concat([lead, signature, padding, header, filler(name, payload)]);
}

const RPM_SIGNATURE_BYTES = 72;

function rpmHeader(region, tags) {
  const count = tags.length + 1;
  const entries = [];
  const store = [];
  let length = 0;
  const put = (bytes) => {
    store.push(bytes);
    length += bytes.length;
  };
  for (const [tag, type, value] of tags) {
    if (type === INT32) put(Buffer.alloc(-length & 3));
    entries.push(rpmEntry(tag, type, { at: length, count: Array.isArray(value) ? value.length : 1 }));
    put(type === INT32 ? int32(value) : Buffer.from(`${[value].flat().join('\0')}\0`));
  }
  const regionEntry = rpmEntry(region, BINARY, { at: length, count: 16 });
  put(rpmEntry(region, BINARY, { at: -16 * count, count: 16 }));
  const start = Buffer.from([0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0]);
  return Buffer.concat([start, int32(count), int32(length), regionEntry, ...entries, ...store]);
}

function rpmEntry(tag, type, { at, count }) {
  return Buffer.concat([int32(tag), int32(type), int32(at), int32(count)]);
}

function int32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

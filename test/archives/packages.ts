import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { readerOf } from '../../src/disk/files.js';
import type { OpenFile } from '../../src/archives/decompress.js';

export interface Member {
  readonly path: string;
  readonly text?: string;
  readonly type?: string;
  readonly mode?: number;
  /** In seconds since 1970. */
  readonly modified?: number;
  readonly target?: string;
}

export function tar(...members: readonly Member[]): Buffer {
  const blocks = members.flatMap(({ path, text = '', type = '0', mode, modified, target = '' }) => {
    const bytes = Buffer.from(text);
    const block = Buffer.alloc(512);
    block.write(path, 0);
    if (mode !== undefined) block.write(mode.toString(8).padStart(7, '0'), 100);
    if (modified !== undefined) block.write(modified.toString(8).padStart(11, '0'), 136);
    block.write(target, 157);
    block.write(bytes.length.toString(8).padStart(11, '0'), 124);
    block.write(`        ${type}`, 148);
    block.write('ustar\x0000', 257, 'latin1');
    block.write(
      `${block
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
      'latin1',
    );
    return [block, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

export interface ZipMember extends Member {
  /** The contents as they are in the file, deflated, or stored. */
  readonly bytes?: Buffer;
  readonly stored?: Buffer;
  readonly claimedSize?: number;
  /** Date and time as MS-DOS writes them. */
  readonly dosDate?: number;
  /** The name before the contents, if it is another of the same length. */
  readonly ownPath?: string;
  /** Fields behind the name in the directory. */
  readonly extra?: Buffer;
}

export function zip(...members: readonly ZipMember[]): Buffer {
  const pieces: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const {
    path,
    text = '',
    mode = 0o100644,
    stored,
    bytes = stored ?? deflateRawSync(text),
    claimedSize = text.length,
    dosDate = 0,
    ownPath = path,
    extra = Buffer.alloc(0),
  } of members) {
    const name = Buffer.from(path);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(stored === undefined ? 8 : 0, 4);
    fields.writeUInt16LE(dosDate, 8);
    fields.writeUInt32LE(bytes.length, 14);
    fields.writeUInt32LE(claimedSize, 18);
    fields.writeUInt16LE(name.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    const own = Buffer.from(fields);
    fields.writeUInt16LE(extra.length, 24);
    directory.push(Buffer.from('PK\x01\x02\x14\x03', 'latin1'), fields, tail, name, extra);
    pieces.push(Buffer.from('PK\x03\x04', 'latin1'), own, Buffer.from(ownPath), bytes);
    offset += 30 + name.length + bytes.length;
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(members.length & 0xffff, 8);
  end.writeUInt16LE(members.length & 0xffff, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...pieces, ...directory, end]);
}

interface ArMember {
  readonly name: string;
  readonly contents: Buffer | string;
}

/** An ar archive; names are written as they are, so they may be those of GNU or BSD. */
export function ar(...members: readonly ArMember[]): Buffer {
  const pieces = members.flatMap(({ name, contents }) => {
    const bytes = Buffer.from(contents);
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}`;
    return [
      Buffer.from(`${header}${String(bytes.length).padEnd(10)}\`\n`),
      bytes,
      Buffer.alloc(bytes.length % 2, '\n'),
    ];
  });
  return Buffer.concat([Buffer.from('!<arch>\n'), ...pieces]);
}

/** Values of a header by their tags: texts, four-byte numbers, or bytes. */
export type RpmTags = Readonly<Record<number, string | number | Buffer>>;

/** A header of an rpm, without padding. */
export function rpmHeader(tags: RpmTags): Buffer {
  const index: Buffer[] = [];
  const store: Buffer[] = [];
  let offset = 0;
  for (const [tag, value] of Object.entries(tags)) {
    const type = typeof value === 'number' ? 4 : typeof value === 'string' ? 6 : 7;
    if (type === 4 && offset % 4 !== 0) {
      const padding = Buffer.alloc(4 - (offset % 4));
      store.push(padding);
      offset += padding.length;
    }
    const bytes =
      typeof value === 'number'
        ? words(value)
        : Buffer.from(typeof value === 'string' ? `${value}\0` : value);
    index.push(words(Number(tag), type, offset, type === 7 ? bytes.length : 1));
    store.push(bytes);
    offset += bytes.length;
  }
  return Buffer.concat([
    Buffer.from('8eade80100000000', 'hex'),
    words(index.length, offset),
    ...index,
    ...store,
  ]);
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, at) => bytes.writeUInt32BE(value, 4 * at));
  return bytes;
}

/** An rpm of these tags. */
export function rpm(tags: RpmTags, signature: RpmTags = {}, payload = Buffer.alloc(0)): Buffer {
  const lead = Buffer.alloc(96);
  lead.write('edabeedb0300', 'hex');
  const first = rpmHeader(signature);
  return Buffer.concat([lead, first, Buffer.alloc((8 - (first.length % 8)) % 8), rpmHeader(tags), payload]);
}

/** Calls `use` with the bytes as an open file. */
export function withFile<Result>(bytes: Uint8Array, use: (file: OpenFile) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'packsign-file-'));
  try {
    const path = join(folder, 'file');
    writeFileSync(path, bytes);
    const fd = openSync(path, 'r');
    try {
      return use({ read: readerOf(fd), size: bytes.length });
    } finally {
      closeSync(fd);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createTarReader,
  MEMBER_COUNT_LIMIT,
  MEMBER_LIMIT_BYTES,
  READ_LIMIT_BYTES,
} from '../../src/archives/tar.js';
import type { TarStep } from '../../src/archives/tar.js';
import { hasTool } from '../tools.js';

interface Member {
  readonly path: string;
  readonly type?: string;
  readonly bytes?: Buffer;
  /** Written instead of the true one; a Buffer as it is. */
  readonly size?: number | Buffer;
  readonly prefix?: string;
}

function header({
  path,
  type = '0',
  bytes = Buffer.alloc(0),
  size = bytes.length,
  prefix = '',
}: Member): Buffer {
  const block = Buffer.alloc(512);
  block.write(path, 0, 100);
  if (typeof size === 'number') block.write(size.toString(8).padStart(11, '0'), 124);
  else size.copy(block, 124);
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(prefix, 345, 155);
  return sealed(block);
}

function sealed(block: Buffer): Buffer {
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function member(description: Member): Buffer {
  const bytes = description.bytes ?? Buffer.alloc(0);
  return Buffer.concat([header(description), bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

function pax(records: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    let length = rest + 1;
    while (String(length).length + rest !== length) length += 1;
    return `${length} ${key}=${value}\n`;
  });
  return member({ path: 'pax', type, bytes: Buffer.from(lines.join('')) });
}

const END = Buffer.alloc(1024);
const TEXT = Buffer.from('Name: demo\nVersion: 1\n');

interface Outcome {
  readonly step: TarStep;
  readonly found: readonly (readonly [string, string])[];
  readonly seen: readonly string[];
}

/** All that a reader finds under `wanted`, fed in pieces of `pieceBytes`. */
function readAll(archive: Buffer, wanted: RegExp, pieceBytes = archive.length): Outcome {
  const found: [string, string][] = [];
  const seen: string[] = [];
  const reader = createTarReader({
    wants: (path) => {
      seen.push(path);
      return wanted.test(path);
    },
    found: (path, bytes) => {
      found.push([path, Buffer.from(bytes).toString('utf8')]);
      return 'more';
    },
  });
  for (let at = 0; at < archive.length; at += pieceBytes) reader.push(archive.subarray(at, at + pieceBytes));
  return { step: reader.finish(), found, seen };
}

function python(format: string): Buffer {
  const script = `
import io, sys, tarfile
out = io.BytesIO()
with tarfile.open(fileobj=out, mode='w', format=tarfile.${format}) as tar:
    def add(name, data=b'', kind=tarfile.REGTYPE, link=''):
        info = tarfile.TarInfo(name)
        info.size, info.type, info.linkname, info.mtime = len(data), kind, link, 1700000000.25
        tar.addfile(info, io.BytesIO(data))
    add('demo-1', kind=tarfile.DIRTYPE)
    add('demo-1/' + 'long/' * 30 + 'file.txt', b'long one')
    add('demo-1/link', kind=tarfile.SYMTYPE, link='x' * ${format === 'USTAR_FORMAT' ? 90 : 150})
    add('demo-1/gr\\u00f6\\u00dfe', b'umlaut')
    add('demo-1/big', b'x' * 5000)
    add('demo-1/PKG-INFO', b'Name: demo')
sys.stdout.buffer.write(out.getvalue())`;
  return execFileSync('python3', ['-c', script]);
}

describe('a tar reader', () => {
  const withPython = it.runIf(hasTool('python3'));

  withPython.each(['USTAR_FORMAT', 'GNU_FORMAT', 'PAX_FORMAT'])(
    'reads what Python writes as %s, in pieces of any size',
    (format) => {
      const archive = python(format);
      const whole = readAll(archive, /./);
      expect(whole.step).toEqual({ kind: 'end' });
      expect(whole.found).toEqual([
        [`demo-1/${'long/'.repeat(30)}file.txt`, 'long one'],
        ['demo-1/größe', 'umlaut'],
        ['demo-1/big', 'x'.repeat(5000)],
        ['demo-1/PKG-INFO', 'Name: demo'],
      ]);
      for (const pieceBytes of [1, 7, 511, 512, 513, 4096])
        expect(readAll(archive, /./, pieceBytes)).toEqual(whole);
    },
  );

  it('needs whole members, but no end mark', () => {
    const archive = member({ path: 'a/PKG-INFO', bytes: TEXT });
    expect(readAll(archive, /./).step.kind).toBe('end');
    expect(readAll(archive.subarray(0, 520), /./)).toMatchObject({ step: { kind: 'damaged' }, found: [] });
    expect(readAll(archive.subarray(0, 100), /./).step.kind).toBe('damaged');
    expect(readAll(Buffer.alloc(0), /./).step.kind).toBe('damaged');
  });

  it('stops when its visitor says so, and stays stopped', () => {
    const archive = Buffer.concat([
      member({ path: 'a', bytes: TEXT }),
      member({ path: 'b', bytes: TEXT }),
      END,
    ]);
    let calls = 0;
    const reader = createTarReader({
      wants: () => true,
      found: () => {
        calls += 1;
        return 'stop';
      },
    });
    expect(reader.push(archive).kind).toBe('stopped');
    expect(reader.push(archive).kind).toBe('stopped');
    expect(reader.finish().kind).toBe('stopped');
    expect(calls).toBe(1);
  });

  it.each([
    ['a hard link', '1'],
    ['a symbolic link', '2'],
    ['a character device', '3'],
    ['a block device', '4'],
    ['a folder', '5'],
    ['a pipe', '6'],
  ])('T16: passes over %s, which has no contents', (_what, type) => {
    const archive = Buffer.concat([
      header({ path: 'a/PKG-INFO', type, size: 77 }),
      member({ path: 'b/PKG-INFO', bytes: TEXT }),
      END,
    ]);
    expect(readAll(archive, /./).found).toEqual([['b/PKG-INFO', TEXT.toString()]]);
  });

  it('T16: skips members of unknown and sparse types with their contents', () => {
    const sparse = Buffer.concat([
      header({ path: 'a/PKG-INFO', type: 'S', size: 512 }),
      Buffer.alloc(512),
      TEXT,
    ]);
    sparse[482] = 1;
    sealed(sparse.subarray(0, 512));
    const archive = Buffer.concat([
      member({ path: 'a/PKG-INFO', type: 'Q', bytes: TEXT }),
      sparse.subarray(0, 1024),
      Buffer.alloc(512, 'x'),
      pax({ 'GNU.sparse.major': '1' }),
      member({ path: 'a/PKG-INFO', bytes: TEXT }),
      member({ path: 'b/PKG-INFO', bytes: TEXT }),
      END,
    ]);
    expect(readAll(archive, /./)).toMatchObject({
      step: { kind: 'end' },
      found: [['b/PKG-INFO', TEXT.toString()]],
    });
  });

  it('joins a ustar prefix, and takes none from other formats', () => {
    const ustar = member({ path: 'PKG-INFO', prefix: 'top', bytes: TEXT });
    expect(readAll(ustar, /./).seen).toEqual(['top/PKG-INFO']);
    const gnu = Buffer.from(ustar);
    gnu.write('ustar  \0', 257, 'latin1');
    sealed(gnu.subarray(0, 512));
    expect(readAll(gnu, /./).seen).toEqual(['PKG-INFO']);
  });

  it('reads sizes in base 256', () => {
    const size = Buffer.alloc(12);
    size[0] = 0x80;
    size[11] = TEXT.length;
    expect(readAll(member({ path: 'a', bytes: TEXT, size }), /./).found).toEqual([['a', TEXT.toString()]]);
  });

  it('accepts a checksum over signed bytes, as old writers made it', () => {
    const block = header({ path: 'größe', bytes: TEXT });
    block.fill(' ', 148, 156);
    const sum = block.reduce((total, byte) => total + (byte > 127 ? byte - 256 : byte), 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    expect(readAll(Buffer.concat([block, TEXT, Buffer.alloc(490)]), /./).seen).toEqual(['größe']);
  });

  it.each([
    ['a negative size', Buffer.from('ffffffffffffffffffffff00', 'hex')],
    ['a size beyond 2^53', Buffer.from('80ffffffffffffffffffffff', 'hex')],
    ['a size that is no number', Buffer.from('0000000089 \0')],
  ])('T16: calls an archive with %s damaged', (_what, size) => {
    expect(readAll(member({ path: 'a/PKG-INFO', size }), /./)).toMatchObject({
      step: { kind: 'damaged' },
      found: [],
    });
  });

  it('reads a path that fills its field, and nothing beyond it', () => {
    const name = 'n'.repeat(100);
    const prefix = 'p'.repeat(155);
    const archive = Buffer.concat([
      member({ path: name, bytes: TEXT }),
      member({ path: name, prefix, bytes: TEXT }),
      member({ path: '', bytes: TEXT }),
      END,
    ]);
    expect(readAll(archive, /./).seen).toEqual([name, `${prefix}/${name}`, '']);
  });

  it('prefers values for one member to those for all, and a long name of GNU to both', () => {
    const archive = Buffer.concat([
      pax({ path: 'x/all', size: '3' }, 'g'),
      pax({ path: 'x/one' }),
      member({ path: 'one', bytes: Buffer.from('one') }),
      member({ path: '././@LongLink', type: 'K', bytes: Buffer.from('link\0') }),
      member({ path: '././@LongLink', type: 'L', bytes: Buffer.from('x/long\0more') }),
      member({ path: 'two', bytes: Buffer.from('two') }),
      member({ path: 'three', bytes: Buffer.from('333') }),
      END,
    ]);
    expect(readAll(archive, /./)).toMatchObject({
      step: { kind: 'end' },
      found: [
        ['x/one', 'one'],
        ['x/long', 'two'],
        ['x/all', '333'],
      ],
    });
  });

  it.each([
    ['digits after blanks', '   26 \0     ', 22],
    ['digits that fill the field', '000000000026', 22],
    ['no digit', '            ', 0],
    ['an empty field', '\0\0\0\0\0\0\0\0\0\0\0\0', 0],
  ])('reads a size of %s', (_what, digits, size) => {
    const archive = Buffer.concat([
      member({ path: 'a', bytes: TEXT, size: Buffer.from(digits, 'latin1') }).subarray(
        0,
        size > 0 ? 1024 : 512,
      ),
      END,
    ]);
    expect(readAll(archive, /./)).toMatchObject({
      step: { kind: 'end' },
      found: [['a', TEXT.toString().slice(0, size)]],
    });
  });

  // To look for a NUL through all that follows, for each of them, would take longer than a test may.
  it('T16: reads headers without a single NUL in time that grows with their number', () => {
    const block = Buffer.alloc(512, 'x');
    block.write('            ', 124, 'latin1');
    block.write('0', 156, 'latin1');
    block.fill(' ', 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(7, '0')} `, 148, 'latin1');
    const archive = Buffer.alloc(16 * 1024 * 1024, block);
    for (let time = 0; time < 40; time += 1) {
      const reader = createTarReader({ wants: () => false, found: () => 'stop' });
      expect(reader.push(archive).kind).toBe('more');
    }
  });

  it('T16: reports an archive with a wrong checksum as damaged', () => {
    const archive = member({ path: 'a/PKG-INFO', bytes: TEXT });
    archive[0] = 0x7a;
    expect(readAll(archive, /./)).toMatchObject({ step: { kind: 'damaged' }, found: [] });
  });

  it('takes path and size from PAX headers, for one member or for all', () => {
    const archive = Buffer.concat([
      pax({ path: 'x/one', size: String(TEXT.length) }),
      member({ path: 'other', bytes: TEXT, size: 0 }),
      pax({ path: 'x/all' }, 'g'),
      member({ path: 'two', bytes: TEXT }),
      pax({ path: 'x/three', comment: 'a=b\nc' }),
      member({ path: 'three', bytes: TEXT }),
      END,
    ]);
    expect(readAll(archive, /./)).toMatchObject({
      step: { kind: 'end' },
      seen: ['x/one', 'x/all', 'x/three'],
    });
  });

  it.each([
    '99 path=x\n',
    '5 path=x\n',
    '0 path=x\n',
    '-9 path=x\n',
    '9 path=x ',
    ' path=x\n',
    '9path=xy\n',
    '8 pathx\n',
    '99999999999 path=x\n',
    '12 size=-12\n',
    '13 size=0x10\n',
    '12 size=1e9\n',
    '28 size=99999999999999999999\n',
  ])('T16: calls an archive with the PAX record %j damaged', (record) => {
    const archive = Buffer.concat([
      member({ path: 'pax', type: 'x', bytes: Buffer.from(record) }),
      member({ path: 'a', bytes: TEXT }),
    ]);
    expect(readAll(archive, /./)).toMatchObject({ step: { kind: 'damaged' }, found: [] });
  });

  it('T16: a PAX size that lies cannot reach beyond the archive', () => {
    const archive = Buffer.concat([pax({ size: '4000000' }), member({ path: 'a', bytes: TEXT }), END]);
    expect(readAll(archive, /./)).toMatchObject({ step: { kind: 'damaged' }, found: [] });
  });

  it('T16: gives the first 1 MiB of a member of 200 MB', () => {
    const reader = createTarReader({
      wants: () => true,
      found: (_path, bytes) => {
        expect(bytes.length).toBe(MEMBER_LIMIT_BYTES);
        return 'stop';
      },
    });
    expect(reader.push(header({ path: 'a/PKG-INFO', size: 200_000_000 })).kind).toBe('more');
    const piece = Buffer.alloc(64 * 1024);
    let pushed = 0;
    while (reader.push(piece).kind === 'more') pushed += piece.length;
    expect(pushed).toBeLessThanOrEqual(MEMBER_LIMIT_BYTES);
  });

  it('T16: gives up on an extended header of more than 1 MiB', () => {
    expect(readAll(header({ path: 'x', type: 'L', size: MEMBER_LIMIT_BYTES + 1 }), /./).step.kind).toBe(
      'limit',
    );
  });

  it('T16: reads 64 MiB and no further', () => {
    const reader = createTarReader({ wants: (path) => path === 'b', found: () => 'stop' });
    reader.push(header({ path: 'a', size: READ_LIMIT_BYTES - 1024 }));
    const piece = Buffer.alloc(1024 * 1024 - 8);
    let step = reader.push(Buffer.alloc(0));
    let pushed = 512;
    while (step.kind === 'more' && pushed < 2 * READ_LIMIT_BYTES) {
      step = reader.push(piece);
      pushed += piece.length;
    }
    expect(step.kind).toBe('end');
    const other = createTarReader({ wants: () => true, found: () => 'stop' });
    const body = Buffer.alloc(READ_LIMIT_BYTES - 512);
    other.push(header({ path: 'x', type: 'Q', size: body.length }));
    expect(other.push(Buffer.concat([body, member({ path: 'b', bytes: TEXT })])).kind).toBe('limit');
  });

  it('T16: reads 100,000 members and no further', () => {
    const one = header({ path: 'a' });
    const reader = createTarReader({ wants: (path) => path === 'b', found: () => 'stop' });
    for (let count = 0; count < MEMBER_COUNT_LIMIT; count += 1) expect(reader.push(one).kind).toBe('more');
    expect(reader.push(header({ path: 'b' })).kind).toBe('limit');
  });

  withPython('T16: never throws and says the same in any pieces, whatever byte is changed', () => {
    const archive = python('PAX_FORMAT');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 2000 }),
        (changes, pieceBytes) => {
          const changed = Buffer.from(archive);
          for (const [at, byte] of changes) changed[at] = byte;
          expect(readAll(changed, /./, pieceBytes)).toEqual(readAll(changed, /./));
        },
      ),
      { numRuns: 300 },
    );
  });
});

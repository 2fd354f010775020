import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { lookAtHead } from '../../src/archives/look.js';
import { tarball } from '../packsign.js';
import { inspect } from './inspecting.js';

const PAGE = '<html><title>404 Not Found</title></html>';

describe('what stands in the place of a release file', () => {
  it.each([
    PAGE,
    `\ufeff${PAGE}`,
    '<!DOCTYPE html>\n<p>',
    '<!doctype HTML PUBLIC "-//W3C//DTD HTML 4.01//EN">',
    `\n\t <!-- a\nb --> <!-- c -->${PAGE}`,
    '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">',
    '<HTML lang="en"\n>',
    Buffer.from(`\ufeff${PAGE}`, 'utf16le'),
    Buffer.from(`\ufeff${PAGE}`, 'utf16le').swap16(),
    Buffer.from(PAGE, 'utf16le'),
    PAGE + 'x'.repeat(300_000),
  ])('a web page is damage under every name: %#', async (page) => {
    expect(await inspect('a-1.0.tar.gz', page)).toBe('damaged: is a web page, not a gzip file');
    expect(await inspect('d/a.deb', page)).toBe('damaged: is a web page, not an ar archive');
    for (const name of ['install.sh', 'a.dsc', 'a.img', 'a.exe', 'a.br', 'A.ZIP']) {
      expect(await inspect(name, page)).toMatch(/^damaged: is a web page/);
    }
  });

  it('an empty file and a pointer of git-lfs are damage under every name', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n';
    for (const name of ['a-1.0.tar.gz', 'install.sh', 'a.iso', 'a.bin']) {
      expect(await inspect(name, '')).toBe('damaged: is empty');
      expect(await inspect(name, pointer)).toBe(
        'damaged: is a git-lfs pointer: the file itself was not fetched',
      );
    }
  });

  it('plain text is damage where the kind is binary, and only there', async () => {
    for (const text of ['no such file\n', '{"error":"é"}', '<Error><Code>AccessDenied</Code></Error>']) {
      expect(await inspect('a.tar.xz', text)).toBe('damaged: is plain text, not an xz file');
      expect(await inspect('a.rpm', text)).toBe('damaged: is plain text, not an rpm package');
      expect(await inspect('a.dmg', text)).toBe('damaged: is plain text');
      for (const name of ['a.sh', 'a.run', 'a.hex', 'a.dsc', 'a.flatpakref', 'a.cmd', 'a.vmdk', 'a.pkg']) {
        expect(await inspect(name, text)).toBe('sound');
      }
    }
    expect(await inspect('a.cmd', '<!-- : begin\n@echo off\n--><html>')).toBe('sound');
  });

  it('other first bytes are damage where the kind has its own', async () => {
    const zeros = Buffer.alloc(20_000);
    expect(await inspect('a.tgz', zeros)).toBe('damaged: does not begin like a gzip file');
    expect(await inspect('a.exe', zeros)).toBe('damaged: does not begin like a Windows program');
    expect(await inspect('a.tar.bz2', Buffer.from('\x7fELF\0\0\0\0', 'latin1'))).toBe(
      'damaged: is an ELF program, not a bzip2 file',
    );
    for (const name of ['a.img', 'a.iso', 'a.dmg', 'a.bin', 'a.tar.Z']) {
      expect(await inspect(name, zeros)).toBe('sound');
    }
  });

  it('a tar archive without members is empty', async () => {
    expect(await inspect('a.tar', Buffer.alloc(10_240))).toBe('damaged: is empty inside');
    expect(await inspect('a.tar', Buffer.alloc(512))).toBe('damaged: does not begin like a tar archive');
  });

  it('compressions that packsign does not unpack are counted', async () => {
    const bytes = Buffer.from('5d00008000ffffffffffffffff00', 'hex');
    expect(await inspect('a.tar.lzma', bytes)).toBe('unseen: packsign does not unpack lzma');
    expect(await inspect('a.tlz', bytes)).toBe('unseen: packsign does not unpack lzma');
    expect(await inspect('a.tar.br', bytes)).toBe('unseen: packsign does not unpack brotli');
    expect(await inspect('a.tar.lz4', Buffer.from('02214c18', 'hex'))).toMatch(/^unseen/);
  });

  it('files that nobody publishes by their name are not looked through', async () => {
    for (const name of ['README', 'a.txt', 'a.gz.asc', '.a.gz']) {
      expect(await inspect(name, PAGE)).toBe('sound');
      expect(await inspect(name, '')).toBe('sound');
    }
    expect(await inspect('a.gz', PAGE, 'none')).toBe('sound');
    expect(await inspect('a.gz', PAGE, 'ends')).toMatch(/^damaged/);
  });
});

/** A tar archive of one member of noise, with or without its end mark. */
function tar(length: number, endBytes = 10_240): Buffer {
  const header = Buffer.alloc(512);
  header.write('a/b', 0);
  header.write(length.toString(8).padStart(11, '0'), 124);
  header.write('        0', 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  const room = Buffer.alloc(Math.ceil(length / 512) * 512);
  noise(length).copy(room);
  return Buffer.concat([header, room, Buffer.alloc(endBytes)]);
}

/** Bytes that do not compress, the same for the same length. */
function noise(length: number): Buffer {
  let state = 1;
  return Buffer.from(
    Uint8Array.from({ length }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state;
    }),
  );
}

describe.each([1000, 400_000])('gzip of %i bytes', (length) => {
  const whole = gzipSync(tar(length));

  it('is sound alone, in several members, and padded with zeros', async () => {
    const members = Buffer.concat([
      gzipSync(tar(length).subarray(0, 700)),
      gzipSync(tar(length).subarray(700)),
    ]);
    const padded = Buffer.concat([whole, Buffer.alloc(200_000)]);
    for (const bytes of [whole, members, padded, gzipSync(tar(length, 0))]) {
      expect(await inspect('a-1.0.tar.gz', bytes)).toBe('sound');
      expect(await inspect('a-1.0.tar.xz', bytes)).toBe('sound');
    }
  });

  it('that is cut anywhere is damaged', async () => {
    for (let turn = 1; turn <= 50; turn += 1) {
      const cut = whole.subarray(0, Math.floor((whole.length * turn) / 51));
      expect(await inspect('a.tar.gz', cut)).toMatch(/^damaged: ends early|^damaged: does not begin/);
    }
    expect(await inspect('a.tar.gz', whole.subarray(0, -1))).toMatch(/^damaged: ends early/);
    expect(await inspect('a.tar.gz', whole.subarray(0, 1))).toMatch(/^damaged/);
  });

  it('with a wrong byte, or with other bytes behind it, is damaged', async () => {
    for (let turn = 1; turn <= 50; turn += 1) {
      const spoilt = Buffer.from(whole);
      const at = 10 + Math.floor(((whole.length - 10) * turn) / 51);
      spoilt[at] = (spoilt[at] ?? 0) ^ (1 << (turn % 8));
      expect(await inspect('a.tar.gz', spoilt)).toMatch(/^damaged/);
    }
    for (const behind of ['x', `${'\0'.repeat(100_000)}x`, '\x1f\x8b\x08']) {
      const bytes = Buffer.concat([whole, Buffer.from(behind, 'latin1')]);
      expect(await inspect('a.tar.gz', bytes)).toMatch(/^damaged/);
    }
  });

  it('of no tar archive is damaged where its name says tar', async () => {
    expect(await inspect('a.tar.gz', gzipSync(''))).toBe('damaged: is empty inside');
    expect(await inspect('a.tgz', gzipSync(PAGE))).toBe('damaged: holds a web page, not a tar archive');
    expect(await inspect('a.crate', gzipSync('oops'))).toBe('damaged: holds plain text, not a tar archive');
    expect(await inspect('a.gz', gzipSync('oops'))).toBe('sound');
    const cut = gzipSync(tar(length).subarray(0, 1200));
    expect(await inspect('a.tar.gz', cut)).toMatch(/^damaged: ends early/);
  });
});

describe('tar', () => {
  const whole = tar(3000);

  it('is sound with an end mark, and damaged without it', async () => {
    expect(await inspect('a.tar', whole)).toBe('sound');
    expect(await inspect('a.tar', tar(3000, 1024))).toBe('sound');
    expect(await inspect('a.tar', Buffer.alloc(10_240))).toBe('damaged: is empty inside');
    for (const endBytes of [0, 512, 1000]) {
      expect(await inspect('a.tar', tar(3000, endBytes))).toMatch(/^damaged: ends early/);
    }
    expect(await inspect('a.tar', Buffer.concat([whole, whole]))).toBe('sound');
  });

  it('that is cut before its end mark is damaged', async () => {
    for (let turn = 1; turn <= 50; turn += 1) {
      const cut = whole.subarray(0, Math.floor(((whole.length - 10_240 + 1000) * turn) / 51));
      expect(await inspect('a.tar', cut)).toMatch(/^damaged/);
    }
  });
});

describe('one look at a small tarball', () => {
  const members = (name: string) => [
    { path: 'x-1.0/PKG-INFO', bytes: `Name: ${name}\nVersion: 1.0\n` },
    { path: 'x-1.0/data', bytes: noise(3000) },
  ];
  const look = (bytes: Buffer) =>
    lookAtHead('x-1.0.tar.gz', bytes, { whole: true, metadata: true, inspect: 'whole' });
  const name = (value: ReturnType<typeof look>) =>
    value?.reading.kind === 'found' ? value.reading.metadata.name : null;

  it('takes the first metadata, and reads on to the end', () => {
    const found = look(tarball([...members('first'), ...members('second')]));
    expect([name(found), found?.inspection]).toEqual(['first', { kind: 'sound', inspect: 'whole' }]);
  });

  it('finds the metadata before a place where the archive was cut before it was compressed', () => {
    const cut = look(gzipSync(gunzipSync(tarball(members('x'))).subarray(0, 3000)));
    expect([name(cut), cut?.inspection]).toEqual([
      'x',
      { kind: 'damaged', reason: 'ends early: the rest of the tar archive is missing' },
    ]);
  });

  it('finds no metadata behind a broken header', () => {
    const bytes = gunzipSync(tarball(members('x').reverse()));
    const at = bytes.indexOf('PKG-INFO');
    bytes.writeUInt8(0x21, at);
    expect(name(look(gzipSync(bytes)))).toBeNull();
  });
});

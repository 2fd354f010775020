import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestContext } from 'vitest';
import { needTools } from '../tools.js';
import type { Program } from '../tools.js';
import { inspect } from './inspecting.js';
import { ar, rpm, rpmHeader, tar, zip } from './packages.js';
import { program } from './samples.js';

const folder = mkdtempSync(join(tmpdir(), 'packsign-kinds-'));

beforeAll(() => {
  writeFileSync(join(folder, 'a'), program().subarray(0, 100_000));
  writeFileSync(join(folder, 'b'), 'b\n');
  mkdirSync(join(folder, 'deb/DEBIAN'), { recursive: true });
  writeFileSync(join(folder, 'deb/a'), program().subarray(0, 100_000));
  writeFileSync(
    join(folder, 'deb/DEBIAN/control'),
    'Package: tiny\nVersion: 1.0-1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: tiny\n',
  );
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function run(tool: string, ...args: readonly string[]): void {
  execFileSync(tool, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
}

function python(script: string): void {
  run('python3', '-c', `import io, struct, tarfile, zipfile\nz = zipfile.ZipFile\n${script}`);
}

const ZIP = "with z('x', 'w') as f: f.write('a'); f.write('b')\n";
/** Puts bytes between the members and the directory, as the signatures of Android packages are. */
const SIGN = `d = open('x', 'rb').read(); e = d.rindex(b'PK\\5\\6'); s, o = struct.unpack('<II', d[e + 12:e + 20])
open('x', 'wb').write(d[:o] + b'APK Sig Block 42' * 9 + d[o:e + 16] + struct.pack('<I', o + 144) + d[e + 20:])`;

/** Each makes the file \`x\` in the folder. */
const KINDS: readonly (readonly [string, readonly Program[], () => void])[] = [
  ['a.zip', ['zip'], () => run('sh', '-c', 'zip -q x.zip a b && mv x.zip x')],
  ['streamed.zip', ['zip'], () => run('sh', '-c', 'zip -q - a b | cat > x')],
  ['a-1.0-py3-none-any.whl', ['python3'], () => python(ZIP)],
  ['empty.zip', ['python3'], () => python("z('x', 'w').close()")],
  [
    'comment.zip',
    ['python3'],
    () => python(`${ZIP}f = z('x', 'a'); f.comment = b'PK\\5\\6' + b'c' * 300; f.close()`),
  ],
  [
    'zip64.zip',
    ['python3'],
    () =>
      python("f = z('x', 'w')\nwith f.open('m', 'w', force_zip64=True) as m: m.write(b'm' * 9)\nf.close()"),
  ],
  [
    'many.zip',
    ['python3'],
    () => python("f = z('x', 'w')\nfor i in range(66000): f.writestr(str(i), '')\nf.close()"),
  ],
  ['signed.apk', ['python3'], () => python(ZIP + SIGN)],
  [
    'script.jar',
    ['python3'],
    () => python(`${ZIP}d = open('x', 'rb').read(); open('x', 'wb').write(b'#!/bin/sh\\n' + d)`),
  ],
  [
    'app.pyz',
    ['python3'],
    () =>
      python(
        "open('x', 'wb').write(b'#!/usr/bin/python3\\n'); f = z('x', 'a'); f.writestr('__main__.py', ''); f.close()",
      ),
  ],
  [
    'a.crx',
    ['python3'],
    () =>
      python(
        `${ZIP}d = open('x', 'rb').read(); open('x', 'wb').write(b'Cr24\\3\\0\\0\\0\\4\\0\\0\\0abcd' + d)`,
      ),
  ],
  ['a.7z', ['7z'], () => run('7z', 'a', '-bd', '-y', '-t7z', 'x.7z', 'a', 'b')],
  ['gzip.deb', ['dpkg-deb'], () => run('dpkg-deb', '--root-owner-group', '-Zgzip', '-b', 'deb', 'x')],
  ['xz.deb', ['dpkg-deb'], () => run('dpkg-deb', '--root-owner-group', '-Zxz', '-b', 'deb', 'x')],
  ['zstd.deb', ['dpkg-deb'], () => run('dpkg-deb', '--root-owner-group', '-Zzstd', '-b', 'deb', 'x')],
  ['pax.tar', [], () => run('tar', '--format=pax', '-cf', 'x', 'a', 'b', 'deb')],
  [
    'sparse.tar',
    [],
    () => {
      run('truncate', '-s', '3M', 'holes');
      run('tar', '-S', '--format=gnu', '-cf', 'x', 'holes', 'a');
    },
  ],
  ['a.tar.lz', ['lzip'], () => run('sh', '-c', 'tar -cf - a b | lzip -b 100000 >x')],
  ['a.tar.lz4', ['lz4'], () => run('sh', '-c', 'tar -cf - a b | lz4 -q -B4 >x')],
  [
    'all.lz4',
    ['lz4'],
    () => run('sh', '-c', 'lz4 -qc -BX --content-size a >x; lz4 -qc --no-frame-crc a >>x'),
  ],
  ['a.tar.xz', ['xz'], () => run('tar', '-cJf', 'x', 'a', 'b')],
  ['a.tar.bz2', ['bzip2'], () => run('tar', '-cjf', 'x', 'a', 'b')],
  ['a.tar.zst', ['zstd'], () => run('tar', '--zstd', '-cf', 'x', 'a', 'b')],
];

function make(make: () => void, name: string): Buffer {
  const path = join(folder, name === 'a.7z' ? 'x.7z' : 'x');
  rmSync(path, { force: true });
  make();
  return readFileSync(path);
}

describe.each(KINDS)('%s', (name, tools, maker) => {
  it('is sound whole, and damaged when cut anywhere', async (context: TestContext) => {
    needTools(context, ...tools);
    const bytes = make(maker, name);
    expect(await inspect(name, bytes)).toBe('sound');
    expect(await inspect(name, bytes, 'ends')).toBe('sound');
    const least = Math.max(1, bytes.length - (name.endsWith('.tar') ? 10_240 : 1));
    for (let turn = 1; turn <= 50; turn += 1) {
      const at = Math.floor((least * turn) / 50);
      expect(await inspect(name, bytes.subarray(0, at)), `cut at ${at} of ${bytes.length}`).toMatch(
        /^damaged/,
      );
    }
  });
});

describe('what follows the end', () => {
  it.for(['a.7z', 'a.tar.lz', 'a.tar.lz4', 'gzip.deb'])('of %s is damage', async (name, context) => {
    const kind = KINDS.find(([other]) => other === name);
    needTools(context, ...(kind?.[1] ?? []));
    const bytes = make(kind?.[2] ?? (() => undefined), name);
    expect(await inspect(name, Buffer.concat([bytes, Buffer.from('<html>')]))).toMatch(/^damaged/);
  });
});

describe('a wrong byte', () => {
  it.for(['gzip.deb', 'xz.deb', 'zstd.deb', 'a.tar.xz', 'a.tar.bz2', 'a.tar.zst'])(
    'inside %s is damage, unless only the ends are looked at',
    async (name, context) => {
      const kind = KINDS.find(([other]) => other === name);
      needTools(context, ...(kind?.[1] ?? []));
      const bytes = make(kind?.[2] ?? (() => undefined), name);
      for (let turn = 10; turn < 50; turn += 1) {
        const at = Math.floor((bytes.length * turn) / 51);
        const spoilt = Buffer.from(bytes);
        spoilt[at] = (spoilt[at] ?? 0) ^ 0x55;
        // dpkg gives its zstd streams no checksum.
        if (name === 'zstd.deb') expect(await inspect(name, spoilt)).toMatch(/^(?:damaged|sound)/);
        else expect(await inspect(name, spoilt), `byte ${at}`).toMatch(/^damaged/);
      }
      const spoilt = Buffer.from(bytes);
      spoilt[5000] = (spoilt[5000] ?? 0) ^ 0x55;
      expect(await inspect(name, spoilt, 'ends')).toBe('sound');
    },
  );
});

describe('an rpm whose header is damaged', () => {
  const header = { 1000: 'tiny', 1001: '1.0', 1002: '2', 5092: hash('sha256', 'payload'), 5093: 8 };
  const { 5092: _, ...old } = header;

  function hash(algorithm: string, ...pieces: readonly (string | Buffer)[]): string {
    return pieces.reduce((state, piece) => state.update(piece), createHash(algorithm)).digest('hex');
  }

  it.each([
    ['SHA-256', header, { 273: hash('sha256', rpmHeader(header)) }],
    ['SHA-1', header, { 269: hash('sha1', rpmHeader(header)) }],
    ['MD5', old, { 1004: Buffer.from(hash('md5', rpmHeader(old), 'payload'), 'hex') }],
  ])('does not match its %s', async (name, tags, digests) => {
    const bytes = rpm(tags, digests, Buffer.from('payload'));
    expect(await inspect('a.rpm', bytes)).toBe('sound');
    const spoilt = Buffer.from(bytes);
    spoilt.write('tony', spoilt.indexOf('tiny'));
    expect(await inspect('a.rpm', spoilt)).toMatch(/^damaged: its .* not match/);
    if (name !== 'MD5') expect(await inspect('a.rpm', spoilt, 'ends')).toMatch(/^damaged: its header/);
    const longer = Buffer.concat([bytes, Buffer.from('x')]);
    expect(await inspect('a.rpm', longer)).toMatch(/^damaged/);
  });
});

describe('a Debian package', () => {
  const inner = tar({ path: 'control', text: 'Package: a' });
  const deb = (mark: string, control: Buffer, data = inner) =>
    ar(
      { name: mark, contents: '2.0\n' },
      { name: 'control.tar', contents: control },
      { name: 'data.tar', contents: data },
    );

  it('is one by its name too', async () => {
    for (const name of ['a.deb', 'a.udeb', 'a.ddeb']) {
      expect(await inspect(name, deb('debian-binary', inner))).toBe('sound');
      expect(await inspect(name, deb('debian-bynary', inner))).toBe(
        'damaged: its first member is not debian-binary',
      );
      expect(await inspect(name, ar({ name: 'data.tar', contents: inner }))).toMatch(
        /control\.tar is missing/,
      );
    }
    expect(await inspect('a.ipk', ar({ name: 'data.tar', contents: inner }))).toBe('sound');
  });

  it('with a plain archive that ends early is damaged', async () => {
    const long = tar({ path: 'control', text: 'x'.repeat(5000) });
    for (const spoilt of [
      deb('debian-binary', long.subarray(0, 3000)),
      deb('debian-binary', inner, long.subarray(0, 700)),
    ]) {
      expect(await inspect('a.deb', spoilt)).toMatch(/^damaged: (?:control|data)\.tar in it: ends early/);
      expect(await inspect('a.deb', spoilt, 'ends')).toBe('sound');
    }
    expect(await inspect('a.deb', deb('debian-binary', inner.subarray(0, -1024)))).toBe('sound');
  });
});

describe('the end of an xz file', () => {
  it('is checked where nothing is unpacked', async (context) => {
    needTools(context, 'xz');
    const bytes = make(() => {
      run('sh', '-c', 'tar -cJf x a b');
    }, 'a.tar.xz');
    const padded = Buffer.concat([bytes, Buffer.alloc(70_000)]);
    for (const whole of [bytes, padded]) expect(await inspect('a.tar.xz', whole, 'ends')).toBe('sound');
    const unaligned = Buffer.concat([bytes, Buffer.alloc(2)]);
    for (const cut of [bytes.subarray(0, bytes.length / 2), bytes.subarray(0, -1), unaligned])
      expect(await inspect('a.tar.xz', cut, 'ends')).toBe(
        'damaged: ends early: the rest of the xz data is missing',
      );
    for (const back of [5, 10, 13, 18]) {
      const spoilt = Buffer.from(bytes);
      spoilt[bytes.length - back] = (spoilt.at(-back) ?? 0) ^ 1;
      expect(await inspect('a.tar.xz', spoilt, 'ends'), `${back} from the end`).toMatch(/^damaged: the /);
    }
  });
});

describe('behind the end of a zip', () => {
  const whole = zip({ path: 'a', text: 'a' }, { path: 'b', text: 'b' });

  it('other data may follow, up to 64 KiB', async () => {
    for (const behind of ['\n', '<html>', 'x'.repeat(65_535)])
      expect(await inspect('a.zip', Buffer.concat([whole, Buffer.from(behind)]))).toBe('sound');
    const far = Buffer.concat([whole, Buffer.alloc(65_536)]);
    expect(await inspect('a.zip', far)).toMatch(/^damaged: ends early/);
    for (let cut = 1; cut < whole.length; cut += 1) {
      const bytes = Buffer.concat([whole.subarray(0, cut), Buffer.from('\n')]);
      expect(await inspect('a.zip', bytes), `cut at ${cut}`).toMatch(/^damaged/);
    }
  });

  it('a zip that is stored in one that ends early does not count', async () => {
    for (const stored of [whole, zip()]) {
      const outer = zip({ path: 'inner.zip', stored }, { path: 'c', text: 'c' });
      const cut = outer.subarray(0, outer.indexOf(stored) + stored.length + 5);
      expect(await inspect('a.zip', outer)).toBe('sound');
      expect(await inspect('a.zip', cut)).toMatch(/^damaged: ends early/);
    }
  });
});

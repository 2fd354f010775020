import { execFileSync } from 'node:child_process';
import fs, {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { TestContext } from 'vitest';
import { readerOf } from '../../src/disk/files.js';
import { readMetadata, readMetadataFromHead } from '../../src/archives/member.js';
import type { MetadataReading } from '../../src/model/metadata.js';
import { hasTool, needTools } from '../tools.js';
import { tar, zip } from './packages.js';

const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'packsign-member-'));
let files = 0;
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Tried {
  readonly reading: MetadataReading;
  readonly readBytes: number;
}

/** Reads bytes as a file of that name would be read, counting what is read of it. */
async function tryFile(name: string, bytes: Buffer | string): Promise<Tried> {
  const path = typeof bytes === 'string' ? bytes : join(folder, String((files += 1)));
  if (typeof bytes !== 'string') writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  const { readSync } = fs;
  let readBytes = 0;
  fs.readSync = ((...args: Parameters<typeof readSync>) => {
    const count = readSync(...args);
    if (args[0] === fd) readBytes += count;
    return count;
  }) as typeof readSync;
  syncBuiltinESMExports();
  try {
    const { size } = fstatSync(fd);
    const reading = await readMetadata(name, { read: readerOf(fd), size });
    expect(fstatSync(fd).size, 'the file is still open').toBe(size);
    return { reading, readBytes };
  } finally {
    fs.readSync = readSync;
    syncBuiltinESMExports();
    closeSync(fd);
  }
}

/** What both roads say; where the synchronous one says anything, it says the same. */
async function read(name: string, bytes: Buffer): Promise<string> {
  const { reading } = await tryFile(name, bytes);
  for (const length of [bytes.length, 16384, 4096, 600, 100]) {
    if (length > bytes.length) continue;
    const early = readMetadataFromHead(name, bytes.subarray(0, length), length === bytes.length);
    if (early !== null) expect(early, `the first ${length} bytes`).toEqual(reading);
  }
  return brief(reading);
}

function brief(reading: MetadataReading): string {
  if (reading.kind === 'absent') return 'absent';
  return `${reading.metadata.kind} ${reading.metadata.name} ${reading.metadata.version}`;
}

const PKG_INFO = 'Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nSummary: s\n';
const PACKAGE_JSON = '{"name":"@scope/demo","version":"1.0.0"}';
const SDIST = tar(
  { path: 'demo-1.0/', type: '5' },
  { path: 'demo-1.0/README', text: 'x'.repeat(3000) },
  { path: 'demo-1.0/PKG-INFO', text: PKG_INFO },
  { path: 'demo-1.0/setup.py', text: 'pass\n' },
);

const COMPRESSORS = ['gzip', 'bzip2', 'xz'] as const;

function compressed(tool: (typeof COMPRESSORS)[number] | 'zstd', bytes: Buffer): Buffer {
  return execFileSync(tool, ['-c'], { input: bytes, maxBuffer: 1 << 30 });
}

/** The sdist as a tool packs it, for a test that is skipped without that tool. */
function compressedBy(tool: (typeof COMPRESSORS)[number]): (context: TestContext) => Buffer {
  return (context) => {
    needTools(context, tool);
    return compressed(tool, SDIST);
  };
}

/** A zstd frame of uncompressed blocks, for where there is no tool. */
function zstd(bytes: Buffer, windowDescriptor = 0x48): Buffer {
  const blocks: Buffer[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, windowDescriptor])];
  for (let at = 0; at < bytes.length; at += 65536) {
    const piece = bytes.subarray(at, at + 65536);
    const head = Buffer.alloc(3);
    head.writeUIntLE((piece.length << 3) | (at + piece.length === bytes.length ? 1 : 0), 0, 3);
    blocks.push(head, piece);
  }
  return Buffer.concat(blocks);
}

describe('metadata of an sdist', () => {
  it.for(COMPRESSORS)('is read through %s, whatever the file is called', async (tool, context) => {
    needTools(context, tool);
    for (const name of ['demo-1.0.tar.gz', 'demo-1.0.tar.xz', 'odd']) {
      expect(await read(name, compressed(tool, SDIST))).toBe('sdist demo 1.0');
    }
  });

  it('is read uncompressed, through zstd, and through gzip in two parts', async () => {
    expect(await read('demo-1.0.tar', SDIST)).toBe('sdist demo 1.0');
    expect(await read('demo-1.0.tar.zst', zstd(SDIST))).toBe('sdist demo 1.0');
    const skippable = Buffer.concat([
      Buffer.from('502a4d180300000061616128b52ffd2000010000', 'hex'),
      zstd(SDIST),
    ]);
    expect(await read('demo-1.0.tar.zst', skippable)).toBe('sdist demo 1.0');
    const parts = Buffer.concat([gzipSync(SDIST.subarray(0, 700)), gzipSync(SDIST.subarray(700))]);
    expect(await read('demo-1.0.tar.gz', parts)).toBe('sdist demo 1.0');
  });

  it.runIf(hasTool('zstd'))('is read through what the zstd tool writes', async () => {
    const long = tar(
      { path: 'demo-1.0/a', text: 'abc'.repeat(200_000) },
      { path: 'demo-1.0/PKG-INFO', text: PKG_INFO },
    );
    for (const bytes of [SDIST, long])
      expect(await read('d.tar.zst', compressed('zstd', bytes))).toBe('sdist demo 1.0');
  });

  it.each(['ustar', 'gnu', 'pax', 'v7'])(
    'is read as the tar tool writes it in the format %s',
    async (format) => {
      const top = mkdtempSync(join(folder, 'tree-'));
      fs.mkdirSync(join(top, 'demo-1.0'));
      writeFileSync(join(top, 'demo-1.0/a'.padEnd(90, 'a')), 'x');
      writeFileSync(join(top, 'demo-1.0/PKG-INFO'), PKG_INFO);
      const bytes = execFileSync('tar', ['-c', `--format=${format}`, '-z', '-C', top, './demo-1.0']);
      expect(await read('demo-1.0.tar.gz', bytes)).toBe('sdist demo 1.0');
    },
  );

  it('is read at the first bytes of an archive, and no further', async () => {
    const noise = Buffer.from(
      fc.sample(fc.uint8Array({ minLength: 4096, maxLength: 4096 }), { numRuns: 1, seed: 1 })[0]!,
    );
    const big = Buffer.concat([
      SDIST.subarray(0, -1024),
      ...Array.from({ length: 8000 }, () => noise.map((byte, at) => byte ^ at)),
    ]);
    for (const bytes of [big, gzipSync(big, { level: 1 })]) {
      const { reading, readBytes } = await tryFile('demo-1.0.tar.gz', bytes);
      expect(brief(reading)).toBe('sdist demo 1.0');
      expect(readBytes).toBeLessThan(MIB / 2);
      expect(brief(readMetadataFromHead('demo-1.0.tar.gz', bytes.subarray(0, 65536), false)!)).toBe(
        'sdist demo 1.0',
      );
    }
  });

  it('is exactly one folder deep', async () => {
    for (const path of [
      'PKG-INFO',
      './PKG-INFO',
      '../PKG-INFO',
      '/PKG-INFO',
      'a/b/PKG-INFO',
      'a/PKG-INFO.txt',
      'a/xPKG-INFO',
    ]) {
      expect(await read('demo-1.0.tar.gz', gzipSync(tar({ path, text: PKG_INFO })))).toBe('absent');
    }
    expect(await read('demo-1.0.tar.gz', gzipSync(tar({ path: './x/PKG-INFO', text: PKG_INFO })))).toBe(
      'sdist demo 1.0',
    );
  });

  it('T16: is not read from links and devices', async () => {
    for (const type of ['1', '2', '3', '4', '5', '6']) {
      expect(await read('d-1.tar', tar({ path: 'a/PKG-INFO', type }))).toBe('absent');
    }
  });

  it('counts as absent without a name and a version', async () => {
    const members = [
      { path: 'a/PKG-INFO', text: 'Name: a\n' },
      { path: 'b/PKG-INFO', text: PKG_INFO },
      { path: 'c/PKG-INFO', text: 'Name: c\nVersion: 3\n' },
    ];
    expect(await read('d-1.tar.gz', gzipSync(tar(...members)))).toBe('sdist demo 1.0');
    expect(await read('d-1.tar.gz', gzipSync(tar(members[0]!)))).toBe('absent');
  });
});

describe('metadata of an npm package', () => {
  const packageJson = { path: 'package/package.json', text: PACKAGE_JSON };
  const pkgInfo = { path: 'demo-1.0/PKG-INFO', text: PKG_INFO };

  it('decides at once if the file name agrees', async () => {
    const bytes = gzipSync(tar(packageJson, pkgInfo));
    for (const name of ['scope-demo-1.0.0.tgz', 'demo-1.0.0.TGZ', 'sub/folder/demo-1.0.0.tgz']) {
      expect(await read(name, bytes)).toBe('npm @scope/demo 1.0.0');
    }
  });

  it('yields to a PKG-INFO that follows, if the file name does not agree', async () => {
    const bytes = gzipSync(tar(packageJson, pkgInfo));
    for (const name of ['other-1.0.0.tgz', 'demo-1.0.0.tar.gz', 'demo-2.tgz', 'demo.tgz']) {
      expect(await read(name, bytes)).toBe('sdist demo 1.0');
    }
  });

  it('is the answer at the end of the archive, the first of them', async () => {
    const other = { path: 'z/package.json', text: '{"name":"z","version":"9"}' };
    for (const bytes of [tar(packageJson, other), tar(packageJson, other).subarray(0, -1024)]) {
      expect(await read('x.tar.gz', gzipSync(bytes))).toBe('npm @scope/demo 1.0.0');
      expect(await read('x.tar', bytes)).toBe('npm @scope/demo 1.0.0');
    }
    const broken = { path: 'package/package.json', text: '{' };
    expect(await read('x.tar.gz', gzipSync(tar(broken, packageJson)))).toBe('npm @scope/demo 1.0.0');
  });

  it('is that of a folder called package, and of no other: sources of other programs have one too', async () => {
    for (const path of [
      'lantern-1.2.0/package.json',
      'package.json',
      'a/package/package.json',
      'packages/package.json',
    ]) {
      const bytes = tar({ path, text: PACKAGE_JSON });
      for (const name of ['lantern-1.2.0.tar.gz', 'lantern-1.2.0.tgz', 'demo-1.0.0.tgz']) {
        expect(await read(name, gzipSync(bytes))).toBe('absent');
      }
      expect(await read('lantern-1.2.0.zip', zip({ path, text: PACKAGE_JSON }))).toBe('absent');
    }
    const text = '{"name":"demo","version":"1.0.0","private":true}';
    expect(await read('demo-1.0.0.tgz', gzipSync(tar({ path: 'package/package.json', text })))).toBe(
      'absent',
    );
    expect(
      await read('demo-1.0.0.tgz', gzipSync(tar({ path: './package/package.json', text: PACKAGE_JSON }))),
    ).toBe('npm @scope/demo 1.0.0');
  });

  it('T16: treats `__proto__` like any other key', async () => {
    const text = '{"__proto__":{"name":"x","version":"1","polluted":true}}';
    expect(await read('x-1.tgz', gzipSync(tar({ path: 'package/package.json', text })))).toBe('absent');
    expect('polluted' in {}).toBe(false);
  });
});

describe('metadata of a zip', () => {
  it('is read according to the extension', async () => {
    const all = zip(
      { path: 'demo-1.0.dist-info/METADATA', text: PKG_INFO },
      { path: 'EGG-INFO/PKG-INFO', text: PKG_INFO.replace('demo', 'egg') },
      { path: 'package/package.json', text: PACKAGE_JSON },
    );
    expect(await read('demo-1.0-py3-none-any.whl', all)).toBe('wheel demo 1.0');
    expect(await read('demo-1.0-py3.EGG', all)).toBe('egg egg 1.0');
    expect(await read('demo-1.0.zip', all)).toBe('sdist egg 1.0');
    expect(await read('demo-1.0.zip', zip({ path: 'package/package.json', text: PACKAGE_JSON }))).toBe(
      'npm @scope/demo 1.0.0',
    );
    expect(await read('demo-1.0.zip', zip({ path: 'a/b/PKG-INFO', text: PKG_INFO }))).toBe('absent');
  });

  const withPython = it.runIf(hasTool('python3'));

  withPython('is read from what Python writes, stored and deflated', async () => {
    for (const method of ['ZIP_STORED', 'ZIP_DEFLATED']) {
      const script = `
import io, sys, zipfile
out = io.BytesIO()
with zipfile.ZipFile(out, 'w', zipfile.${method}) as z:
    z.writestr('demo/__init__.py', 'x = 1\\n' * 1000)
    z.writestr('demo-1.0.dist-info/METADATA', ${JSON.stringify(PKG_INFO)})
sys.stdout.buffer.write(out.getvalue())`;
      expect(await read('demo-1.0-py3-none-any.whl', execFileSync('python3', ['-c', script]))).toBe(
        'wheel demo 1.0',
      );
    }
  });

  it('T16: is absent if two members claim to be it', async () => {
    const one = { path: 'a-1.dist-info/METADATA', text: PKG_INFO };
    expect(await read('a-1-py3-none-any.whl', zip(one, one))).toBe('absent');
    expect(await read('a-1-py3-none-any.whl', zip(one, { ...one, path: 'b-1.dist-info/METADATA' }))).toBe(
      'absent',
    );
  });

  it('T16: is not read from a symbolic link', async () => {
    expect(await read('a-1.zip', zip({ path: 'a/PKG-INFO', text: PKG_INFO, mode: 0o120777 }))).toBe('absent');
  });

  it('T16: a member that unpacks to 200 MB is read as far as 1 MiB, whatever size it claims', async () => {
    const bytes = deflateRawSync(Buffer.concat([Buffer.from(`${PKG_INFO}\n`), Buffer.alloc(200_000_000)]), {
      level: 9,
    });
    const bomb = zip({ path: 'a/PKG-INFO', bytes, claimedSize: 10 });
    const { reading, readBytes } = await tryFile('a-1.zip', bomb);
    expect(brief(reading)).toBe('sdist demo 1.0');
    expect(readBytes).toBeLessThan(MIB / 2);
  });

  withPython('T16: looks at no zip of more than 100,000 members', async () => {
    const script = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as z:
    for i in range(100001): z.writestr(f'm{i}' if i else 'a/PKG-INFO', sys.argv[2] if i == 0 else '')`;
    const path = join(folder, 'many.zip');
    execFileSync('python3', ['-c', script, path, PKG_INFO]);
    const { reading, readBytes } = await tryFile('a-1.zip', path);
    expect(brief(reading)).toBe('absent');
    expect(readBytes).toBeLessThan(MIB);
  });
});

describe('hostile and damaged archives', () => {
  it('of other kinds are absent', async () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('x'),
      Buffer.alloc(5000),
      Buffer.alloc(5000, 'x'),
      Buffer.from('{}'),
    ]) {
      expect(await read('demo-1.0.tar.gz', bytes)).toBe('absent');
    }
    const { reading } = await tryFile('demo-1.0.tar.Z', Buffer.from('1f9d90', 'hex'));
    expect(reading).toEqual({ kind: 'absent', reason: 'packsign does not read compress(1)' });
    expect(await read('demo-1.0.tar.gz', gzipSync('no tar'))).toBe('absent');
  });

  it.for<readonly [string, (context: TestContext) => Buffer]>([
    ['tar', () => SDIST],
    ...COMPRESSORS.map((tool) => [tool, compressedBy(tool)] as const),
    ['zstd', () => zstd(SDIST)],
    ['zip', () => zip({ path: 'a/PKG-INFO', text: PKG_INFO }, { path: 'b', text: 'x'.repeat(500) })],
  ])(
    'T16: cut short or changed anywhere, a %s file is read or absent, never thrown at',
    async ([, make], context) => {
      const bytes = make(context);
      const cuts = fc.sample(fc.nat(bytes.length - 1), { numRuns: 25, seed: 3 });
      for (const cut of cuts) await read('demo-1.0.tar.gz', bytes.subarray(0, cut));
      await fc.assert(
        fc.asyncProperty(fc.nat(Math.min(bytes.length, 700) - 1), fc.nat(255), async (at, byte) => {
          const changed = Buffer.from(bytes);
          changed[at] = byte;
          await read('demo-1.0.tar.gz', changed);
        }),
        { numRuns: 60 },
      );
    },
  );

  it.for(COMPRESSORS)('reads good archives by %s while bad ones fail beside them', async (tool, context) => {
    needTools(context, tool);
    const good = compressed(tool, SDIST);
    const bad = Buffer.from(good.subarray(0, good.length >> 1));
    const readings = [bad, good, bad, good, bad, good].map(async (bytes) => {
      const path = join(folder, String((files += 1)));
      writeFileSync(path, bytes);
      const fd = openSync(path, 'r');
      const reading = await readMetadata('d-1.tar', { read: readerOf(fd), size: bytes.length });
      closeSync(fd);
      return brief(reading);
    });
    const [, first, , second, , third] = await Promise.all(readings);
    expect([first, second, third]).toEqual(['sdist demo 1.0', 'sdist demo 1.0', 'sdist demo 1.0']);
  });

  it.for(COMPRESSORS)(
    'padding after contents compressed by %s does no harm, and junk no more than hide them',
    async (tool, context) => {
      needTools(context, tool);
      const bytes = compressed(tool, SDIST);
      const padded = Buffer.concat([bytes, Buffer.alloc(512)]);
      expect(await read('demo-1.0.tar.gz', padded)).toBe('sdist demo 1.0');
      await read('demo-1.0.tar.gz', Buffer.concat([bytes, Buffer.from('junk'.repeat(50))]));
    },
  );

  it('T16: reads only 64 MiB of a bomb of 2 GB', async () => {
    const header = tar({ path: 'a/bomb' }).subarray(0, 512);
    header.write('17777777777', 124);
    header.fill(' ', 148, 156);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
      'latin1',
    );
    const part = gzipSync(Buffer.alloc(100 * MIB), { level: 9 });
    const bomb = Buffer.concat([gzipSync(header), ...Array.from({ length: 20 }, () => part)]);
    const { reading, readBytes } = await tryFile('demo-1.0.tar.gz', bomb);
    expect(reading).toEqual({ kind: 'absent', reason: 'no metadata within the first 64 MiB' });
    expect(readBytes).toBeLessThan(part.length * 2);
    expect(readMetadataFromHead('demo-1.0.tar.gz', bomb, true)).toBeNull();
  });

  it('T16: a PKG-INFO of 200 MB is read as far as 1 MiB', async () => {
    const bytes = gzipSync(tar({ path: 'a/PKG-INFO', text: `${PKG_INFO}\n${' '.repeat(200_000_000)}` }));
    const { reading, readBytes } = await tryFile('demo-1.0.tar.gz', bytes);
    expect(brief(reading)).toBe('sdist demo 1.0');
    expect(readBytes).toBeLessThan(MIB / 4);
  });

  it('T16: reads at most 64 MiB of a plain tar', async () => {
    const header = tar({ path: 'a/big' }).subarray(0, 512);
    header.write('17777777777', 124);
    header.fill(' ', 148, 156);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
      'latin1',
    );
    const path = join(folder, 'sparse.tar');
    writeFileSync(path, header);
    truncateSync(path, 1024 * MIB);
    const { reading, readBytes } = await tryFile('demo-1.0.tar', path);
    expect(brief(reading)).toBe('absent');
    expect(readBytes).toBeLessThanOrEqual(64 * MIB + 1024);
  });

  it('T16: reads at most 100,000 members', async () => {
    const one = tar({ path: 'a/x' }).subarray(0, 512);
    const many = Buffer.alloc(512 * 100_000, one);
    const bytes = gzipSync(Buffer.concat([many, tar({ path: 'a/PKG-INFO', text: PKG_INFO })]));
    expect(await read('demo-1.0.tar.gz', bytes)).toBe('absent');
  });

  it('T16: a zstd frame with an enormous window, or many tiny blocks for a large one, is not unpacked', async () => {
    const tiny = Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3]),
      ...Array.from({ length: 50_000 }, () => Buffer.from([8, 0, 0, 0x61])),
    ]);
    expect(await read('demo-1.0.tar.zst', zstd(SDIST, 0xa7))).toBe('absent');
    expect(await read('demo-1.0.tar.zst', tiny)).toBe('absent');
  });

  it('T16: shows metadata without control characters', async () => {
    const text = PKG_INFO.replace('Summary: s', 'Summary: a\u001b]0;x\u0007\u202eb');
    const { reading } = await tryFile('demo-1.0.tar.gz', gzipSync(tar({ path: 'a/PKG-INFO', text })));
    expect(reading).toMatchObject({ metadata: { summary: 'a ]0;x b' } });
  });

  it('a file that cannot be read rejects', async () => {
    const fd = openSync(folder, 'r');
    await expect(readMetadata('demo-1.0.tar.gz', { read: readerOf(fd), size: 100 })).rejects.toMatchObject({
      syscall: 'read',
    });
    closeSync(fd);
  });

  it('leaves no file open', async () => {
    const before = fs.readdirSync('/proc/self/fd').length;
    const path = join(folder, 'leak');
    writeFileSync(
      path,
      gzipSync(
        Buffer.concat([SDIST.subarray(0, -1024), readFileSync(process.execPath).subarray(0, 4 * MIB)]),
      ),
    );
    for (let round = 0; round < 200; round += 1) await tryFile('demo-1.0.tar.gz', path);
    expect(fs.readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before + 2);
    expect(process.getActiveResourcesInfo().filter((kind) => kind === 'ZLIB')).toHaveLength(0);
  });
});

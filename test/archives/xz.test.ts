import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { unxz } from '../../src/archives/xz.js';
import { hasTool } from '../tools.js';
import { program } from './samples.js';

const packed = (options: readonly string[], input: Buffer) =>
  execFileSync('xz', ['-c', ...options], { input, maxBuffer: 1 << 28 });

interface Tried {
  readonly bytes: Buffer;
  readonly fault: string | null;
}

function unpack(bytes: Buffer, chunkBytes = 65_536): Tried {
  const pieces: Buffer[] = [];
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, at) =>
    bytes.subarray(at * chunkBytes, (at + 1) * chunkBytes),
  );
  try {
    for (const piece of unxz(chunks)) pieces.push(piece);
    return { bytes: Buffer.concat(pieces), fault: null };
  } catch (error) {
    if (!(error instanceof Error) || typeof error.cause !== 'string') throw error;
    return { bytes: Buffer.concat(pieces), fault: `${error.cause}: ${error.message}` };
  }
}

const OPTIONS: readonly (readonly string[])[] = [
  ['--check=none'],
  ['--check=crc32'],
  ['--check=crc64'],
  ['--check=sha256'],
  ['--x86', '--lzma2'],
  ['--x86=start=4096', '--lzma2'],
  ['--powerpc', '--lzma2'],
  ['--ia64', '--lzma2'],
  ['--arm', '--lzma2'],
  ['--armthumb', '--lzma2'],
  ['--arm64', '--lzma2=lc=2,lp=2'],
  ['--sparc', '--lzma2'],
  ['--delta=dist=1', '--lzma2'],
  ['--delta=dist=256', '--lzma2'],
  ['--x86', '--delta=dist=4', '--lzma2'],
  ['--lzma2=pb=0,lc=0,lp=4'],
  ['--lzma2=dict=4KiB,mode=fast,nice=8'],
  ['-0'],
  ['-9e'],
  ['-T2', '--block-size=50KiB'],
];

describe.runIf(hasTool('xz'))('xz', () => {
  const original = program();

  it.each(OPTIONS.map((options) => [options]))('unpacks what xz packs with %j', (options) => {
    const bytes = packed(options, original);
    for (const chunkBytes of [65_536, 977]) {
      const tried = unpack(bytes, chunkBytes);
      expect(tried.fault).toBeNull();
      expect(tried.bytes.equals(original)).toBe(true);
    }
  });

  it('unpacks nothing, and what does not compress', () => {
    expect(unpack(packed([], Buffer.alloc(0)))).toEqual({ bytes: Buffer.alloc(0), fault: null });
    const noise = Buffer.concat(
      Array.from({ length: 3000 }, (_, at) => createHash('sha512').update(String(at)).digest()),
    );
    expect(unpack(packed([], noise)).bytes.equals(noise)).toBe(true);
  });

  it('unpacks several streams with padding between and behind them', () => {
    const [a, b] = [packed(['--check=sha256'], original), packed(['--x86', '--lzma2'], original)];
    const both = Buffer.concat([original, original]);
    for (const padded of [
      [a, b],
      [a, Buffer.alloc(4), b, Buffer.alloc(400)],
    ]) {
      const tried = unpack(Buffer.concat(padded));
      expect(tried.fault).toBeNull();
      expect(tried.bytes.equals(both)).toBe(true);
    }
    for (const behind of [Buffer.alloc(3), Buffer.from('text'), Buffer.from('\0\0\0\0x')]) {
      expect(unpack(Buffer.concat([a, behind])).fault).toMatch(/^damaged/);
    }
  });

  it('refuses every cut and every wrong byte, and never gives wrong ones without saying so', () => {
    for (const options of [[], ['--check=sha256', '--arm', '--lzma2'], ['-T2', '--block-size=30KiB']]) {
      const bytes = packed(options, original.subarray(0, 120_000));
      for (let turn = 0; turn < 50; turn += 1) {
        const at = Math.floor((bytes.length * turn) / 50);
        expect(unpack(bytes.subarray(0, at)).fault).toMatch(/^damaged: ends early/);
        const spoilt = Buffer.from(bytes);
        spoilt[at] = (spoilt[at] ?? 0) ^ (1 << (turn % 8));
        expect(unpack(spoilt).fault, `${options.join(' ')} byte ${at}`).not.toBeNull();
      }
      for (let back = 1; back <= 40; back += 1) {
        const spoilt = Buffer.from(bytes);
        spoilt[bytes.length - back] = (spoilt[bytes.length - back] ?? 0) ^ 0x10;
        expect(unpack(spoilt).fault, `byte ${back} from the end`).not.toBeNull();
      }
    }
  });

  it('takes a large dictionary for what it is used, and no more than 128 MiB', () => {
    const bytes = packed(['--lzma2=dict=1GiB,mode=fast,mf=hc3,nice=4'], original);
    expect(unpack(bytes).bytes.equals(original)).toBe(true);
  });
});

/** Packed by liblzma 5.8 with its filter for RISC-V, which older programs lack. */
const RISC_V = {
  packed:
    '/Td6WFoAAATm1rRGA8GIB4QHCwAhARAAQzZA1gEDg+8gWr3voIWEFzFAcJjT1YAXMQroRb+2Bu9iTXLv4E03FzFI+Db9TXMXBOEI7340yJDnwfcXMdDgcaXqC+/AfWGXJ167P90X8xcxkBi2btlvKlXvMlu9FzHy2O8LHVAXcX7o30KroBcieB2nOYJSFzHAcD6QPq4Jg9gc0I3tK+9yN95i7u+gYYxSau9ikywXkPo2kw9gxu/A7XIX0dMWSjaDMHdu7wJ10ReQ5WQDAjAvF7Q6ndcVpP7IUe/w6dVHfxcxypAGLKZx77Kekk+qFzEi6N7LtAB7ZG2TyiAXcDnLIwygPhcxsvAAPhegF/EGFQZ95MYXMajwHtlaMhepuaRjHHkgFwEjU5MDwdIXMRFIlOV9aj05F+EVJmcH8QkXcQ5YnvaMKBfPpUWnLW+bPQDv8F75XtEXMXk4N525eprhl/ZsOyvr9g/v0KEfF4Ao/2cAoFEXkeeDwGZ1hhdAasKDBRAw74IC9O9ytgXvQgN073BE8+8AOsRJfxeh/N4/1hsnTRAWlxfxmBBpredu74KIaRdx5ggZujNXFzF6YPlniq/lJRfAzQGDAaB3FzFy4P+tIf/vgP1S7/IfBlFeAdAX0cMNyU+Pyxcx0Vj11tNaF2HLpSMJ4cWtYe/i3CvvcvimFwzKft8VvMwXUd2+a8myMu8icI/v8o7TFzGgUPTKVQMXMYLQFzvRURdxyBUjAqGTFzCdkwMNQFUXoPBBAwwwMRdxFRda3rDH7+BeZu/QungXgf6aowqBmRdx9nDHJqyp7xKFHxegNbEjDABmY4UXMWpY1zh8OO8gNpTWDhdxFoAdZJokFwr0w0c4WhgBWe/CJ/XuUO8g0SIUuRQf73DApBcxOTDBelCUbv/vcDvw73BxjReQNPmTAVDAF2Fz9GcMURAXAUbs5wABzBcxEEDXoGvXFzFaoJ3PQKwXeZ6GR145wfk1N+atlhcxaGAu2OoeF2BZW6MP4Ijvgj2F76JQFBcxSChLROit7zLWdRcxwkBQA7KMFzAu6+cP0MwXMRDIZZdTwEbl7xJQ5+8gFnHvQo7XN0kXMaIovhe1OJfw0UxDoIBXF3E2UAswhBEXsC9LgwJwffISFzGgMBahlvbI8rssjMKXieAOO8oZre8SXHbvcp1mFzFIKC4ASivS/BdLs2OTDDto77LkzRlOK3sXMeDQtDB+WBcxspBoz3dDAAAAAAA2fzqQCSUUkAABoAeEBwAAyi4dD7HEZ/sCAAAAAARZWg==',
  sha256: 'd520b1662e5f9762049076ff5f4e33c5aa095d4f422c0cc859669c8e1e73dea3',
};

it('undoes the filter for RISC-V', () => {
  const { bytes, fault } = unpack(Buffer.from(RISC_V.packed, 'base64'));
  expect(fault).toBeNull();
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(RISC_V.sha256);
});

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readRpm } from '../../src/archives/rpm.js';
import type { Rpm } from '../../src/archives/rpm.js';
import { hasTools } from '../tools.js';
import { rpm, withFile } from './packages.js';

const folder = mkdtempSync(join(tmpdir(), 'packsign-rpm-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function read(bytes: Buffer): Rpm {
  return withFile(bytes, readRpm);
}

const TINY = {
  1000: 'tiny',
  1001: '1.0',
  1002: '2',
  1003: 3,
  1004: 'a tool',
  1020: 'https://example.org',
  1022: 'x86_64',
  1044: 'tiny.src.rpm',
};

describe('an rpm', () => {
  it('says in its header what it is', () => {
    const payload = Buffer.from('payload');
    const bytes = rpm(TINY, {}, payload);
    expect(read(bytes)).toMatchObject({
      ...{ name: 'tiny', epoch: 3, version: '1.0', release: '2', arch: 'x86_64', summary: 'a tool' },
      ...{ url: 'https://example.org', isSource: false },
      ...{ headerStart: 112, payloadStart: bytes.length - payload.length },
    });
  });

  it('without the name of a source package is one', () => {
    const { 1044: _, ...source } = TINY;
    expect(read(rpm(source)).isSource).toBe(true);
  });

  it('holds sizes and digests in its headers', () => {
    const claims = { 1000: 77, 1004: Buffer.alloc(16, 0xab), 269: 'AB12', 273: 'cd34' };
    expect(read(rpm({ ...TINY, 5092: 'EF56', 5093: 8 }, claims)).claims).toEqual({
      ...{ sizeBytes: 77, md5: 'ab'.repeat(16), headerSha1: 'ab12', headerSha256: 'cd34' },
      payload: { algorithm: 'sha256', digest: 'ef56' },
    });
    expect(read(rpm({ ...TINY, 5092: 'no hex' }, { 1004: Buffer.alloc(15), 273: 'no hex' })).claims).toEqual({
      ...{ sizeBytes: null, md5: null, headerSha1: null, headerSha256: null, payload: null },
    });
  });

  it('has no value that is of another type, empty, or beyond its header', () => {
    const odd = read(rpm({ ...TINY, 1000: 5, 1003: 'text' }));
    expect([odd.name, odd.epoch]).toEqual([null, null]);
    const bytes = rpm({ 1000: 'tiny' });
    bytes.writeUInt32BE(0xffffffff, bytes.length - 5 - 8);
    expect(read(bytes).name).toBeNull();
    bytes.writeUInt32BE(0, bytes.length - 5 - 8);
    bytes[bytes.length - 1] = 0x78;
    expect(read(bytes).name).toBeNull();
  });
});

describe('T16: a broken rpm has a reason', () => {
  const bytes = rpm(TINY, { 1000: 77 });

  it('cut anywhere in its headers', () => {
    for (let cut = 0; cut < bytes.length; cut += 1)
      expect(() => read(bytes.subarray(0, cut))).toThrow(/^it (?:ends|is not an rpm)/);
  });

  it('with a header of another kind or an enormous one', () => {
    const changed = (at: number, value: number) => {
      const copy = Buffer.from(bytes);
      copy.writeUInt32BE(value, at);
      return () => read(copy);
    };
    expect(changed(96, 0)).toThrow('its signature header is broken');
    expect(changed(96 + 8, 65_536)).toThrow('its signature header is too large');
    expect(changed(96 + 12, 0xffffffff)).toThrow('its signature header is too large');
  });

  it('or is read, whichever byte is changed', () => {
    const at = fc.nat(bytes.length - 1);
    fc.assert(
      fc.property(at, fc.nat(255), (position, byte) => {
        const copy = Buffer.from(bytes);
        copy[position] = byte;
        try {
          read(copy);
        } catch (error) {
          expect((error as Error).message).toMatch(/^it/);
        }
      }),
      { numRuns: 200 },
    );
  });
});

const SPEC = `Name: tiny
Epoch: 2
Version: 1.0~rc1
Release: 3
Summary: a small tool
License: MIT
URL: https://example.org/tiny
BuildArch: noarch
%description
t
%install
mkdir -p %{buildroot}/usr/share/t; echo hi > %{buildroot}/usr/share/t/f
%files
/usr/share/t/f
`;

/** The files that rpmbuild makes of the specification, the source package first. */
function build(payload: string): readonly string[] {
  const top = mkdtempSync(join(folder, 'top-'));
  writeFileSync(join(top, 'tiny.spec'), SPEC);
  const defined = {
    _topdir: top,
    _rpmdir: top,
    _srcrpmdir: top,
    _binary_payload: payload,
    _source_payload: payload,
  };
  const options = Object.entries(defined).flatMap(([key, value]) => ['--define', `${key} ${value}`]);
  execFileSync('rpmbuild', ['-ba', '--quiet', ...options, join(top, 'tiny.spec')], { stdio: 'pipe' });
  return [top, join(top, 'noarch')].flatMap((at) =>
    readdirSync(at)
      .filter((name) => name.endsWith('.rpm'))
      .map((name) => join(at, name)),
  );
}

describe.runIf(hasTools('rpmbuild', 'rpm'))('an rpm that rpmbuild made', () => {
  it.for(['w9.gzdio', 'w6.xzdio', 'w19.zstdio'])('with the payload %s is read as by rpm', (payload) => {
    const files = build(payload);
    expect(files).toHaveLength(2);
    for (const path of files) {
      const format = [
        'NAME',
        'EPOCH',
        'VERSION',
        'RELEASE',
        'ARCH',
        'SUMMARY',
        'URL',
        'SHA256HEADER',
        'PAYLOADDIGEST',
      ];
      const query = format.map((tag) => `%{${tag}}\\n`).join('');
      const said = execFileSync('rpm', ['-qp', '--qf', query, path], { encoding: 'utf8' })
        .trimEnd()
        .split('\n');
      const bytes = readFileSync(path);
      const { claims, ...read_ } = read(bytes);
      const { name, epoch, version, release, arch, summary, url } = read_;
      const found = [name, String(epoch), version, release, arch, summary, url];
      expect([...found, claims.headerSha256, claims.payload?.digest]).toEqual(said);
      expect(read_.isSource).toBe(path.endsWith('.src.rpm'));
      // The header's claims hold for the bytes at the places that were found.
      const header = bytes.subarray(read_.headerStart, read_.payloadStart);
      const rest = bytes.subarray(read_.payloadStart);
      const digest = (algorithm: string, part: Buffer) => createHash(algorithm).update(part).digest('hex');
      expect(claims).toEqual({
        sizeBytes: bytes.length - read_.headerStart,
        md5: digest('md5', bytes.subarray(read_.headerStart)),
        headerSha1: digest('sha1', header),
        headerSha256: digest('sha256', header),
        payload: { algorithm: 'sha256', digest: digest('sha256', rest) },
      });
    }
  });
});

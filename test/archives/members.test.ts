import { closeSync, fstatSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readerOf } from '../../src/disk/files.js';
import { readMembers } from '../../src/archives/members.js';
import type { Member } from '../../src/model/member.js';
import { ar, tar, zip } from './packages.js';

interface Seen {
  readonly members: readonly Member[];
  /** Whether it was read, or why not. */
  readonly end: boolean | string;
}

async function membersOf(name: string, bytes: Uint8Array): Promise<Seen> {
  const folder = mkdtempSync(join(tmpdir(), 'packsign-members-'));
  const path = join(folder, 'file');
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  const members: Member[] = [];
  try {
    const { size } = fstatSync(fd);
    const end = await readMembers(name, { read: readerOf(fd), size }, (member) => void members.push(member));
    return { members, end };
  } catch (error) {
    return { members, end: error instanceof Error ? error.message : '' };
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
}

const namesOf = async (name: string, bytes: Uint8Array) =>
  (await membersOf(name, bytes)).members.map(({ names }) => names.join(' | '));

function pax(records: Readonly<Record<string, string>>): string {
  return Object.entries(records)
    .map(([key, value]) => {
      const rest = Buffer.byteLength(` ${key}=${value}\n`);
      const length = [rest + 1, rest + 2, rest + 3].find((one) => String(one).length + rest === one) ?? 0;
      return `${length} ${key}=${value}\n`;
    })
    .join('');
}

const program: Member = {
  names: ['x'],
  kind: 'file',
  target: null,
  mode: 0o4755,
  modifiedMs: 4_102_444_800_000,
};

describe('members of a tar archive', () => {
  test('have names, kinds, modes, times and targets', async () => {
    const bytes = tar(
      { path: 'x', mode: 0o4755, modified: 4_102_444_800 },
      { path: 'folder/', type: '5', mode: 0o755 },
      { path: 's/', type: '2', target: '../out' },
      { path: 'h', type: '1', target: 'x' },
      { path: 'pipe', type: '6' },
      { path: 'old/' },
    );
    const { members, end } = await membersOf('x.tar', bytes);
    expect(end).toBe(true);
    expect(members[0]).toEqual(program);
    expect(members.slice(1).map(({ kind, target }) => [kind, target])).toEqual([
      ['folder', null],
      ['symbolic link', '../out'],
      ['hard link', 'x'],
      ['special', null],
      ['folder', null],
    ]);
  });

  test('are described by their extended headers as well', async () => {
    const records = pax({ path: '../p', linkpath: '/etc', mtime: '4102444800.5' });
    const bytes = tar(
      { path: 'pax', type: 'x', text: records },
      { path: 'short', type: '2', target: 'near', modified: 1 },
      { path: 'long link', type: 'K', text: '../../far\0' },
      { path: 'l', type: '2', target: 'near' },
      { path: 'pax', type: 'x', text: pax({ 'GNU.sparse.name': '../real' }) },
      { path: 'GNUSparseFile.0/real' },
    );
    const { members } = await membersOf('x.tar', bytes);
    expect(members[0]).toMatchObject({ names: ['../p'], target: '/etc', modifiedMs: 4_102_444_800_500 });
    expect(members[1]).toMatchObject({ names: ['l'], target: '../../far' });
    expect(members[2]).toMatchObject({ names: ['../real', 'GNUSparseFile.0/real'] });
  });

  test('are seen in packages of Debian, Ruby and conda', async () => {
    const data = gzipSync(tar({ path: './usr/bin/x' }));
    const control = gzipSync(tar({ path: './control' }));
    const deb = ar(
      { name: 'debian-binary', contents: '2.0\n' },
      { name: 'control.tar.gz', contents: control },
      { name: 'data.tar.gz', contents: data },
    );
    expect(await namesOf('x.deb', deb)).toEqual(['./usr/bin/x']);
    expect(await namesOf('x.conda', zip({ path: 'pkg-x.tar.gz', stored: data }))).toEqual(['./usr/bin/x']);
  });

  test('are counted up to a bound', async () => {
    const long = { path: 'long name', type: 'L', text: 'a'.repeat(1_000_000) };
    const one = tar(long, { path: 'x' }).subarray(0, -1024);
    const { members, end } = await membersOf('x.tar', Buffer.concat(Array<Buffer>(70).fill(one)));
    expect([members.length, end]).toEqual([67, 'has more than 64 MiB of names']);
  });

  test('come as far as the archive is whole', async () => {
    const bytes = tar({ path: 'x' }, { path: 'y', text: 'z'.repeat(600) }).subarray(0, 1100);
    const { members, end } = await membersOf('x.tar', bytes);
    expect([members.length, end]).toEqual([2, 'it ends in the middle of a member']);
  });
});

describe('members of a zip', () => {
  test('have names, kinds, modes and times', async () => {
    const bytes = zip(
      { path: 'x', mode: 0o104755, dosDate: (120 << 9) | (1 << 5) | 1 },
      { path: 'l', mode: 0o120777, text: '../out' },
      { path: 'm', mode: 0o120777, stored: Buffer.from('/etc') },
      { path: 'f/', mode: 0 },
      { path: 'd', mode: 0o020644 },
    );
    const { members, end } = await membersOf('x.zip', bytes);
    expect(end).toBe(true);
    expect(members[0]).toEqual(program);
    expect(members.slice(1).map(({ kind, target }) => [kind, target])).toEqual([
      ['symbolic link', '../out'],
      ['symbolic link', '/etc'],
      ['folder', null],
      ['special', null],
    ]);
  });

  test('have every name that some program goes by', async () => {
    const name = Buffer.from('../u');
    const extra = Buffer.concat([Buffer.from([0x75, 0x70, 5 + name.length, 0, 1, 0, 0, 0, 0]), name]);
    const bytes = zip({ path: 'a/aa', ownPath: '../a' }, { path: 'u', extra });
    expect(await namesOf('x.whl', bytes)).toEqual(['a/aa | ../a', 'u | ../u']);
  });

  test('are seen behind a program', async () => {
    const bytes = Buffer.concat([Buffer.from('#!/bin/sh\n'), zip({ path: 'x' })]);
    expect(await namesOf('x.pyz', bytes)).toEqual(['x']);
  });

  test('whose link unpacks to more than a path has no target', async () => {
    const bytes = zip({ path: 'l', mode: 0o120777, text: 'x'.repeat(100_000) });
    expect((await membersOf('x.zip', bytes)).members[0]).toMatchObject({
      kind: 'symbolic link',
      target: null,
    });
  });
});

test('other files have none', async () => {
  expect((await membersOf('x.gz', gzipSync('a program'))).end).toBe(false);
  expect((await membersOf('x.exe', Buffer.from('MZ program'))).end).toBe(false);
  expect((await membersOf('x.7z', Buffer.from('377abcaf271c', 'hex'))).end).toBe(false);
});

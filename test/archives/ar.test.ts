import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { arMembers } from '../../src/archives/ar.js';
import { hasTool } from '../tools.js';
import { ar, withFile } from './packages.js';

interface Read {
  readonly members: readonly string[];
  readonly end: number;
}

/** Each member as `name=contents`, and where the archive ends. */
function read(bytes: Buffer): Read {
  return withFile(bytes, (file) => {
    const members: string[] = [];
    const walk = arMembers(file);
    for (;;) {
      const { done, value } = walk.next();
      if (done === true) return { members, end: value };
      members.push(`${value.name}=${bytes.toString('latin1', value.start, value.start + value.size)}`);
    }
  });
}

function reasonFor(bytes: Buffer): string {
  try {
    read(bytes);
    return 'none';
  } catch (error) {
    return (error as Error).message;
  }
}

const TWO = ar({ name: 'debian-binary', contents: '2.0\n' }, { name: 'odd', contents: 'abc' });

describe('members of an ar archive', () => {
  it('are given with names, places and sizes, and the archive ends with the file', () => {
    expect(read(TWO)).toEqual({ members: ['debian-binary=2.0\n', 'odd=abc'], end: TWO.length });
    expect(read(ar())).toEqual({ members: [], end: 8 });
  });

  it('have their long names as GNU and BSD write them', () => {
    const gnu = ar(
      { name: '/', contents: 'symbols' },
      { name: '//', contents: 'a-name-longer-than-16/\nanother-long-one.o/\n' },
      { name: '/0', contents: 'first' },
      { name: '/23', contents: 'second' },
      { name: 'short.o/', contents: '3' },
    );
    expect(read(gnu).members).toEqual([
      'a-name-longer-than-16=first',
      'another-long-one.o=second',
      'short.o=3',
    ]);
    const bsd = ar(
      { name: '__.SYMDEF', contents: 'symbols' },
      { name: '#1/24', contents: 'a-name-longer-than-16\0\0\0bytes' },
    );
    expect(read(bsd).members).toEqual(['a-name-longer-than-16=bytes']);
  });

  it.runIf(hasTool('ar'))('are those that ar lists', () => {
    const folder = mkdtempSync(join(tmpdir(), 'packsign-ar-'));
    const names = ['short', 'a-name-much-longer-than-sixteen-bytes', 'odd', 'with blank'];
    names.forEach((name, at) => {
      writeFileSync(join(folder, name), 'x'.repeat(at));
    });
    execFileSync('ar', ['rc', 'made.a', ...names], { cwd: folder });
    const bytes = readFileSync(join(folder, 'made.a'));
    rmSync(folder, { recursive: true });
    expect(read(bytes)).toEqual({
      members: names.map((name, at) => `${name}=${'x'.repeat(at)}`),
      end: bytes.length,
    });
  });
});

/** The archive of two, whose first member says to have that size. */
function withSize(size: string): Buffer {
  const bytes = Buffer.from(TWO);
  bytes.write(size.padEnd(10), 8 + 48);
  return bytes;
}

describe('T16: a broken ar archive has a reason', () => {
  it('cut anywhere but between two members', () => {
    const whole = [8, 72, TWO.length];
    for (let cut = 0; cut < TWO.length; cut += 1) {
      const reason = reasonFor(TWO.subarray(0, cut));
      if (whole.includes(cut)) expect(reason).toBe('none');
      else expect(reason).toMatch(/^it (?:ends in the middle|is not an ar archive)/);
    }
  });

  it.for<readonly [string, Buffer, RegExp]>([
    ['of another kind', Buffer.from('PK\x03\x04 and so on'), /not an ar archive/],
    ['with bytes behind its end', Buffer.concat([TWO, Buffer.alloc(60)]), /header is broken/],
    ['with an impossible size', withSize('-4'), /header is broken/],
    ['with a size in other digits', withSize('4e9'), /header is broken/],
    ['with an enormous size', withSize('9999999999'), /in the middle of its member debian-binary/],
    ['with a long name that is nowhere', ar({ name: '/9', contents: 'x' }), /name is missing/],
    ['with a name longer than its member', ar({ name: '#1/9', contents: 'x' }), /longer than its member/],
    [
      'with more members than anybody needs',
      ar(...Array.from({ length: 100_001 }, () => ({ name: 'x', contents: '' }))),
      /more than 100000 members/,
    ],
  ])('%s', ([, bytes, reason]) => {
    expect(reasonFor(bytes)).toMatch(reason);
  });
});

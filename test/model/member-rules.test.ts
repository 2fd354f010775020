import { describe, expect, test } from 'vitest';
import { createMemberRules } from '../../src/model/member-rules.js';
import type { Member } from '../../src/model/member.js';

const now = new Date('2026-01-01T00:00:00Z');

function file(name: string, more: Partial<Member> = {}): Member {
  return { names: [name], kind: 'file', target: null, mode: 0o644, modifiedMs: 0, ...more };
}

const link = (name: string, target: string | null) => file(name, { kind: 'symbolic link', target });
const hard = (name: string, target: string) => file(name, { kind: 'hard link', target });

/** The codes that an archive gets. */
function codesOf(members: readonly Member[], isRooted = false): readonly string[] {
  const rules = createMemberRules({ now, isRooted });
  for (const member of members) rules.see(member);
  return rules.findings().map(({ code }) => code);
}

describe('names', () => {
  test.each(['/etc/passwd', '\\x', 'C:x', 'c:\\x', 'C:/x', '\\\\host\\share\\x', '//host/x'])(
    'MEMBER_ABSOLUTE: %s',
    (name) => {
      expect(codesOf([file(name)])).toContain('MEMBER_ABSOLUTE');
    },
  );

  test.each([
    '..',
    '../x',
    'a/..',
    'a/../../x',
    '..\\x',
    'a\\..\\x',
    '.. /x',
    '.\0.\0/\0x\0',
    './../x',
    'a/..\\x',
  ])('MEMBER_TRAVERSES: %j', (name) => {
    expect(codesOf([file(name)])).toContain('MEMBER_TRAVERSES');
  });

  test.each(['a..b', '...', 'a/..b', 'A::B.3', './a', 'a/./b', 'ä/日本', '..a/x'])('nothing: %s', (name) => {
    expect(codesOf([file(name)])).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/ABSOLUTE|TRAVERSES|LINK/)]),
    );
  });

  test.each(['a\u001b[2J', 'a\nb', 'gnp.\u202eexe'])('MEMBER_CONTROL: %j', (name) => {
    expect(codesOf([file(name)])).toEqual(['MEMBER_CONTROL']);
  });

  test.each(['con', 'a/NUL.txt', 'a ', 'a.', 'a/b:c', 'a?b', '-rf', 'x'.repeat(256), 'a\ufffd'])(
    'MEMBER_NOT_PORTABLE: %s',
    (name) => {
      expect(codesOf([file(name)])).toEqual(['MEMBER_NOT_PORTABLE']);
    },
  );

  test('MEMBER_TWIN: names that differ in case or composition, but no folders', () => {
    expect(codesOf([file('a/B'), file('A/b')])).toEqual(['MEMBER_TWIN']);
    expect(codesOf([file('\u00e9'), file('e\u0301')])).toEqual(['MEMBER_TWIN']);
    const folder = { kind: 'folder' } as const;
    expect(codesOf([file('a/', folder), file('./a', folder), file('a/x'), file('b/x')])).toEqual([]);
  });

  test('MEMBER_AMBIGUOUS: twice, or with two names; a sparse file of GNU tar is none', () => {
    expect(codesOf([file('a'), file('./a')])).toEqual(['MEMBER_AMBIGUOUS']);
    expect(codesOf([file('a', { names: ['a', 'b'] })])).toEqual(['MEMBER_AMBIGUOUS']);
    expect(codesOf([file('a', { names: ['a', 'GNUSparseFile.7/a'] })])).toEqual([]);
    expect(codesOf([file('a', { names: ['a', '../a'] })])).toContain('MEMBER_TRAVERSES');
  });
});

describe('links', () => {
  test.each<readonly [string, readonly Member[]]>([
    ['to a root', [link('l', '/etc')]],
    ['to a drive', [link('l', 'C:\\x')]],
    ['to above', [link('a/l', '../../x')]],
    ['to above, by backslashes', [link('l', '..\\x')]],
    ['to nobody knows where', [link('l', null)]],
    ['hard, to above', [hard('h', '../x')]],
    ['hard, to a root', [hard('h', '/etc/shadow')]],
    ['hard, through a link', [link('s', 'a'), hard('h', 's/x')]],
    ['out by another one', [link('s', '.'), link('t', 's/..')]],
    ['out by a later one', [link('t', 's/..'), link('s', '.')]],
    ['out by several', [link('a', 'b/c'), link('b/c', '../d'), link('d', '/')]],
    ['out after a long way', [link('t', `${'a/../'.repeat(700)}..`)]],
    ['with a member behind it', [link('d', 'e'), file('d/x')]],
    ['with a member behind it, in another case', [link('D', 'e'), file('d/x')]],
    ['with a link behind it', [link('d', 'e'), link('d/l', 'x')]],
  ])('MEMBER_LINK: %s', (_, members) => {
    expect(codesOf(members)).toContain('MEMBER_LINK');
  });

  test.each<readonly [string, readonly Member[]]>([
    ['inside', [link('a/l', '../b'), link('m', 'a/b/c'), hard('h', 'm')]],
    ['to the top', [link('a/l', '..')]],
    ['to themselves', [link('l', 'l'), link('a', 'b'), link('b', 'a')]],
  ])('nothing: %s', (_, members) => {
    expect(codesOf(members)).toEqual([]);
  });

  test('lead anywhere in packages that are unpacked at the root', () => {
    expect(codesOf([link('usr/l', '/etc/x'), link('m', '../../x')], true)).toEqual([]);
    expect(codesOf([hard('h', '../x')], true)).toEqual(['MEMBER_LINK']);
  });
});

test('MEMBER_SET_UID: programs, and no folders', () => {
  expect(codesOf([file('a', { mode: 0o4755 })])).toEqual(['MEMBER_SET_UID']);
  expect(codesOf([file('a', { mode: 0o2755 })])).toEqual(['MEMBER_SET_UID']);
  expect(codesOf([file('a/', { kind: 'folder', mode: 0o2755 }), file('b', { mode: 0o1755 })])).toEqual([]);
});

test('MEMBER_SPECIAL, MEMBER_DATED_AHEAD', () => {
  expect(codesOf([file('null', { kind: 'special' })])).toEqual(['MEMBER_SPECIAL']);
  expect(codesOf([file('a', { modifiedMs: Date.UTC(2100, 0) })])).toEqual(['MEMBER_DATED_AHEAD']);
  expect(codesOf([file('a', { modifiedMs: Number.MAX_SAFE_INTEGER })])).toEqual(['MEMBER_DATED_AHEAD']);
  // The time zone of a zip is unknown.
  expect(codesOf([file('a', { modifiedMs: now.getTime() + 14 * 3_600_000 })])).toEqual([]);
});

test('many members of one code are counted, and the first of them named, in part', () => {
  const rules = createMemberRules({ now, isRooted: false });
  for (let index = 0; index < 300; index += 1)
    rules.see(file(`../${index}${'x'.repeat(200)}/${'y/'.repeat(2000)}`));
  const [found] = rules.findings();
  expect(found).toMatchObject({ code: 'MEMBER_TRAVERSES', count: 300 });
  expect(found?.members).toHaveLength(100);
  expect(Math.max(...(found?.members ?? []).map(({ length }) => length))).toBe(1024);
});

import type { MemberCode } from './lint-rules.js';
import type { Member } from './member.js';
import { collectLinks, foldName, isAbsolute, partsOf } from './member-links.js';
import { harmless } from './text.js';
import { formatTime } from './time.js';

/** What one rule says of an archive. */
export interface MemberFinding {
  readonly code: MemberCode;
  readonly count: number;
  /** The first of the members, in words that are harmless on a terminal. */
  readonly members: readonly string[];
}

export interface MemberContext {
  readonly now: Date;
  /** Whether it is a package that is unpacked at the root of a system, where links lead anywhere. */
  readonly isRooted: boolean;
}

export interface MemberRules {
  readonly see: (member: Member) => void;
  /** In the order of the rules; once all members were seen. */
  readonly findings: () => readonly MemberFinding[];
  /** The names at the top, two of them at most. */
  readonly tops: () => readonly string[];
}

const NAMED_LIMIT = 100;
const NAME_LIMIT = 1024;
const DAY_MS = 86_400_000;
const SET_ID = 0o6000;
/** What GNU tar calls a sparse file for programs that cannot restore it. */
const SPARSE = /(?:^|\/)GNUSparseFile\.\d+\//;
const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i;

/** Looks at the members of one archive. Everything that is kept of them is bounded by their names. */
export function createMemberRules({ now, isRooted }: MemberContext): MemberRules {
  const found = new Map<MemberCode, { count: number; readonly members: string[] }>();
  const links = collectLinks();
  const symbolic: (readonly [name: string, target: string])[] = [];
  const names = new Map<string, string>();
  const tops = new Set<string>();

  function say(code: MemberCode, words: string): void {
    const same = found.get(code) ?? { count: 0, members: [] };
    same.count += 1;
    if (same.members.length < NAMED_LIMIT) same.members.push(harmless(words.slice(0, NAME_LIMIT)));
    found.set(code, same);
  }

  function seeLink({ names: [name], kind, target }: Member): void {
    const words = `${name} → ${target ?? '?'}`;
    if (kind === 'hard link' && (target === null || links.isThrough(target) || links.leaves(target, '')))
      say('MEMBER_LINK', words);
    if (kind !== 'symbolic link' || isRooted) return;
    if (target === null) say('MEMBER_LINK', words);
    else symbolic.push([name, target]);
    links.add(name, target ?? '/');
  }

  function seeTwins([name]: Member['names']): void {
    const path = partsOf(name).join('/');
    const folded = foldName(path);
    const other = names.get(folded);
    if (other === path) say('MEMBER_AMBIGUOUS', name);
    else if (other !== undefined) say('MEMBER_TWIN', `${name} and ${other}`);
    else names.set(folded, path);
  }

  return {
    tops: () => Array.from(tops, harmless),
    see(member) {
      const { kind, mode, modifiedMs } = member;
      const [name, ...others] = member.names;
      for (const each of member.names) {
        for (const code of defectsOf(each)) say(code, each);
        if (links.isThrough(each)) say('MEMBER_LINK', each);
      }
      seeLink(member);
      if (others.some((other) => !SPARSE.test(other))) say('MEMBER_AMBIGUOUS', member.names.join(' or '));
      if (kind !== 'folder') seeTwins(member.names);
      if (kind === 'special') say('MEMBER_SPECIAL', name);
      if (kind === 'file' && ((mode ?? 0) & SET_ID) !== 0) say('MEMBER_SET_UID', name);
      if (modifiedMs !== null && modifiedMs > now.getTime() + DAY_MS)
        say('MEMBER_DATED_AHEAD', `${name} (${formatTime(modifiedMs)})`);
      if (tops.size < 2) tops.add(partsOf(name)[0] ?? '.');
    },
    findings() {
      for (const [name, target] of symbolic.splice(0)) {
        const folder = partsOf(name).slice(0, -1).join('/');
        if (links.leaves(target, folder)) say('MEMBER_LINK', `${name} → ${target}`);
      }
      return Array.from(found, ([code, { count, members }]) => ({ code, count, members }));
    },
  };
}

/** What is wrong with a name by itself. */
function defectsOf(name: string): readonly MemberCode[] {
  const found: MemberCode[] = [];
  if (isAbsolute(name)) found.push('MEMBER_ABSOLUTE');
  // Some programs stop at a NUL, and others skip it.
  if (/(?:^|[\\/])\.\. *(?:$|[\\/])/.test(name.replaceAll('\0', ''))) found.push('MEMBER_TRAVERSES');
  if (harmless(name) !== name) found.push('MEMBER_CONTROL');
  else if (!isPortable(name)) found.push('MEMBER_NOT_PORTABLE');
  return found;
}

/** Whether every system can hold a name, and no command takes it for an option. */
function isPortable(name: string): boolean {
  const isOdd = (part: string) =>
    part.length > 255 || /[<>:"|?*\ufffd]|[. ]$/.test(part) || DEVICE.test(part);
  return (
    !name.startsWith('-') &&
    !name.includes('\\') &&
    !partsOf(name).some((part) => part !== '..' && isOdd(part))
  );
}

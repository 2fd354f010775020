import type { OpenFile } from '../archives/decompress.js';
import { inspectionOf } from '../archives/fault.js';
import { readMembers } from '../archives/members.js';
import { reasonOf } from '../errors.js';
import type { Database } from '../model/database.js';
import type { FileFacts } from '../model/entry.js';
import { fileNameOf } from '../model/file-entry.js';
import { isArchiveName, namesAgree, splitFileName } from '../model/file-name.js';
import { MEMBER_RULES, findingOf } from '../model/lint-rules.js';
import type { DirectoryFinding } from '../model/lint-rules.js';
import type { Member } from '../model/member.js';
import { partsOf } from '../model/member-links.js';
import { createMemberRules } from '../model/member-rules.js';
import type { MemberFinding } from '../model/member-rules.js';
import { packManFinding, packManFolder } from '../model/packman-rules.js';
import { endingsCutOff } from '../model/release-names.js';
import type { Settings } from '../model/settings.js';
import type { Run } from '../run.js';

export interface ArchiveContext {
  readonly settings: Settings;
  readonly run: Run;
  readonly database: Database;
}

/** Packages that are unpacked at the root of a system. */
const ROOTED = /\.(?:u?deb|ddeb|ipk|opk|apk|xbps|pkg\.tar(?:\.[a-z0-9]+)?)$/i;
/** Archives whose members packsign does not read, by their names. */
const OTHERS = /\.(?:tar\.(?:lz|lzma|lz4|br)|tlz|7z|rar|cab|cpio|lha|lzh|arj|shar)$/i;
const NAMED_LIMIT = 5;

/** What an open file holds, if it is an archive. */
export async function lintArchive(
  { path, reading, inspection }: FileFacts,
  file: OpenFile,
  { database, settings, run }: ArchiveContext,
): Promise<readonly DirectoryFinding[]> {
  const isRooted = ROOTED.test(path);
  const rules = createMemberRules({ now: run.now, isRooted });
  const isSource = database.Files.get(path)?.Flavor === 'source' && settings.PackMan !== false;
  const folder = isSource ? packManFolder(path) : null;
  let hasSetup = folder === null;
  const unread = await readAll(path, file, (member) => {
    rules.see(member);
    hasSetup ||= partsOf(member.names[0]).join('/') === `${folder ?? ''}/setup.py`;
  });
  const found = rules.findings().map((one) => {
    const finding = memberFinding(path, one);
    // Systems install some of their programs so on purpose.
    return isRooted && one.code === 'MEMBER_SET_UID' ? { ...finding, level: 'note' as const } : finding;
  });
  // Damage is said already.
  if (unread !== null) return inspection.kind === 'damaged' ? found : [...found, notLookedInto(path, unread)];
  const top = isRooted ? null : topFinding(path, rules.tops(), reading);
  if (top !== null) return [...found, top];
  const message = `there is no ${folder ?? ''}/setup.py in it`;
  return hasSetup ? found : [...found, packManFinding({ code: 'PACKMAN_FOLDER', path, message }, settings)];
}

/** Whether an archive unpacks into something else than its name says; a source package must have a folder of its own. */
function topFinding(
  path: string,
  [top = '', ...others]: readonly string[],
  reading: FileFacts['reading'],
): DirectoryFinding | null {
  const stem = endingsCutOff(fileNameOf(path));
  if (reading.kind === 'found' && reading.metadata.kind === 'sdist') {
    if (top === stem && others.length === 0) return null;
    const message = `it holds ${[top, ...others].join(' and ')}, not ${stem} alone`;
    return findingOf({ code: 'TOP_FOLDER', path, message });
  }
  const outside = splitFileName(path);
  const inside = reading.kind === 'absent' && others.length === 0 ? splitFileName(`${top}.tar`) : null;
  if (outside === null || inside === null || namesAgree(inside, outside)) return null;
  return findingOf({ code: 'TOP_FOLDER', path, message: `it holds ${top}`, level: 'note' });
}

/** Why not all members could be read; null if they were, or it is no archive. */
async function readAll(path: string, file: OpenFile, see: (member: Member) => void): Promise<string | null> {
  try {
    const isRead = await readMembers(path, file, see);
    const isArchive = isArchiveName(fileNameOf(path)) || OTHERS.test(path);
    return isRead || !isArchive ? null : 'packsign does not read archives of this kind';
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return reasonOf(error);
    const seen = inspectionOf(error);
    return seen.kind === 'sound' ? null : seen.reason;
  }
}

export function notLookedInto(path: string, reason: string): DirectoryFinding {
  return findingOf({ code: 'NOT_LOOKED_INTO', path, message: `its members are unknown: ${reason}` });
}

function memberFinding(path: string, { code, count, members }: MemberFinding): DirectoryFinding {
  const what = `${count} member${count === 1 ? '' : 's'} ${MEMBER_RULES[code].phrase}`;
  const more = count > NAMED_LIMIT ? ` and ${count - NAMED_LIMIT} more` : '';
  return findingOf({
    ...{ code, path, members },
    message: `${what}: ${members.slice(0, NAMED_LIMIT).join(', ')}${more}`,
  });
}

import type { Database } from '../model/database.js';
import type { FileFacts } from '../model/entry.js';
import { fileNameOf } from '../model/file-entry.js';
import { namesAgree, splitFileName } from '../model/file-name.js';
import { MEMBER_RULES, findingOf } from '../model/lint-rules.js';
import type { DirectoryFinding } from '../model/lint-rules.js';
import type { MemberFinding } from '../model/member-rules.js';
import { packManFinding, packManFolder } from '../model/packman-rules.js';
import { endingsCutOff } from '../model/release-names.js';
import type { Settings } from '../model/settings.js';
import type { Run } from '../run.js';
import type { Survey, SurveyOptions } from '../workers/survey.js';

export interface ArchiveContext {
  readonly settings: Settings;
  readonly run: Run;
  readonly database: Database;
}

/** Packages that are unpacked at the root of a system. */
const ROOTED = /\.(?:u?deb|ddeb|ipk|opk|apk|xbps|pkg\.tar(?:\.[a-z0-9]+)?)$/i;
const NAMED_LIMIT = 5;

/** What to look for in a listed file. */
export function surveyOf(path: string, { database, settings, run }: ArchiveContext): SurveyOptions {
  const isSource = database.Files.get(path)?.Flavor === 'source' && settings.PackMan !== false;
  return { now: run.now, isRooted: ROOTED.test(path), folder: isSource ? packManFolder(path) : null };
}

/** What is to be said of a file whose members were looked at. */
export function lintArchive(
  { path, reading, inspection }: FileFacts,
  { found: members, tops, hasSetup, unread }: Survey,
  context: ArchiveContext,
): readonly DirectoryFinding[] {
  const { isRooted, folder } = surveyOf(path, context);
  const found = members.map((one) => {
    const finding = memberFinding(path, one);
    // Systems install some of their programs so on purpose.
    return isRooted && one.code === 'MEMBER_SET_UID' ? { ...finding, level: 'note' as const } : finding;
  });
  // Damage is said already.
  if (unread !== null) return inspection.kind === 'damaged' ? found : [...found, notLookedInto(path, unread)];
  const top = isRooted ? null : topFinding(path, tops, reading);
  if (top !== null) return [...found, top];
  const message = `there is no ${folder ?? ''}/setup.py in it`;
  const { settings } = context;
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

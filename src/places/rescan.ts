import { lstatSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { foldPath, foldersOf, isSafePath } from '../model/file-entry.js';
import type { Warning } from '../model/finding.js';
import { CHECKSUMS_NAMES, STATE_FOLDER } from '../model/layout.js';
import { REPLACEMENT, byPath, folderIn, inOrder, isListable, makeWalk, takeFiles } from './scan.js';
import type { Folder, Scan, ScanOptions, ScannedFile, Walk } from './scan.js';

/**
 * Updates a scan after changes under these paths alone; all other paths stay as they were. Null means that a full scan
 * has to run: some of the paths are folders, differ only in case, are no UTF-8, are files with a second name in the
 * directory, or are checksums.
 */
export function rescan(
  directory: string,
  before: Scan,
  options: Pick<ScanOptions, 'globs' | 'isListed'> & { readonly paths: ReadonlySet<string> },
): Scan | null {
  const { globs, paths } = options;
  if (before.warnings.some(isOfTwin)) return null;
  // Whose file one of them is depends on the other.
  if (globs.checksums === true && CHECKSUMS_NAMES.some((name) => paths.has(name))) return null;
  const walk = makeWalk(directory, options);
  const linked = new Set<bigint>();
  for (const path of paths) {
    if (path.includes(REPLACEMENT) || before.folders.includes(path)) return null;
    if (!lookAgain(walk, path, linked)) return null;
  }
  const isElsewhere = ({ path }: { readonly path: string | null }) => path === null || !paths.has(path);
  const files = before.files.filter(isElsewhere);
  const hasOtherName = linked.size > 0 && files.some(({ identity }) => linked.has(identity.inode));
  if (hasOtherName || mayConflict(walk.files, { ...before, files })) return null;
  return inOrder({
    ...before,
    files: files.concat(walk.files).sort(byPath),
    rest: before.rest.filter(isElsewhere).concat(walk.rest),
    others: before.others.filter((path) => !paths.has(path)).concat(walk.others),
    warnings: before.warnings.filter(isElsewhere).concat(walk.warnings),
  });
}

/** Whether any of these files may differ only in case from another one, or from a folder. */
function mayConflict(files: readonly ScannedFile[], others: Pick<Scan, 'files' | 'folders'>): boolean {
  const folded = new Set(files.map(({ path }) => foldPath(path)));
  const above = new Set(files.flatMap(({ path }) => foldersOf(foldPath(path))));
  return (
    folded.size < files.length ||
    others.files.some(({ path }) => folded.has(foldPath(path)) || above.has(foldPath(path))) ||
    [...others.folders.map(foldPath), ...above].some((folder) => folded.has(folder))
  );
}

/**
 * Takes up what is under a path now, as a walk would. False if only a walk can tell. `linked` collects files that have
 * several names.
 */
function lookAgain(walk: Walk, path: string, linked: Set<bigint>): boolean {
  const names = path.split('/');
  const name = names.pop() ?? '';
  let folder: Folder = { path: '', hidden: false };
  for (const each of names) {
    folder = folderIn(folder, each);
    if (folder.path === STATE_FOLDER) return true;
    const kind = kindOf(walk, folder.path);
    // Files behind a link are not part of the directory.
    if (kind !== 'folder') return kind !== 'unknown';
  }
  const kind = kindOf(walk, path);
  if (kind === 'folder' || kind === 'unknown') return false;
  if (kind === 'nothing') return true;
  if (kind.nlink > 1n) linked.add(kind.ino);
  if (isListable(walk, { folder, name, path, kind })) takeFiles(walk, [path]);
  return true;
}

function kindOf(walk: Walk, path: string): BigIntStats | 'folder' | 'nothing' | 'unknown' {
  try {
    const stats = lstatSync(`${walk.directory}/${path}`, { bigint: true, throwIfNoEntry: false });
    return stats?.isDirectory() === true ? 'folder' : (stats ?? 'nothing');
  } catch {
    return 'unknown';
  }
}

/** Whether a path is left out only because of another path. */
function isOfTwin({ code, path }: Warning): boolean {
  return code === 'UNSAFE_NAME' && path !== null && isSafePath(path);
}

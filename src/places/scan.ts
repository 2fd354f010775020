import { lstatSync, readdirSync } from 'node:fs';
import type { BigIntStats, Dirent } from 'node:fs';
import { join } from 'node:path';
import picomatch from 'picomatch';
import { PacksignError, reasonOf, systemCode } from '../errors.js';
import { isArchiveName } from '../model/file-name.js';
import { defectOfPath, foldPath, isSafePath } from '../model/file-entry.js';
import type { Warning } from '../model/finding.js';
import { compareText } from '../model/package.js';
import { identityOf } from '../disk/identities.js';
import type { FileIdentity } from '../disk/identities.js';
import { statFiles } from './stat-files.js';
import type { StatFiles } from './stat-files.js';

export interface ScannedFile {
  /** Relative to the directory, with forward slashes. */
  readonly path: string;
  readonly identity: FileIdentity;
}

export interface Scan {
  /** Files that may be listed, in byte order of their paths. */
  readonly files: readonly ScannedFile[];
  /** Every other regular file, which may hold a secret key. Paths in byte order. */
  readonly others: readonly string[];
  /** Every folder that was read; the directory itself is ''. */
  readonly folders: readonly string[];
  readonly warnings: readonly Warning[];
}

export interface ScanOptions {
  /** Globs (picomatch) of files to leave out; one without `/` counts at any depth. */
  readonly exclude: readonly string[];
  /** Called after each folder with the number of files found so far. */
  readonly onFound?: ((count: number) => void) | undefined;
  /** Asks for the status of files; if absent, one after the other on this thread. */
  readonly stat?: StatFiles;
}

/** Folders at the top that hold what packsign publishes itself. */
const OWN_FOLDERS = new Set(['signatures', 'assets']);
/** Folders that are never published, or cannot hold a readable key. */
const PRIVATE_FOLDERS = new Set(['.packsign', '.git']);

/**
 * Finds the files of a directory, recursively and sorted. Links are not followed. A file that
 * cannot be listed is a warning; only the directory itself must be readable. Throws DIRECTORY_UNREADABLE.
 */
export function scanDirectory(directory: string, options: ScanOptions): Scan {
  const walk = makeWalk(directory, options);
  walkFolder(walk, { path: '', hidden: false });
  walk.files.sort(byPath);
  dropConflicts(walk);
  return inOrder(walk);
}

function makeWalk(directory: string, { exclude, onFound, stat = statFiles }: ScanOptions): Walk {
  return {
    directory,
    isExcluded: excluder(exclude),
    onFound,
    stat,
    files: [],
    others: [],
    folders: [],
    warnings: [],
  };
}

type Found = Pick<Walk, 'files' | 'others' | 'warnings'> & Pick<Scan, 'folders'>;

/** The files are in order already. */
function inOrder({ files, others, folders, warnings }: Found): Scan {
  return {
    folders,
    files,
    others: others.sort(),
    warnings: warnings.sort((a, b) => compareText(a.path ?? '', b.path ?? '')),
  };
}

/**
 * Updates a scan after changes under these paths alone; all other paths stay as they were. Null means that a full scan
 * has to run: some of the paths are folders, differ only in case, or are files with a second name in the directory.
 */
export function rescan(
  directory: string,
  before: Scan,
  { exclude, paths }: Pick<ScanOptions, 'exclude'> & { readonly paths: ReadonlySet<string> },
): Scan | null {
  if (before.warnings.some(isOfTwin)) return null;
  const walk = makeWalk(directory, { exclude });
  const linked = new Set<bigint>();
  for (const path of paths) {
    if (before.folders.includes(path) || !lookAgain(walk, path, linked)) return null;
  }
  const isElsewhere = ({ path }: { readonly path: string | null }) => path === null || !paths.has(path);
  const files = before.files.filter(isElsewhere);
  const hasOtherName = linked.size > 0 && files.some(({ identity }) => linked.has(identity.inode));
  if (hasOtherName || mayConflict(walk.files, { ...before, files })) return null;
  return inOrder({
    folders: before.folders,
    files: files.concat(walk.files).sort(byPath),
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

/** The folders of a path: `a/b` and `a` of `a/b/c`. */
function foldersOf(path: string): string[] {
  const end = path.lastIndexOf('/');
  return end === -1 ? [] : [path.slice(0, end), ...foldersOf(path.slice(0, end))];
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
    if (PRIVATE_FOLDERS.has(each)) return true;
    folder = {
      path: folder.path === '' ? each : `${folder.path}/${each}`,
      hidden: isHidden(folder, each),
    };
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

function byPath(a: ScannedFile, b: ScannedFile): number {
  return a.path < b.path ? -1 : 1;
}

interface Walk {
  readonly directory: string;
  readonly isExcluded: (path: string) => boolean;
  readonly onFound: ScanOptions['onFound'];
  readonly stat: StatFiles;
  files: ScannedFile[];
  readonly others: string[];
  readonly folders: string[];
  readonly warnings: Warning[];
}

interface Folder {
  readonly path: string;
  /** Inside a folder whose files are not listed, but may hold a secret key. */
  readonly hidden: boolean;
}

function walkFolder(walk: Walk, folder: Folder): void {
  const entries = readFolder(walk, folder.path);
  if (entries === null) return;
  walk.folders.push(folder.path);
  const files: string[] = [];
  for (const entry of entries) {
    const path = folder.path === '' ? entry.name : `${folder.path}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!PRIVATE_FOLDERS.has(entry.name)) walkFolder(walk, { path, hidden: isHidden(folder, entry.name) });
    } else if (isListable(walk, { folder, name: entry.name, path, kind: entry })) {
      files.push(path);
    }
  }
  takeFiles(walk, files);
}

interface FolderEntry {
  readonly folder: Folder;
  readonly name: string;
  readonly path: string;
  readonly kind: Pick<Dirent, 'isFile' | 'isSymbolicLink'>;
}

/** Whether a file may be listed. Collects the other files, and warns about files that are left out. */
function isListable(walk: Walk, { folder, name, path, kind }: FolderEntry): boolean {
  if (isHidden(folder, name) || !isArchiveName(name)) {
    if (kind.isFile()) walk.others.push(path);
    return false;
  }
  if (walk.isExcluded(path)) return false;
  if (!kind.isFile()) {
    const what = kind.isSymbolicLink() ? 'a symbolic link' : 'not a regular file';
    warn(walk, { code: 'NOT_REGULAR', path, message: `${what}: left out` });
    return false;
  }
  const defect = defectOfPath(path);
  if (defect !== null) warn(walk, { code: 'UNSAFE_NAME', path, message: `left out: ${defect}` });
  return defect === null;
}

function isHidden(folder: Folder, name: string): boolean {
  return folder.hidden || name.startsWith('.') || (folder.path === '' && OWN_FOLDERS.has(name));
}

function takeFiles(walk: Walk, paths: readonly string[]): void {
  walk.onFound?.(walk.files.length + paths.length);
  const identityOfEach = walk.stat(walk.directory, paths);
  paths.forEach((path, index) => {
    const identity = identityOfEach(index) ?? identityHere(walk, path);
    if (identity !== null) walk.files.push({ path, identity });
  });
}

/** Null if it cannot be looked at. */
function identityHere(walk: Walk, path: string): FileIdentity | null {
  try {
    return identityOf(lstatSync(`${walk.directory}/${path}`, { bigint: true }));
  } catch (error) {
    // A file that vanished since we read the folder needs no warning.
    if (systemCode(error) === 'ENOENT') return null;
    warn(walk, { code: 'UNREADABLE', path, message: `cannot be read: ${reasonOf(error)}` });
    return null;
  }
}

/** Null if the sub-folder is gone or cannot be read. */
function readFolder(walk: Walk, path: string): readonly Dirent[] | null {
  try {
    return readdirSync(join(walk.directory, path), { withFileTypes: true });
  } catch (error) {
    if (path === '') throw directoryUnreadable(walk.directory, error);
    if (systemCode(error) === 'ENOENT') return null;
    warn(walk, { code: 'UNREADABLE', path, message: `folder cannot be read: ${reasonOf(error)}` });
    return null;
  }
}

function directoryUnreadable(directory: string, error: unknown): PacksignError {
  const missing = systemCode(error) === 'ENOENT';
  const message = missing
    ? `there is no directory ${directory}`
    : `cannot read ${directory}: ${reasonOf(error)}`;
  return new PacksignError('DIRECTORY_UNREADABLE', message, {
    hint: 'name the directory that holds the files',
    cause: error,
  });
}

/** Lists only the first of the files that are one on a file system that ignores case, and no file that is a folder there. */
function dropConflicts(walk: Walk): void {
  const isFolded = (path: string) => foldPath(path) === path;
  // Lower-case paths need no folding, and differ from each other.
  if (walk.files.every(({ path }) => isFolded(path)) && walk.folders.every(isFolded)) return;
  const folders = new Map(walk.folders.map((path) => [foldPath(path), path]));
  const seen = new Map<string, string>();
  walk.files = walk.files.filter(({ path }) => {
    const folded = foldPath(path);
    const [twin, folder] = [seen.get(folded), folders.get(folded)];
    if (twin === undefined && folder === undefined) {
      seen.set(folded, path);
      return true;
    }
    const other = folder === undefined ? twin : `the folder ${folder}`;
    warn(walk, { code: 'UNSAFE_NAME', path, message: `left out: differs from ${other ?? ''} only in case` });
    return false;
  });
}

/** Whether a path is left out only because of another path. */
function isOfTwin({ code, path }: Warning): boolean {
  return code === 'UNSAFE_NAME' && path !== null && isSafePath(path);
}

/** Whether the settings exclude a file. */
export function isExcluded(path: string, globs: readonly string[]): boolean {
  return excluder(globs)(path);
}

function excluder(globs: readonly string[]): (path: string) => boolean {
  if (globs.length === 0) return () => false;
  const matchers = globs.map((glob) =>
    picomatch(glob.includes('/') ? glob.replace(/^\//, '') : `**/${glob}`),
  );
  return (path) => matchers.some((matches) => matches(path));
}

function warn(walk: Walk, warning: Warning): void {
  walk.warnings.push(warning);
}

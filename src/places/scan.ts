import { lstatSync, readdirSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { join } from 'node:path';
import { PacksignError, reasonOf, systemCode } from '../errors.js';
import { showName } from '../model/coverage.js';
import type { Uncovered } from '../model/coverage.js';
import { defectOfPath } from '../model/file-entry.js';
import type { Warning } from '../model/finding.js';
import {
  ASSETS_FOLDER,
  CHECKSUMS_NAMES,
  SIGNATURES_FOLDER,
  STATE_FOLDER,
  isOwnPath,
} from '../model/layout.js';
import { once } from '../model/once.js';
import { compareText } from '../model/package.js';
import { isReleaseName } from '../model/release-names.js';
import type { Settings } from '../model/settings.js';
import { identitiesBytes, identitiesIn, identityAt, identityOf, writeIdentity } from '../disk/identities.js';
import type { FileIdentity } from '../disk/identities.js';
import { matcherOf } from './matcher.js';
import { ownChecksums } from './own-checksums.js';
import { conflictsIn } from './conflicts.js';
import { isProgram } from './program.js';

export interface ScannedFile {
  /** Relative to the directory, with forward slashes. */
  readonly path: string;
  readonly identity: FileIdentity;
}

export interface Scan {
  /** Files to list, in byte order of their paths. */
  readonly files: readonly ScannedFile[];
  /** Everything else in the directory, companions included, but nothing that is excluded or packsign's own. */
  readonly rest: readonly Uncovered[];
  /** Every other regular file, which may hold a secret. Paths in byte order. */
  readonly others: readonly string[];
  /** Files and folders whose names are no UTF-8, which may hold one too: their paths as the system has them. */
  readonly misnamed: readonly Buffer[];
  /** Every folder that was read; the directory itself is ''. */
  readonly folders: readonly string[];
  readonly warnings: readonly Warning[];
}

/** Globs (picomatch) of files; one without `/` counts at any depth. */
export interface Globs {
  /** Listed whatever their names are. */
  readonly include: readonly string[];
  /** Left out, whatever else says that they are listed. */
  readonly exclude: readonly string[];
  /** Whether `SHA256SUMS` and `SHA256SUMS.asc` are packsign's own files, if packsign wrote those that are there. */
  readonly checksums?: boolean;
}

export const NO_GLOBS: Globs = { include: [], exclude: [] };

export function globsOf({ Include = [], Exclude = [], Checksums = false }: Settings): Globs {
  return { include: Include, exclude: Exclude, checksums: Checksums };
}

export interface ScanOptions {
  readonly globs: Globs;
  /** Whether a file is listed by now: it stays so, whatever its contents become. None is if not given. */
  readonly isListed?: ((path: string) => boolean) | undefined;
  /** Called after each folder with the number of files found so far. */
  readonly onFound?: ((count: number) => void) | undefined;
}

/**
 * Finds the files of a directory, recursively and sorted. Links are not followed. A file that
 * cannot be listed is a warning; only the directory itself must be readable. Throws DIRECTORY_UNREADABLE.
 */
export function scanDirectory(directory: string, options: ScanOptions): Scan {
  const walk = makeWalk(directory, options);
  walkFolder(walk, { path: '', hidden: false });
  return ended(walk);
}

/** What the scan of a bucket knows of its objects. */
export interface ListedObjects {
  /** Path → identity. */
  readonly objects: ReadonlyMap<string, FileIdentity>;
  /** Whether an object is a program; asked of those that are not listed for their names. */
  readonly isProgram: (path: string) => boolean;
}

/** Finds the files to list among the objects of a bucket, by the rules of a directory. The directory has packsign's own, if there is one. */
export function scanObjects(
  directory: string | null,
  { objects, isProgram }: ListedObjects,
  options: ScanOptions,
): Scan {
  const own = directory === null ? { ownChecksums: () => [] } : {};
  const walk: Walk = { ...makeWalk(directory ?? '', options), isProgram, ...own };
  for (const [path, identity] of objects) {
    const names = path.split('/');
    const name = names.pop() ?? '';
    const folder = names.reduce(folderIn, { path: '', hidden: false });
    const kind = { isFile: () => true, isSymbolicLink: () => false };
    if (isListable(walk, { folder, name, path, kind })) walk.files.push({ path, identity });
  }
  return ended(walk);
}

/** What a walk has found, in order and without conflicts. */
function ended(walk: Walk): Scan {
  walk.files.sort(byPath);
  dropConflicts(walk);
  return inOrder(walk);
}

export function makeWalk(directory: string, { globs, isListed, onFound }: ScanOptions): Walk {
  const isIncluded = matcherOf(globs.include);
  return {
    directory,
    isWanted: (path) => isListed?.(path) === true || isIncluded(path),
    isExcluded: matcherOf(globs.exclude),
    isProgram: (path) => isProgram(`${directory}/${path}`),
    ownChecksums: once(() => (globs.checksums === undefined ? [] : ownChecksums(directory))),
    onFound,
    files: [],
    rest: [],
    others: [],
    misnamed: [],
    folders: [],
    warnings: [],
  };
}

type Found = Pick<Walk, 'files' | 'rest' | 'others' | 'warnings'> & Pick<Scan, 'folders' | 'misnamed'>;

/** The files are in order already. */
export function inOrder({ files, rest, others, misnamed, folders, warnings }: Found): Scan {
  return {
    folders,
    misnamed,
    files,
    rest: rest.sort((a, b) => compareText(a.path, b.path)),
    others: others.sort(),
    warnings: warnings.sort((a, b) => compareText(a.path ?? '', b.path ?? '')),
  };
}

export function byPath(a: ScannedFile, b: ScannedFile): number {
  return a.path < b.path ? -1 : 1;
}

export interface Walk {
  readonly directory: string;
  readonly isWanted: (path: string) => boolean;
  readonly isExcluded: (path: string) => boolean;
  readonly isProgram: (path: string) => boolean;
  /** The names of checksums that packsign wrote. */
  readonly ownChecksums: () => readonly string[];
  readonly onFound: ScanOptions['onFound'];
  files: ScannedFile[];
  readonly rest: Uncovered[];
  readonly others: string[];
  readonly misnamed: Buffer[];
  readonly folders: string[];
  readonly warnings: Warning[];
}

export interface Folder {
  readonly path: string;
  /** Inside a folder whose files are not listed, but may hold a secret key. */
  readonly hidden: boolean;
}

/** What a folder in a folder is to the walk. */
export function folderIn(folder: Folder, name: string): Folder {
  const path = folder.path === '' ? name : `${folder.path}/${name}`;
  return { path, hidden: isHidden(folder, name) };
}

function walkFolder(walk: Walk, folder: Folder): void {
  const entries = readFolder(walk, folder.path);
  if (entries === null) return;
  walk.folders.push(folder.path);
  const isMisnamed = entries.some(({ name }) => name.includes(REPLACEMENT));
  const files: string[] = [];
  for (const entry of isMisnamed ? wellNamed(walk, folder) : entries) {
    const below = folderIn(folder, entry.name);
    const { path } = below;
    if (entry.isDirectory()) {
      if (path !== STATE_FOLDER) walkFolder(walk, below);
    } else if (isListable(walk, { folder, name: entry.name, path, kind: entry })) {
      files.push(path);
    }
  }
  takeFiles(walk, files);
}

/** Stands in a decoded name for bytes that are no UTF-8. */
export const REPLACEMENT = '\ufffd';

/** The entries of a folder whose names are UTF-8. Collects the others, which cannot be opened under their names. */
function wellNamed(walk: Walk, folder: Folder): readonly FolderItem[] {
  const path = join(walk.directory, folder.path);
  const items: FolderItem[] = [];
  for (const entry of readdirSync(path, { encoding: 'buffer', withFileTypes: true })) {
    const { name } = entry;
    const text = name.toString('utf8');
    if (Buffer.from(text).equals(name)) {
      const [file, link, below] = [entry.isFile(), entry.isSymbolicLink(), entry.isDirectory()];
      items.push({ name: text, isFile: () => file, isSymbolicLink: () => link, isDirectory: () => below });
      continue;
    }
    const above = folder.path === '' ? '' : `${folder.path}/`;
    walk.misnamed.push(Buffer.concat([Buffer.from(above), name]));
    if (isHidden(folder, text)) continue;
    const path = above + showName(name);
    if (!walk.isExcluded(path)) walk.rest.push({ path, reason: 'name' });
  }
  return items;
}

type FolderItem = Pick<Dirent, 'name' | 'isFile' | 'isSymbolicLink' | 'isDirectory'>;

interface FolderEntry {
  readonly folder: Folder;
  readonly name: string;
  readonly path: string;
  readonly kind: Pick<Dirent, 'isFile' | 'isSymbolicLink'>;
}

/** Whether to list a file. Collects the others, and warns of those that only their name or their kind excludes. */
export function isListable(walk: Walk, { folder, name, path, kind }: FolderEntry): boolean {
  if (isHidden(folder, name) || isOwn(walk, path) || walk.isExcluded(path)) {
    if (kind.isFile()) walk.others.push(path);
    return false;
  }
  const isWanted = isReleaseName(name) || walk.isWanted(path);
  if (!kind.isFile()) {
    const isLink = kind.isSymbolicLink();
    walk.rest.push({ path, reason: isLink ? 'link' : 'special' });
    if (!isWanted) return false;
    const what = isLink ? 'a symbolic link' : 'not a regular file';
    walk.warnings.push({ code: 'NOT_REGULAR', path, message: `${what}: left out` });
    return false;
  }
  if (!isWanted && !isProgramHere(walk, path)) return false;
  const defect = defectOfPath(path);
  if (defect === null) return true;
  walk.others.push(path);
  walk.rest.push({ path, reason: 'name' });
  walk.warnings.push({ code: 'UNSAFE_NAME', path, message: `left out: ${defect}` });
  return false;
}

/** What has the name of one of packsign's folders, and is none, is not its own. */
function isOwn(walk: Walk, path: string): boolean {
  if (CHECKSUMS_NAMES.includes(path)) return walk.ownChecksums().includes(path);
  return isOwnPath(path) && path !== SIGNATURES_FOLDER && path !== ASSETS_FOLDER;
}

/** Whether a file is listed for its contents. Collects it if not. */
function isProgramHere(walk: Walk, path: string): boolean {
  try {
    if (walk.isProgram(path)) return true;
    walk.rest.push({ path, reason: 'kind' });
  } catch (error) {
    // A file that vanished since we read the folder needs no word.
    if (systemCode(error) === 'ENOENT') return false;
    walk.rest.push({ path, reason: 'unreadable' });
  }
  walk.others.push(path);
  return false;
}

function isHidden(folder: Folder, name: string): boolean {
  return folder.hidden || name.startsWith('.');
}

export function takeFiles(walk: Walk, paths: readonly string[]): void {
  walk.onFound?.(walk.files.length + paths.length);
  const identities = identitiesIn(new ArrayBuffer(identitiesBytes(paths.length)));
  paths.forEach((path, index) => {
    const identity = identityHere(walk, path);
    if (identity === null) return;
    writeIdentity(identities, index, identity);
    walk.files.push({ path, identity: identityAt(identities, index) });
  });
}

/** Null if it cannot be looked at. */
function identityHere(walk: Walk, path: string): FileIdentity | null {
  try {
    return identityOf(lstatSync(`${walk.directory}/${path}`, { bigint: true }));
  } catch (error) {
    return warnOfUnreadable(walk, path, { what: '', error });
  }
}

/** Null if the sub-folder is gone or cannot be read. */
function readFolder(walk: Walk, path: string): readonly Dirent[] | null {
  try {
    return readdirSync(join(walk.directory, path), { withFileTypes: true });
  } catch (error) {
    if (path === '') throw directoryUnreadable(walk.directory, error);
    return warnOfUnreadable(walk, path, { what: 'folder ', error });
  }
}

/** What vanished since we read the folder needs no warning. */
function warnOfUnreadable(walk: Walk, path: string, { what, error }: { what: string; error: unknown }): null {
  if (systemCode(error) === 'ENOENT') return null;
  walk.rest.push({ path, reason: 'unreadable' });
  walk.warnings.push({ code: 'UNREADABLE', path, message: `${what}cannot be read: ${reasonOf(error)}` });
  return null;
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

/** Leaves out files that conflict with others. */
function dropConflicts(walk: Walk): void {
  const conflicts = conflictsIn(walk);
  if (conflicts.size === 0) return;
  walk.files = walk.files.filter(({ path }) => !conflicts.has(path));
  for (const [path, other] of conflicts) {
    walk.others.push(path);
    walk.rest.push({ path, reason: 'case' });
    walk.warnings.push({
      code: 'UNSAFE_NAME',
      path,
      message: `left out: differs from ${other} only in case`,
    });
  }
}

/** Whether one of these globs is about a file. */
export function matches(path: string, globs: readonly string[]): boolean {
  return matcherOf(globs)(path);
}

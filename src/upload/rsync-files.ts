import { withFiles } from '../disk/scratch.js';
import { foldersOf } from '../model/file-entry.js';
import { UNSEEN } from '../model/work.js';
import type { Stored } from '../model/listing.js';
import type { Outgoing, Writing } from './remote.js';
import { localFolder } from './rsync-call.js';
import type { Rsync } from './rsync-call.js';
import { lacksFolder } from './rsync-failure.js';
import { parseChanges, parseProgress } from './rsync-output.js';
import type { Found } from './rsync-output.js';
import { selecting } from './rsync-place.js';
import { differingIn, requireUnaltered } from './unaltered.js';

/** Half-sent files, in a folder of that name beside their own, from which rsync goes on. */
const PARTIAL_FOLDER = '.rsync-partial';
/** `.NAME.XXXXXX`, under which rsync receives a file. */
const TEMPORARY = /(?<=^|\/)\.([^/]+)\.[A-Za-z0-9]{6}$/;
/** One run of rsync is not much longer than that, so that the journal and the progress keep up. */
const BATCH_BYTES = 256 * 1024 * 1024;
const BATCH_FILES = 1000;

export interface Sending extends Writing {
  /** Folders that are there already. */
  readonly folders: ReadonlySet<string>;
}

/**
 * Sends files. New ones are for everybody to read, whatever the umask there; others keep their permissions. Their time is
 * that of the transfer: with the one they have here, a server could call a replaced file not modified.
 */
export async function sendTo(rsync: Rsync, files: readonly Outgoing[], sending: Sending): Promise<void> {
  for (const batch of batchesOf(files)) {
    let shown = 0;
    const reach = (bytes: number) => {
      sending.onBytes(bytes - shown);
      shown = bytes;
    };
    await fromDisk(batch, sending.directory, async (folder) => {
      try {
        await transfer(rsync, batch, { folder, folders: sending.folders, reach });
      } catch (error) {
        const differing = await differingFrom(rsync, batch, folder).catch(() => null);
        if (differing !== null) {
          for (const file of batch) if (!differing.includes(file.path)) sending.onWritten(file);
        }
        throw error;
      }
    });
    reach(batch.reduce((sum, { size }) => sum + size, 0));
    for (const file of batch) sending.onWritten(file);
  }
}

async function transfer(
  rsync: Rsync,
  files: readonly Outgoing[],
  {
    folder,
    folders,
    reach,
  }: Pick<Sending, 'folders'> & { readonly folder: string; readonly reach: (bytes: number) => void },
): Promise<void> {
  const isNew = files[0]?.over === 'nothing';
  const newFolders = isNew ? foldersAbove(files).filter((path) => !folders.has(path)) : [];
  await rsync.call({
    verb: 'write to',
    options: [
      ...['--checksum', `--partial-dir=${PARTIAL_FOLDER}`],
      ...(isNew ? ['--perms', '--chmod=D755,F644', '--omit-dir-times'] : []),
      // Killed, packsign reads no more, and that ends rsync too.
      ...['--info=progress2', '--outbuf=N'],
    ],
    onOutput: (text) => {
      const bytes = parseProgress(text);
      if (bytes !== null) reach(bytes);
    },
    ...{ from: localFolder(folder), to: rsync.folder },
    paths: [...newFolders, ...files.map(({ path }) => path)],
  });
}

/** Which of these files do not lie there with these bytes. */
export async function differingAt(
  rsync: Rsync,
  files: readonly Outgoing[],
  directory: string,
): Promise<readonly string[]> {
  const differing: string[] = [];
  for (const alike of groupsOf(files, ({ bytes }) => String(bytes === null))) {
    await fromDisk(alike, directory, async (folder) => {
      // A call takes fewer arguments than a database has files.
      for (const path of await differingFrom(rsync, alike, folder)) differing.push(path);
    });
  }
  return differing;
}

/** The same for files that do not lie here, by fetching them. */
export async function differingFetched(rsync: Rsync, files: readonly Outgoing[]): Promise<readonly string[]> {
  const differing: string[] = [];
  for (const batch of batchesOf(files)) {
    await withFiles({}, async (folder) => {
      await rsync.call({
        ...{ verb: 'read', options: selecting(batch.map(({ path }) => path)), from: rsync.folder },
        ...{ to: localFolder(folder), paths: null, isFine: lacksFolder },
      });
      differing.push(...(await differingIn(folder, batch, UNSEEN)));
    });
  }
  return differing;
}

async function differingFrom(
  rsync: Rsync,
  files: readonly Outgoing[],
  folder: string,
): Promise<readonly string[]> {
  const { stdout } = await rsync.call({
    verb: 'read',
    options: ['--dry-run', '--checksum', '--out-format=%i %n'],
    ...{ from: localFolder(folder), to: rsync.folder, paths: files.map(({ path }) => path) },
  });
  return parseChanges(stdout.toString('latin1'));
}

/** Removes named files and empty folders, and nothing else: rsync misses them in an empty folder. */
export async function removeAt(rsync: Rsync, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  await withFiles({}, async (empty) => {
    await rsync.call({
      ...{ verb: 'remove files at', options: ['--delete-missing-args'], from: localFolder(empty) },
      ...{ to: rsync.folder, paths },
      // It tells that they are missing here.
      isFine: ({ status }) => status === 24,
    });
  });
}

/**
 * Removes what earlier runs left half-sent: whatever is needed has been sent by now. An rsync that was killed there left
 * its temporary file beside the one that it was for; `before` spares one that somebody may be writing.
 */
export async function removePartials(
  rsync: Rsync,
  { files, folders }: Found,
  { sent, before }: { readonly sent: ReadonlySet<string>; readonly before: number },
): Promise<void> {
  const isPartial = (path: string) => path.split('/').includes(PARTIAL_FOLDER);
  const isTemporary = (path: string, { modifiedMs }: Stored) => {
    const whole = path.replace(TEMPORARY, '$1');
    return whole !== path && (files.has(whole) || sent.has(whole)) && modifiedMs < before;
  };
  const left = Array.from(files).filter(([path, stored]) => isPartial(path) || isTemporary(path, stored));
  await removeAt(
    rsync,
    left.map(([path]) => path),
  );
  await removeAt(rsync, Array.from(folders).filter(isPartial));
}

/** Puts files into a folder for rsync to read: bytes into a temporary one. Throws FILE_ALTERED. */
async function fromDisk(
  files: readonly Outgoing[],
  directory: string,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const staged = files.flatMap(({ path, bytes }) => (bytes === null ? [] : [[path, bytes] as const]));
  if (staged.length > 0) {
    await withFiles(Object.fromEntries(staged), use);
    return;
  }
  const requireStill = await requireUnaltered(files, directory);
  await use(directory);
  requireStill();
}

/** Files that are sent in one go: alike in where they are and whether they are new. */
function batchesOf(files: readonly Outgoing[]): readonly (readonly Outgoing[])[] {
  const alike = groupsOf(files, ({ bytes, over }) => `${bytes === null} ${over === 'nothing'}`);
  return alike.flatMap((group) => {
    const batches: Outgoing[][] = [];
    let size = BATCH_BYTES;
    for (const file of group) {
      if (size + file.size > BATCH_BYTES || (batches.at(-1)?.length ?? 0) >= BATCH_FILES) {
        batches.push([]);
        size = 0;
      }
      batches.at(-1)?.push(file);
      size += file.size;
    }
    return batches;
  });
}

function groupsOf<T>(items: readonly T[], nameOf: (item: T) => string): readonly (readonly T[])[] {
  const names = Array.from(new Set(items.map(nameOf)));
  return names.map((name) => items.filter((item) => nameOf(item) === name));
}

/** The folders of files, outermost first; never `.`, of which rsync would send all that is in it. */
function foldersAbove(files: readonly Outgoing[]): readonly string[] {
  return Array.from(new Set(files.flatMap(({ path }) => [...foldersOf(path)].reverse())));
}

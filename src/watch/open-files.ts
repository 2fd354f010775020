import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../errors.js';
import { fileNameOf } from '../model/file-entry.js';
import { groupedBy } from '../model/lists.js';
import { orElse } from '../model/or-null.js';
import type { ScannedFile } from '../places/scan.js';

/**
 * Which of these files a process of this machine has open for writing. Only Linux says so (`/proc`), and only of processes
 * that we may look into: usually those of the same user. Never throws: what we cannot see is not open. This process is
 * left out.
 */
export function openForWriting(files: readonly ScannedFile[], proc = '/proc'): ReadonlySet<string> {
  const open = new Set<string>();
  if (files.length === 0) return open;
  const byName = groupedBy(files, ({ path }) => fileNameOf(path));
  for (const pid of namesIn(proc)) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    for (const [fd, target] of openFilesOf(`${proc}/${pid}/fd`)) {
      // The status of any other file could hang: its file system may be out of reach.
      const named = byName.get(fileNameOf(target));
      if (named === undefined) continue;
      const file = findFile(named, `${proc}/${pid}/fd/${fd}`);
      if (file !== null && isWriting(`${proc}/${pid}/fdinfo/${fd}`)) open.add(file.path);
    }
  }
  return open;
}

/** The open files of a process, with the paths that they have by now; none if we may not look into it. */
function* openFilesOf(folder: string): Generator<readonly [fd: string, target: string]> {
  for (const fd of namesIn(folder)) {
    try {
      yield [fd, readlinkSync(join(folder, fd))];
    } catch (error) {
      // What is refused for one is refused for all, and each refusal takes time.
      if (systemCode(error) === 'EACCES') return;
    }
  }
}

/** Processes end and files are closed while we look. */
function namesIn(folder: string): readonly string[] {
  return orElse(() => readdirSync(folder), []);
}

/** A container may see the file under another path, so compare the files themselves. */
function findFile(files: readonly ScannedFile[], link: string): ScannedFile | null {
  const stats = orElse(() => statSync(link, { bigint: true }), null);
  const isSame = ({ identity: { device, inode } }: ScannedFile) =>
    stats?.dev === device && stats.ino === inode;
  return files.find(isSame) ?? null;
}

/** Whether the flags of an open file, in octal, have `O_WRONLY` or `O_RDWR`. */
function isWriting(fdinfo: string): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(orElse(() => readFileSync(fdinfo, 'latin1'), ''))?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & 3) !== 0;
}

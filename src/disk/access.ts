import { fchmodSync, fchownSync, fstatSync, statSync, statfsSync } from 'node:fs';
import { PacksignError, systemCode } from '../errors.js';
import { orElse } from '../model/or-null.js';

/** Exactly this, whatever the umask: only its owner reads a secret. */
export const SECRET = 0o600;
/** Of a published file that is new: everybody reads it, whatever the umask. */
export const PUBLIC = 0o644;

/** Who may use a file. */
export interface Access {
  readonly mode: number;
  /** Null for this user. */
  readonly owner: Owner | null;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
  /** The file that has this owner. */
  readonly of: string;
}

/** The access of the file that a path leads to; null if there is none. Others never may write a file of ours. */
export function accessOf(path: string): Access | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() !== true) return null;
  return { mode: stats.mode & 0o775, owner: { uid: stats.uid, gid: stats.gid, of: path } };
}

/** Gives a file that was just made its owner and its permissions. Throws FILE_UNWRITABLE and system errors. */
export function giveAccess(fd: number, { mode, owner }: Access, path: string): void {
  const { uid, gid } = fstatSync(fd);
  // Without the group that reads the file, it would vanish from a web server.
  if (owner !== null && !giveOwner(fd, owner, { uid, gid }) && isForGroup(mode))
    throw wrongGroup(path, owner);
  try {
    fchmodSync(fd, mode);
  } catch (error) {
    if (!WITHOUT_MODES.includes(systemCode(error) ?? '')) throw error;
  }
}

/** What file systems without permissions answer. */
const WITHOUT_MODES = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** Only root gives files away; others may give them to a group of theirs. False if the file has another group than wanted. */
function giveOwner(fd: number, wanted: Owner, now: Omit<Owner, 'of'>): boolean {
  if (wanted.uid === now.uid && wanted.gid === now.gid) return true;
  return [wanted.uid, now.uid].some((uid) => changesOwner(fd, uid, wanted.gid));
}

function changesOwner(fd: number, uid: number, gid: number): boolean {
  try {
    fchownSync(fd, uid, gid);
    return true;
  } catch (error) {
    if (![...WITHOUT_MODES, 'EINVAL'].includes(systemCode(error) ?? '')) throw error;
    return false;
  }
}

function isForGroup(mode: number): boolean {
  return (mode & 0o040) !== 0 && (mode & 0o004) === 0;
}

function wrongGroup(path: string, { gid, of }: Owner): PacksignError {
  const message = `cannot write ${path}: only the group ${gid} may read ${of}, and you cannot give it a file`;
  return new PacksignError('FILE_UNWRITABLE', message, {
    hint: `become a member of the group, or let everybody read the file: chmod o+r ${of}`,
  });
}

/** Whether users of this machine other than its owner may read or change a file. False on Windows, which has other rules. */
export function isOpenToOthers(path: string): boolean {
  // Whoever reads the file says why it cannot be read.
  return orElse(() => process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0, false);
}

/** FAT, exFAT, NTFS and SMB, as Linux numbers them: the permissions are those of the mount. */
const FILE_SYSTEMS_WITHOUT_MODES = [0x4d44, 0x2011bab0, 0x5346544e, 0x7366746e, 0xff534d42, 0xfe534d42];

/** Whether `chmod` has an effect on a file, as far as we can tell. */
export function hasModes(path: string): boolean {
  return orElse(() => !FILE_SYSTEMS_WITHOUT_MODES.includes(statfsSync(path).type), true);
}

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { kindOf } from '../disk/files.js';
import { foldersOf } from '../model/file-entry.js';
import { DATABASE_NAME } from '../model/layout.js';
import { DATABASE_LIMITS } from '../places/place.js';
import { behindLink, inTheWay, raced } from './remote.js';
import type { Outgoing, Remote } from './remote.js';
import { rsyncAt } from './rsync-call.js';
import type { Rsync } from './rsync-call.js';
import { lacksFolder } from './rsync-failure.js';
import type { RsyncTarget } from './rsync-failure.js';
import { differingAt, differingFetched, removeAt, removePartials, sendTo } from './rsync-files.js';
import { parseListing } from './rsync-output.js';
import type { Found } from './rsync-output.js';
import { rsyncPlace } from './rsync-place.js';
import { withSshLock } from './ssh-lock.js';
import type { Held, LockOptions } from './ssh-lock.js';

/** How long another machine may need between its last look at the database and its own, at least. */
const RACE_MS = 1000;
/** Where writers do not take turns, a younger temporary file may be in use. */
const OTHERS_MS = 60 * 60 * 1000;

/**
 * A folder at a host, through ssh or a daemon of rsync. Through ssh, writers take turns. A daemon, and a host that runs no
 * commands, has no locks: the database is read again once every other writer who had seen the one of before must be done.
 */
export function rsyncRemote(target: RsyncTarget, { run, environment }: Omit<LockOptions, 'target'>): Remote {
  let held: Held = { check: null, environment };
  const rsync = rsyncAt(target, () => held.environment);
  const place = rsyncPlace(rsync);
  let there: Found | null = null;
  const sent = new Set<string>();
  return {
    destination: target.target,
    name: rsync.folder,
    place,
    list: async () => {
      there = await listingAt(rsync);
      return withoutHidden(there);
    },
    write: async (files, writing) => {
      for (const { path } of files) requireRoom(path, there, rsync);
      await held.check?.();
      const beginMs = performance.now();
      await sendTo(rsync, files, { ...writing, folders: there?.folders ?? new Set() });
      for (const { path } of files) sent.add(path);
      const database = files.find(({ path }) => path === DATABASE_NAME);
      if (held.check !== null || database === undefined) return;
      await sleep(Math.max(RACE_MS, 4 * (performance.now() - beginMs)));
      await requireWinner(database, rsync, place);
    },
    remove: async (paths) => {
      await held.check?.();
      await removeAt(rsync, paths);
    },
    differing: async (files, directory) => {
      // It compares only with what lies here.
      const isHere = ({ path, bytes }: Outgoing) =>
        bytes !== null || kindOf(join(directory, path)) === 'file';
      const elsewhere = await differingFetched(
        rsync,
        files.filter((file) => !isHere(file)),
      );
      return [...elsewhere, ...(await differingAt(rsync, files.filter(isHere), directory))];
    },
    alone: async (work) =>
      await withSshLock({ target, environment, run }, async (given) => {
        held = given;
        const result = await work();
        const before = held.check === null ? run.now.getTime() - OTHERS_MS : Infinity;
        if (there !== null) await removePartials(rsync, there, { sent, before });
        return result;
      }),
    close: () => undefined,
  };
}

async function listingAt(rsync: Rsync): Promise<Found | null> {
  const outcome = await rsync.call({
    ...{ verb: 'list', options: ['--recursive', '--list-only'], from: rsync.folder, to: null, paths: null },
    isFine: lacksFolder,
  });
  return lacksFolder(outcome) ? null : parseListing(outcome.stdout.toString('latin1'), rsync.target.target);
}

/** Files that have a name which a published one may have. */
function withoutHidden(there: Found | null): Found['files'] {
  return new Map(Array.from(there?.files ?? []).filter(([path]) => !/(?:^|\/)\./.test(path)));
}

/** Rsync would replace a link or a file by a folder. Throws DESTINATION_FAILED. */
function requireRoom(path: string, there: Found | null, { target }: Rsync): void {
  const at = (below: string) => `${below} at ${target.target}`;
  const link = foldersOf(path).find((above) => there?.links.has(above) === true);
  if (link !== undefined) throw behindLink(at(link));
  const file = foldersOf(path).find((above) => there?.files.has(above) === true);
  if (file !== undefined) throw inTheWay(at(file), 'file');
  if (there?.folders.has(path) === true) throw inTheWay(at(path), 'folder');
}

/** Throws DESTINATION_RACED. */
async function requireWinner({ bytes }: Outgoing, { target }: Rsync, place: Remote['place']): Promise<void> {
  const read = await place.readDatabase(DATABASE_LIMITS);
  if (read.kind === 'found' && bytes !== null && read.bytes.equals(bytes)) return;
  throw raced(target.target);
}

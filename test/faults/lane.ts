import {
  cpSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Workshop } from '../real.js';

/**
 * A directory and a home in which one run after another fails, each from the same start. Its files are never touched:
 * packsign does not cache a file that changed a moment ago, so a fresh copy for each run would have to wait.
 */
export interface Lane extends Workshop {
  readonly directory: string;
  /** A folder that no test looks at. */
  readonly beside: string;
  /** Restores everything but the files, to the start or to a copy of the lane's folder. */
  readonly restore: (from?: string) => void;
}

/** A lane that is old enough for its files to be cached. */
export async function makeOldLane(workshop: Workshop, start: string): Promise<Lane> {
  const lane = makeLane(workshop, start);
  await setTimeout(2_100);
  return lane;
}

/** Two of them, for runs at the same time. */
export function makeLanes(workshop: Workshop, start: string): Promise<readonly [Lane, Lane]> {
  return Promise.all([makeOldLane(workshop, start), makeOldLane(workshop, start)]);
}

/** A lane with a copy of `start` as its directory, and an empty home. */
export function makeLane(workshop: Workshop, start: string): Lane {
  const machine = mkdtempSync(join(workshop.folder, 'machine-'));
  cpSync(start, join(machine, 'dist'), { recursive: true, preserveTimestamps: true });
  mkdirSync(join(machine, 'home'));
  return makeLaneOf(workshop, machine);
}

/** A lane with a copy of a folder that holds a directory `dist` and a home. */
export function makeLaneOf(workshop: Workshop, machine: string): Lane {
  const folder = mkdtempSync(join(workshop.folder, 'lane-'));
  const [directory, home] = [join(folder, 'dist'), join(folder, 'home')];
  cpSync(machine, folder, { recursive: true, preserveTimestamps: true });
  const first = mkdtempSync(join(workshop.folder, 'start-'));
  cpSync(folder, first, { recursive: true, preserveTimestamps: true });
  return {
    ...workshop,
    folder,
    directory,
    beside: workshop.folder,
    environment: { ...workshop.environment, HOME: home },
    restore: (from = first) => {
      makeAlike(folder, from);
    },
  };
}

/** Gives a folder the contents of another one. What is the same there already stays as it is. */
function makeAlike(folder: string, from: string): void {
  const wanted = entriesIn(from);
  for (const [path, bytes] of entriesIn(folder)) {
    const there = wanted.get(path);
    const isSame = there === null ? bytes === null : bytes !== null && there?.equals(bytes) === true;
    const isOneName = there === null || (there !== undefined && lstatSync(join(from, path)).nlink === 1);
    if (isSame && isOneName) wanted.delete(path);
    else rmSync(join(folder, path), { recursive: true, force: true });
  }
  const names = new Map<number, string>();
  for (const path of wanted.keys()) {
    const { ino, nlink } = lstatSync(join(from, path));
    const known = nlink > 1 ? names.get(ino) : undefined;
    // Two names of one file stay that.
    if (known !== undefined) linkSync(known, join(folder, path));
    else cpSync(join(from, path), join(folder, path), { recursive: true, preserveTimestamps: true });
    names.set(ino, join(folder, path));
  }
}

/** Paths in a folder, a folder before what is in it, with the bytes of files. */
function entriesIn(folder: string): Map<string, Buffer | null> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = join(entry.parentPath, entry.name);
    return [path.slice(folder.length + 1), entry.isFile() ? readFileSync(path) : null] as const;
  });
  return new Map(entries.sort(([one], [other]) => (one < other ? -1 : 1)));
}

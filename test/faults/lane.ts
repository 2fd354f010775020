import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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
  /** Restores everything but the files. */
  readonly restore: () => void;
}

/** Two lanes for runs at the same time, old enough for their files to be cached. */
export async function makeLanes(workshop: Workshop, start: string): Promise<readonly [Lane, Lane]> {
  const lanes = [makeLane(workshop, start), makeLane(workshop, start)] as const;
  await setTimeout(2_100);
  return lanes;
}

/** A lane with a copy of `start` as its directory, and an empty home. */
export function makeLane(workshop: Workshop, start: string): Lane {
  const folder = mkdtempSync(join(workshop.folder, 'lane-'));
  const [directory, home] = [join(folder, 'dist'), join(folder, 'home')];
  cpSync(start, directory, { recursive: true, preserveTimestamps: true });
  mkdirSync(home);
  const before = filesIn(folder);
  const folders = new Set(foldersIn(folder));
  return {
    ...workshop,
    folder,
    directory,
    beside: workshop.folder,
    environment: { ...workshop.environment, HOME: home },
    restore: () => {
      for (const [path, bytes] of filesIn(folder)) {
        if (before.get(path)?.equals(bytes) !== true) rmSync(path);
      }
      for (const path of foldersIn(folder)) {
        if (!folders.has(path)) rmSync(path, { recursive: true, force: true });
      }
      const now = filesIn(folder);
      for (const [path, bytes] of before) {
        if (now.has(path)) continue;
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
      }
    },
  };
}

function filesIn(folder: string): ReadonlyMap<string, Buffer> {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [path, readFileSync(path)]));
}

function foldersIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}

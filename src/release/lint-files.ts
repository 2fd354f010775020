import { closeSync, fstatSync, openSync } from 'node:fs';
import { READ_FLAGS, readerOf } from '../disk/files.js';
import { reasonOf } from '../errors.js';
import type { FileFacts } from '../model/entry.js';
import { findingOf } from '../model/lint-rules.js';
import type { DirectoryFinding } from '../model/lint-rules.js';
import { shellPath } from '../model/shell.js';
import { SLACK_MS, formatTime } from '../model/time.js';
import { pause } from '../run.js';
import { lintArchive, notLookedInto } from './lint-archive.js';
import type { ArchiveContext } from './lint-archive.js';

/** What the listed files hold, and when they were changed. Rejects only if the run is stopped. */
export async function lintFiles(
  files: readonly FileFacts[],
  context: ArchiveContext & { readonly directory: string },
): Promise<readonly DirectoryFinding[]> {
  const { database, run } = context;
  const listed = files.filter(({ path }) => database.Files.has(path));
  const findings: DirectoryFinding[] = [];
  let done = 0;
  const bytes = listed.reduce((sum, { size }) => sum + size, 0);
  run.progress({ doing: 'looking into', bytes, done: () => done });
  try {
    for (const file of listed) {
      await pause(run);
      findings.push(...(await lintFile(file, context)));
      done += file.size;
    }
  } finally {
    run.progress(null);
  }
  return findings;
}

async function lintFile(
  facts: FileFacts,
  { directory, ...context }: ArchiveContext & { readonly directory: string },
): Promise<readonly DirectoryFinding[]> {
  const { path } = facts;
  const fd = open(`${directory}/${path}`);
  if (typeof fd !== 'number') return [notLookedInto(path, fd.reason)];
  try {
    const { size, mtimeMs } = fstatSync(fd);
    const archive = await lintArchive(facts, { read: readerOf(fd), size }, context);
    if (mtimeMs <= context.run.now.getTime() + SLACK_MS) return archive;
    const message = `it was changed at ${formatTime(mtimeMs)}`;
    const file = shellPath(directory, path);
    const hint = `touch ${file ?? 'it'}; if its date is right, set the clock of this machine`;
    return [findingOf({ code: 'DATED_AHEAD', path, message, hint }), ...archive];
  } finally {
    closeSync(fd);
  }
}

function open(path: string): number | { readonly reason: string } {
  try {
    return openSync(path, READ_FLAGS);
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

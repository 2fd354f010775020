import { closeSync, fstatSync, openSync } from 'node:fs';
import { READ_FLAGS, readerOf } from '../disk/files.js';
import { reasonOf } from '../errors.js';
import type { FileFacts } from '../model/entry.js';
import { findingOf } from '../model/lint-rules.js';
import type { DirectoryFinding } from '../model/lint-rules.js';
import { shellPath } from '../model/shell.js';
import { SLACK_MS, formatTime } from '../model/time.js';
import type { Objects } from '../places/objects.js';
import { pause } from '../run.js';
import { surveyFile } from '../workers/survey.js';
import { surveyObjects } from '../workers/survey-objects.js';
import { lintArchive, notLookedInto, surveyOf } from './lint-archive.js';
import type { ArchiveContext } from './lint-archive.js';

/** What the listed files hold, and when they were changed. Rejects only if the run is stopped. */
export async function lintFiles(
  files: readonly FileFacts[],
  context: ArchiveContext & { readonly directory: string },
): Promise<readonly DirectoryFinding[]> {
  const { database, run } = context;
  const listed = files.filter(({ path }) => database.Files.has(path));
  if (run.objects !== null) return await lintObjects(listed, run.objects, context);
  const findings: DirectoryFinding[] = [];
  let [done, bytesDone] = [0, 0];
  const bytes = listed.reduce((sum, { size }) => sum + size, 0);
  const counted = { count: listed.length, done: () => done };
  run.progress({ doing: 'looking into', bytes, done: () => bytesDone, files: counted });
  try {
    for (const file of listed) {
      await pause(run);
      findings.push(...(await lintFile(file, context)));
      bytesDone += file.size;
      done += 1;
    }
  } finally {
    run.progress(null);
  }
  return findings;
}

/** The same for files that lie in a bucket, which dates them by its own clock. */
async function lintObjects(
  listed: readonly FileFacts[],
  objects: Objects,
  context: ArchiveContext,
): Promise<readonly DirectoryFinding[]> {
  const there = listed.flatMap((facts) => {
    const { path } = facts;
    const identity = objects.identityOf(path);
    return identity === null ? [] : [{ facts, path, identity, survey: surveyOf(path, context) }];
  });
  const surveys = await surveyObjects(there, objects, context.run);
  return there.flatMap(({ facts }, index) => {
    const survey = surveys[index];
    return survey === undefined ? [] : lintArchive(facts, survey, context);
  });
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
    const survey = await surveyFile(path, { read: readerOf(fd), size }, surveyOf(path, context));
    const archive = lintArchive(facts, survey, context);
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

import { join } from 'node:path';
import { identityAtPath, isSameIdentity } from '../disk/identities.js';
import { digestListed } from '../workers/digest-listed.js';
import { UNSEEN } from '../model/work.js';
import type { Run } from '../run.js';
import { changed } from './remote.js';
import type { Outgoing } from './remote.js';

/**
 * Hashes files of a directory before another program reads them. The function that it returns throws as well if anybody
 * has touched one since, even if its bytes are the same again: what was read may be others. Throws FILE_ALTERED.
 */
export async function requireUnaltered(files: readonly Outgoing[], directory: string): Promise<() => void> {
  const identities = files.map(({ path }) => [path, identityAtPath(join(directory, path))] as const);
  const [altered] = await differingIn(directory, files, UNSEEN);
  if (altered !== undefined) throw changed(directory, altered);
  return () => {
    for (const [path, before] of identities) {
      const now = identityAtPath(join(directory, path));
      if (before === null || now === null || !isSameIdentity(before, now)) throw changed(directory, path);
    }
  };
}

/** Which of these files do not lie in a folder with these bytes. */
export async function differingIn(
  folder: string,
  files: readonly Outgoing[],
  run: Pick<Run, 'progress'>,
): Promise<readonly string[]> {
  const since = new Date(0);
  const listed = new Map(
    files.map(({ path, size, sha256 }) => [path, { Size: size, SHA256: sha256, Since: since }]),
  );
  const found = await digestListed(folder, listed, run);
  return files.flatMap(({ path, sha256 }) => {
    const file = found.get(path);
    return file?.kind === 'digested' && file.sha256 === sha256 ? [] : [path];
  });
}

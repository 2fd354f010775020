import { join } from 'node:path';
import { keysAtHand, status } from '../../index.js';
import type { StatusResult } from '../../index.js';
import type { Command } from '../command.js';
import { folderIn } from '../environment.js';
import { knownOf } from '../hint.js';
import { lookInPlace } from '../bucket.js';
import { DIRECTORY, isSet, keysOf } from '../options.js';
import { reportStatus } from '../report-status.js';
import type { Outside } from '../streams.js';
import { PREVIEW_OPTIONS } from '../option-tables.js';
import { buildOptions } from './build.js';

export const statusCommand: Command = {
  examples: [['packsign status dist', 'exit 1 if anything needs attention']],
  positionals: DIRECTORY,
  options: PREVIEW_OPTIONS,
  run: async (values, session) =>
    await lookInPlace(values, session, async (place) => {
      const { outside } = session;
      const result = await status(place.directory, buildOptions(values, { place, session }));
      // Once somebody has signed, another key than that one has to.
      const isShared = (result.waiting?.signed ?? []).length > 0;
      const named = isShared ? null : keysOf(values, { settings: place.settings, outside });
      const known = isShared ? { ...values, key: [] } : await knownOf(values, outside);
      const found = result.ok ? [] : await keysHere(missingIn(result), outside);
      const isFound = named === null && found.length === 1;
      return reportStatus(result, {
        directory: place.directory,
        verbose: isSet(values, 'verbose'),
        typed: isFound ? { ...known, key: found } : known,
        keyBy: isFound ? '--key' : (named?.by ?? null),
        keys: [...(named?.keys ?? []), ...found],
        newKey: newKeyIn(outside),
      });
    }),
};

/** The signers whose signature is missing, or all if there are none. */
function missingIn({ signers, waiting }: StatusResult): readonly string[] {
  const missing = waiting?.missing ?? [];
  return missing.length > 0 ? missing : signers.map(({ fingerprint }) => fingerprint);
}

/** Keys of this machine that could sign for these signers. */
export async function keysHere(signers: readonly string[], outside: Outside): Promise<readonly string[]> {
  return await keysAtHand({
    files: ['packsign-key.asc', newKeyIn(outside)].map((file) => file.replace(/asc$/, 'signing.asc')),
    signers,
    environment: outside.environment,
  });
}

/** Where a first key is proposed: not in the current folder, which may be one that is uploaded. */
function newKeyIn({ environment }: Outside): string {
  const home = folderIn(environment, 'HOME') ?? folderIn(environment, 'USERPROFILE');
  return home === null ? 'packsign-key.asc' : join(home, 'packsign-key.asc');
}

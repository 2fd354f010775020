import { PacksignError, hearParts, readParts } from '../../index.js';
import type { Hear, Merged } from '../../index.js';
import type { Command } from '../command.js';
import { hintFor } from '../hint.js';
import type { Typed } from '../hint.js';
import { positionals, single } from '../option.js';
import { isSet, listOf } from '../options.js';
import { withParts } from '../report-parts.js';
import { buildCommand } from './build.js';

const {
  rehash: _1,
  shard: _2,
  output: _3,
  state: _4,
  queue: _5,
  'double-check': _6,
  ...OPTIONS
} = buildCommand.options;

export const mergeCommand: Command = {
  examples: [
    ['packsign merge part-*.json --state own', 'make the database of a bucket from its parts'],
    ['packsign merge part-*.json --state own --key key.asc', 'then sign and publish it there'],
  ],
  positionals: { parts: positionals('FILE', 'files that build --shard wrote') },
  options: {
    ...OPTIONS,
    state: single('FOLDER', "folder of packsign's own files", { demandOption: true }),
  },
  // A build that hears of other machines what is in the bucket.
  run: async (values, session) => {
    const parts = readParts(listOf(values, 'parts'));
    const typed = { ...values, directory: parts.address };
    let merged = (): Merged => ({ taken: 0, read: [] });
    const hear: Hear = (...what) => {
      const told = hearParts(parts)(...what);
      merged = told.merged;
      return told;
    };
    try {
      const report = await buildCommand.run(typed, { ...session, hear });
      return withParts(report, { merged: merged(), parts, verbose: isSet(values, 'verbose') });
    } catch (error) {
      throw withAddress(error, typed);
    }
  },
};

/** The address is in the parts, and not on the command line from which hints take it. */
function withAddress(error: unknown, typed: Typed): unknown {
  if (!(error instanceof PacksignError)) return error;
  const hint = hintFor(error.hint, typed);
  return new PacksignError(error.code, error.message, { hint, cause: error.cause });
}

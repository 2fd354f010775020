import { PacksignError, verify } from '../../index.js';
import type { Command } from '../command.js';
import { notesFolder } from '../folders.js';
import { isSet, listOf, numberOf, repeated, single, textOf } from '../options.js';
import { reportVerify } from '../report.js';

export const verifyCommand: Command = {
  usage: 'verify [target]',
  summary: 'say whose a database is, and check every archive',
  group: 'trust',
  examples: [
    ['packsign verify dist', 'check a directory that this machine published'],
    ['packsign verify dist --fingerprint 0123…CDEF', 'hold it to a key that you know'],
    ['packsign verify packages.plist --keys maintainer.asc', 'check one file, with its signature beside it'],
  ],
  options: (yargs) =>
    yargs
      .positional('target', { type: 'string', default: '.', describe: 'directory or database file' })
      .option('keys', single('file of certificates; all keys in it are pinned'))
      .option('fingerprint', repeated('primary fingerprint to insist on'))
      .option('threshold', single('how many pinned keys must have signed (default: 1)'))
      .option('signature', single('the signature file, where it is not beside the database'))
      .option('archives', { type: 'boolean', default: true, describe: 'check the archives too' })
      .option('strict', {
        type: 'boolean',
        default: false,
        describe: 'unlisted and yanked archives fail too',
      })
      .option('allow-stale', { type: 'boolean', default: false, describe: 'accept an expired database' })
      .option('allow-unauthenticated', {
        type: 'boolean',
        default: false,
        describe: 'accept a database that is nobody’s',
      }),
  run: async (values, { outside, progress }) => {
    const result = await verify(textOf(values, 'target') ?? '.', {
      keysFile: textOf(values, 'keys'),
      fingerprints: listOf(values, 'fingerprint').map(parseFingerprint),
      threshold: numberOf(values, 'threshold'),
      signatureFile: textOf(values, 'signature'),
      archives: isSet(values, 'archives'),
      now: outside.clock(),
      notesFolder: notesFolder(outside),
      onProgress: (done, of) => {
        progress.say(`checking archives: ${done} of ${of}`);
      },
    });
    return reportVerify(result, {
      strict: isSet(values, 'strict'),
      allowStale: isSet(values, 'allow-stale'),
      allowUnauthenticated: isSet(values, 'allow-unauthenticated'),
    });
  },
};

function parseFingerprint(text: string): string {
  const digits = text
    .replace(/[\s:]+/g, '')
    .replace(/^0x/i, '')
    .toUpperCase();
  if (/^[0-9A-F]{40}$/.test(digits)) return digits;
  throw new PacksignError('USAGE', `"${text}" is not a full fingerprint`, {
    hint: 'a fingerprint has 40 hex digits; shorter key numbers can be forged',
  });
}

import { sign } from '../../index.js';
import type { Command } from '../command.js';
import { isSet, placeOf, single, textOf, withDirectory, withKeys, withSettings } from '../options.js';
import { reportSign } from '../report.js';
import { writingRun } from '../run.js';
import { publishingOptions, signersFor } from './build.js';

export const signCommand: Command = {
  examples: [
    ['packsign sign dist --key key.asc', 'sign dist/packages.unsigned.plist byte for byte, then publish it'],
    ['packsign sign dist --key key.asc --rehash', 'the same, reading every file again'],
    ['packsign sign dist --without-archives --key key.asc', 'on an offline host: only sign'],
    ['packsign sign dist', 'publish what was signed elsewhere'],
    ['packsign sign dist --co-sign --key key.asc', 'add a signature to what is published'],
  ],
  options: (yargs) =>
    withKeys(withSettings(withDirectory(yargs)))
      .option('rehash', {
        type: 'boolean',
        default: false,
        describe: 'read every file, whatever the cache says',
      })
      .option('without-archives', {
        type: 'boolean',
        default: false,
        describe: 'sign on a host that does not have the files, publish elsewhere',
      })
      .option('co-sign', {
        type: 'boolean',
        default: false,
        describe: 'add a signature to what is published',
      })
      .option('previous', single('file or address of the published packages.plist, where it is not here')),
  run: async (values, session) => {
    const place = placeOf(values);
    const signers = await signersFor(values, { place, session });
    const result = await sign(place.directory, {
      ...publishingOptions(values, place),
      run: writingRun(values, session, { place, doing: 'comparing files:' }),
      settings: place.settings,
      signers,
      rehash: isSet(values, 'rehash'),
      withoutFiles: isSet(values, 'without-archives'),
      coSign: isSet(values, 'co-sign'),
      previous: textOf(values, 'previous'),
    });
    return reportSign(result, { directory: place.directory, coSign: isSet(values, 'co-sign') });
  },
};

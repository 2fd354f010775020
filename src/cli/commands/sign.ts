import { sign } from '../../index.js';
import type { Command } from '../command.js';
import {
  ALLOW_DAMAGED_OPTION,
  REHASH_OPTION,
  flag,
  isSet,
  listOf,
  placeOf,
  predecessorOf,
  withDirectory,
  withKeys,
  withPrevious,
  withSettings,
} from '../options.js';
import { reportSign } from '../report.js';
import { writingRun } from '../run.js';
import { publishingOptions, signersFor } from './build.js';

export const signCommand: Command = {
  examples: [
    ['packsign sign dist --key key.asc', 'sign dist/packages.unsigned.plist byte for byte, then publish it'],
    ['packsign sign dist --key key.asc --rehash', 'the same, reading every file again'],
    ['packsign sign dist --without-files --key key.asc', 'on an offline host: only sign'],
    ['packsign sign dist', 'publish what was signed elsewhere'],
    ['packsign sign dist --co-sign --key key.asc', 'add a signature to what is published'],
  ],
  options: (yargs) =>
    withKeys(withSettings(withPrevious(withDirectory(yargs))))
      .option('rehash', REHASH_OPTION)
      .option('allow-damaged', ALLOW_DAMAGED_OPTION)
      .option('without-files', flag('sign on a host that does not have the files, publish elsewhere'))
      .option('co-sign', flag('add a signature to what is published')),
  run: async (values, session) => {
    const place = placeOf(values);
    const coSign = isSet(values, 'co-sign');
    const result = await sign(place.directory, {
      ...publishingOptions(values, place),
      signers: await signersFor(values, { place, session }),
      run: writingRun(values, session, { place }),
      settings: place.settings,
      rehash: isSet(values, 'rehash'),
      allowDamaged: listOf(values, 'allow-damaged'),
      withoutFiles: isSet(values, 'without-files'),
      coSign,
      ...predecessorOf(values),
    });
    return reportSign(result, { directory: place.directory, coSign, verbose: isSet(values, 'verbose') });
  },
};

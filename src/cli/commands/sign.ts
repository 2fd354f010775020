import { sign } from '../../index.js';
import type { Command } from '../command.js';
import { SIGN_OPTIONS } from '../option-tables.js';
import { DIRECTORY, isSet, listOf, predecessorOf } from '../options.js';
import { reportSign } from '../report.js';
import { inPlace } from '../bucket.js';
import { writingRun } from '../run.js';
import { publishedToo, publishingOptions, signersFor } from './build.js';

export const signCommand: Command = {
  examples: [
    ['packsign sign dist --key key.asc', 'sign dist/packages.unsigned.plist byte for byte, then publish it'],
    ['packsign sign dist --key key.asc --rehash', 'the same, reading every file again'],
    ['packsign sign dist --without-files --key key.asc', 'on an offline host: only sign'],
    ['packsign sign dist', 'publish what was signed elsewhere'],
    ['packsign sign dist --co-sign --key key.asc', 'add a signature to what is published'],
  ],
  positionals: DIRECTORY,
  options: SIGN_OPTIONS,
  run: async (values, session) =>
    await inPlace(values, session, async (place) => {
      const coSign = isSet(values, 'co-sign');
      const result = await sign(place.directory, {
        ...publishingOptions(values, place),
        signers: await signersFor(values, { place, session }),
        run: writingRun(values, session, place),
        settings: place.settings,
        rehash: isSet(values, 'rehash'),
        allowDamaged: listOf(values, 'allow-damaged'),
        withoutFiles: isSet(values, 'without-files'),
        coSign,
        ...predecessorOf(values),
      });
      const verbose = isSet(values, 'verbose');
      const report = reportSign(result, { directory: place.directory, coSign, verbose });
      if (place.objects === undefined || isSet(values, 'without-files')) return report;
      return await publishedToo(report, [place.objects.address], { values, place, session });
    }),
};

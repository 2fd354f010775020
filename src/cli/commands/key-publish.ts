import { PacksignError, openCertificates, publishKeys } from '../../index.js';
import type { Command } from '../command.js';
import { rare, repeated } from '../option.js';
import { DIRECTORY, STATE_OPTION, WAIT_OPTION, keysOf, listOf, placeOf } from '../options.js';
import { reportKeys } from '../report-keys.js';
import { writingRun } from '../run.js';

export const keyPublishCommand: Command = {
  examples: [
    ['packsign key publish dist --key new.pub.asc', 'add a key, or what is new in one, to dist/keys.asc'],
  ],
  positionals: DIRECTORY,
  options: {
    key: repeated('KEY', 'key whose certificate is published (default: the key that signs)'),
    certificate: repeated('FILE', 'file with certificates'),
    ...rare({ state: STATE_OPTION, wait: WAIT_OPTION }),
  },
  run: async (values, session) => {
    const { outside } = session;
    const place = placeOf(values);
    const { directory, settings } = place;
    const files = listOf(values, 'certificate');
    const keys =
      files.length > 0 ? listOf(values, 'key') : (keysOf(values, { settings, outside })?.keys ?? []);
    const { environment } = outside;
    const certificates = await openCertificates([...keys, ...files], { certificates: [], environment });
    if (certificates.length === 0) {
      throw new PacksignError('NO_KEY', 'no key to publish', {
        hint: 'packsign key publish DIRECTORY --key FILE',
      });
    }
    const page = settings.Page === true;
    const run = writingRun(values, session, place);
    return reportKeys(await publishKeys(directory, { certificates, page, run }));
  },
};

import { page } from '../../index.js';
import { inPlace } from '../bucket.js';
import type { Command } from '../command.js';
import { flag, rare, single } from '../option.js';
import { DIRECTORY, STATE_OPTION, WAIT_OPTION, isSet, textOf } from '../options.js';
import { reportPage } from '../report.js';
import { writingRun } from '../run.js';
import { publishedToo } from './build.js';

export const pageCommand: Command = {
  examples: [
    ['packsign page dist', 'write dist/index.html for the database there'],
    ['packsign page dist --template my-page', 'the same from index.eta and the files in my-page'],
  ],
  positionals: DIRECTORY,
  options: {
    template: single('FOLDER', 'folder with an index.eta and assets of your own'),
    force: flag('overwrite a page that was edited by hand'),
    ...rare({ state: STATE_OPTION, wait: WAIT_OPTION }),
  },
  run: async (values, session) =>
    await inPlace(values, session, async (place) => {
      const result = await page(place.directory, {
        template: textOf(values, 'template'),
        force: isSet(values, 'force'),
        settings: place.settings,
        run: writingRun(values, session, place),
      });
      const report = reportPage(result, { verbose: isSet(values, 'verbose') });
      if (place.objects === undefined) return report;
      return await publishedToo(report, [place.objects.address], { values, place, session });
    }),
};

import { exportDatabase } from '../../index.js';
import type { Command } from '../command.js';
import { single, textOf, withDirectory } from '../options.js';
import { reportInventory } from '../report.js';

export const exportCommand: Command = {
  examples: [['packsign export dist --format sha256sums', 'lines that sha256sum -c accepts']],
  options: (yargs) =>
    withDirectory(yargs).option('format', {
      ...single('sha256sums or json'),
      choices: ['sha256sums', 'json'],
      default: 'sha256sums',
    }),
  run: async (values) => {
    const inventory = await exportDatabase(textOf(values, 'directory') ?? '.');
    return reportInventory(inventory, textOf(values, 'format') === 'json' ? 'json' : 'sha256sums');
  },
};

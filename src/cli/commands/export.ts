import { exportDatabase } from '../../index.js';
import type { Command } from '../command.js';
import { single, textOf, withDirectory } from '../options.js';
import { reportExport } from '../report.js';

const FORMATS = { choices: ['sha256sums', 'json'], default: 'sha256sums' } as const;

export const exportCommand: Command = {
  examples: [['packsign export dist --format sha256sums', 'lines that sha256sum -c accepts']],
  options: (yargs) => withDirectory(yargs).option('format', single('sha256sums or json', FORMATS)),
  run: async (values) => {
    const exported = await exportDatabase(textOf(values, 'directory') ?? '.');
    return reportExport(exported, textOf(values, 'format') === 'json' ? 'json' : 'sha256sums');
  },
};

import { exportDatabase } from '../../index.js';
import type { Command } from '../command.js';
import { choice } from '../option.js';
import { DIRECTORY, textOf } from '../options.js';
import { reportExport } from '../report.js';

export const exportCommand: Command = {
  examples: [['packsign export dist', 'lines that sha256sum -c accepts']],
  positionals: DIRECTORY,
  options: { format: choice(['sha256sums', 'json'], 'what to print', { default: 'sha256sums' }) },
  run: async (values) => {
    const exported = await exportDatabase(textOf(values, 'directory') ?? '.');
    return reportExport(exported, textOf(values, 'format') === 'json' ? 'json' : 'sha256sums');
  },
};

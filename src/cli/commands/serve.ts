import { once } from 'node:events';
import { serve } from '../../index.js';
import type { Command } from '../command.js';
import { single } from '../option.js';
import { DIRECTORY, portOf, textOf } from '../options.js';
import { reportServing } from '../report.js';

export const serveCommand: Command = {
  examples: [
    ['packsign serve dist', 'look at the page of dist in a browser'],
    ['packsign serve dist --port 8080', 'the same at http://localhost:8080/'],
  ],
  positionals: DIRECTORY,
  options: {
    port: single('PORT', 'port to listen at (default: any free one)'),
    host: single('ADDRESS', 'address to listen at (default: 127.0.0.1, this machine alone)'),
  },
  run: async (values, { outside, print }) => {
    const directory = textOf(values, 'directory') ?? '.';
    const host = textOf(values, 'host') ?? '127.0.0.1';
    const stop = outside.stopSignal();
    const server = await serve(directory, { host, port: portOf(values), live: false });
    print(reportServing(server.url, { directory }));
    await once(stop, 'abort');
    await server.close();
    return { json: null, lines: [], exitStatus: 0 };
  },
};

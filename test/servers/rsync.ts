import { join } from 'node:path';
import type { ServerPlan } from '../net/servers.js';

/** A daemon of rsync with a folder as its module `site`. `more`: further lines, such as `read only = yes`. */
export const rsyncDaemon: (folder: string, more?: readonly string[]) => ServerPlan = (folder, more = []) => ({
  program: 'rsync',
  keepsUser: true,
  files: () => ({
    'rsyncd.conf': [
      'use chroot = no',
      // Root would write as nobody.
      ...(process.getuid?.() === 0 ? ['uid = root', 'gid = root'] : []),
      '[site]',
      `path = ${folder}`,
      'read only = no',
      ...more,
    ].join('\n'),
  }),
  args: ({ home, ports: [port = 0] }) => [
    ...['--daemon', '--no-detach', '--address', '127.0.0.1', '--port', String(port)],
    ...['--config', join(home, 'rsyncd.conf'), '--log-file', join(home, 'log')],
  ],
});

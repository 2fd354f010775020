import type { Place, Run } from '../packsign.js';

/** A file system call of Node that always fails for paths with this ending. */
export interface Fault {
  readonly call: string;
  readonly path: string;
  readonly code: 'EIO' | 'EROFS' | 'EACCES';
}

/** Loaded before packsign, to make calls fail as the system would. It notes the path of each descriptor when it is opened. */
const PRELOAD = `
const fs = require('node:fs');
const { getSystemErrorMap } = require('node:util');
const { root, faults } = JSON.parse(process.env.FAULTS);
const errors = new Map(Array.from(getSystemErrorMap(), ([errno, [code, words]]) => [code, { errno, words }]));
const paths = new Map();
const open = fs.openSync;
fs.openSync = (path, ...rest) => {
  const fd = open(path, ...rest);
  paths.set(fd, String(path));
  return fd;
};
for (const { call, path: end, code } of faults) {
  const real = fs[call];
  fs[call] = (target, ...rest) => {
    const path = typeof target === 'number' ? (paths.get(target) ?? '') : String(target);
    const isHere = require('node:path').resolve(path).startsWith(root);
    // A link or a rename counts under its new name.
    const name = call === 'renameSync' || call === 'linkSync' ? String(rest[0]) : path;
    if (path === '' || !isHere || !name.endsWith(end)) return real(target, ...rest);
    if (call === 'closeSync') real(target);
    const syscall = call.replace(/(?:File)?Sync$/, '').replace('realpath', 'lstat').replace('readdir', 'scandir');
    const { errno, words } = errors.get(code);
    const shown = typeof target === 'number' ? {} : { path };
    const tail = typeof target === 'number' ? '' : \` '\${path}'\`;
    throw Object.assign(new Error(\`\${code}: \${words}, \${syscall}\${tail}\`), { errno, code, syscall, ...shown });
  };
}
`;

/** Runs packsign on a disk on which calls fail. */
export async function packsignOnBrokenDisk(
  place: Place,
  args: readonly string[],
  faults: readonly Fault[],
): Promise<Run> {
  const preload = place.write('broken-disk.cjs', PRELOAD);
  const env = {
    NODE_OPTIONS: `--require=${preload}`,
    FAULTS: JSON.stringify({ root: place.root, faults }),
    // Node must not keep compiled code below the folder that fails.
    NODE_DISABLE_COMPILE_CACHE: '1',
  };
  return await place.process(args, { env });
}

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { quietly } from './files.js';
import { leftTemporaries, temporaryPath } from './temporaries.js';

/**
 * Makes temporary files in a folder that nobody else can read, and removes them after `use`, which gets the folder and
 * the path of each, or when this process exits; and those that killed runs left. A name may have folders.
 */
export async function withFiles<K extends string, T>(
  files: Readonly<Record<K, Uint8Array>>,
  use: (folder: string, paths: Readonly<Record<K, string>>) => Promise<T>,
  parent = tmpdir(),
): Promise<T> {
  for (const left of leftTemporaries(parent, { areFolders: true })) removeFolder(left);
  const folder = temporaryPath(parent);
  const remove = () => removeFolder(folder);
  process.on('exit', remove);
  try {
    mkdirSync(folder, { mode: 0o700 });
    const paths = Object.entries<Uint8Array>(files).map(([name, bytes]) => {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' });
      return [name, path] as const;
    });
    return await use(folder, Object.fromEntries(paths) as Record<K, string>);
  } finally {
    process.off('exit', remove);
    remove();
  }
}

function removeFolder(folder: string): void {
  quietly(() => {
    rmSync(folder, { recursive: true, force: true });
  });
}

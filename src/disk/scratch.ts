import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quietly } from './files.js';

/**
 * Makes temporary files in a folder that nobody else can read, and removes them after `use`, which gets the folder and
 * the path of each.
 */
export async function withFiles<K extends string, T>(
  files: Readonly<Record<K, Uint8Array>>,
  use: (folder: string, paths: Readonly<Record<K, string>>) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'packsign-'));
  try {
    const paths = Object.entries<Uint8Array>(files).map(([name, bytes]) => {
      const path = join(folder, name);
      writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' });
      return [name, path] as const;
    });
    return await use(folder, Object.fromEntries(paths) as Record<K, string>);
  } finally {
    quietly(() => rmSync(folder, { recursive: true, force: true }));
  }
}

// The directories for the measurements: made once, with the same bytes every time.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KINDS } from './packages.mjs';

export const CORPORA = join(dirname(fileURLToPath(import.meta.url)), 'corpora');

const KB = 1000;
const MIB = 1024 * 1024;

export const SIZES = {
  small: { count: 1_000, bytes: 20 * KB, title: '1,000 archives of 20 KB' },
  many: { count: 20_000, bytes: 4 * KB, title: '20,000 archives of 4 KB' },
  large: { count: 16, bytes: 128 * MIB, title: '16 archives of 128 MiB' },
  most: { count: 100_000, bytes: 1 * KB, title: '100,000 archives of 1 KB' },
};

/** The folder of a corpus, with one folder for each kind of package, and the same sizes in each. */
export function prepareCorpus(size) {
  const { count, bytes } = SIZES[size];
  const folder = join(CORPORA, size);
  for (const [kind, { fileName, make }] of Object.entries(KINDS)) {
    const target = join(folder, kind);
    if (existsSync(target)) {
      tidy(target, kind);
      continue;
    }
    console.error(`making ${target}`);
    const unfinished = `${target}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    for (let index = 1; index <= count; index += 1) {
      const name = `bench${String(index).padStart(6, '0')}`;
      writeFileSync(join(unfinished, fileName(name)), make(name, bytes));
    }
    renameSync(unfinished, target);
  }
  return folder;
}

/** Removes what an interrupted run left: added archives, and files that packsign wrote. */
function tidy(folder, kind) {
  for (const name of readdirSync(folder)) {
    if (name.startsWith('bench') && name.endsWith(KINDS[kind].suffix)) continue;
    rmSync(join(folder, name), { recursive: true });
  }
}

/**
 * Writes one more archive of each kind beside a corpus. Returns a function that renames them into it, as a release
 * does, and returns their names.
 */
export function stageArchive(size, number) {
  const name = `extra${String(number).padStart(6, '0')}`;
  const moves = Object.entries(KINDS).map(([kind, { fileName, make }]) => {
    const outside = join(CORPORA, 'work', `arriving.${kind}`);
    writeFileSync(outside, make(name, Math.min(SIZES[size].bytes, 20 * KB)));
    return { kind, outside, fileName: fileName(name) };
  });
  return () => {
    for (const { kind, outside, fileName } of moves) renameSync(outside, join(CORPORA, size, kind, fileName));
    return Object.fromEntries(moves.map(({ kind, fileName }) => [kind, fileName]));
  };
}

/** Removes the added archives. */
export function removeAdded(size) {
  for (const kind of Object.keys(KINDS)) tidy(join(CORPORA, size, kind), kind);
}

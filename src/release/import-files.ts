import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { unreadable } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import type { PackManPackage } from '../format/packman.js';
import type { Settings } from '../model/settings.js';
import { globsOf, scanDirectory } from '../places/scan.js';

/** The file of one entry of an old database. */
export interface ImportedFile {
  /** The name that PackMan gives the file; null for a package without one. */
  readonly name: string | null;
  /** Null if there is no such file here. */
  readonly path: string | null;
  /** Other files here with that name. */
  readonly others: readonly string[];
  /** How the file differs from what the old database says; null if it does not, or says nothing. */
  readonly difference: string | null;
}

const NO_FILE: ImportedFile = { name: null, path: null, others: [], difference: null };

/**
 * Finds the files of the entries of an old database, in their order, and compares them with `MD5Sum`, and `Size` if there
 * is one. Of several files with one name, it takes the one with that MD5. Throws DIRECTORY_UNREADABLE, FILE_UNREADABLE.
 */
export async function findImported(
  directory: string,
  entries: readonly PackManPackage[],
  settings: Settings,
): Promise<readonly ImportedFile[]> {
  const paths = pathsByName(directory, settings);
  const digests = new Map<string, Digest>();
  const digestOf = async (path: string) => {
    const digest = digests.get(path) ?? (await digestFile(join(directory, path)));
    digests.set(path, digest);
    return digest;
  };
  const found: ImportedFile[] = [];
  for (const entry of entries) {
    const url = entry['Download-URL'];
    const name = typeof url === 'string' && url.trim() !== '' ? fileOf(url.trim()) : null;
    const named = name === null ? null : { name, paths: paths.get(name) ?? [] };
    found.push(named === null ? NO_FILE : await findOne(entry, named, digestOf));
  }
  return found;
}

async function findOne(
  entry: PackManPackage,
  { name, paths }: { readonly name: string; readonly paths: readonly string[] },
  digestOf: (path: string) => Promise<Digest>,
): Promise<ImportedFile> {
  const differences: (string | null)[] = [];
  for (const path of paths) differences.push(differenceOf(entry, await digestOf(path)));
  const right = Math.max(0, differences.indexOf(null));
  return {
    name,
    path: paths[right] ?? null,
    others: paths.filter((_, index) => index !== right),
    difference: differences[right] ?? null,
  };
}

/** Refuses files that are not those of the old database. Throws BYTES_CHANGED. */
export function refuseOtherBytes(files: readonly ImportedFile[], allowed: ReadonlyMap<string, string>): void {
  const changed = files.flatMap(({ path, difference }) =>
    path === null || difference === null || allowed.has(path) ? [] : [{ path, difference }],
  );
  const [first] = changed;
  if (first === undefined) return;
  throw new PacksignError(
    'BYTES_CHANGED',
    [
      'files differ from those of the old database; nothing was imported:',
      ...changed.map(({ path, difference }) => `  ${path}\n${difference}`),
    ].join('\n'),
    {
      hint: `put the published files back, or say why they changed: add --allow-changed ${first.path} --reason TEXT`,
    },
  );
}

interface Digest {
  readonly md5: string;
  readonly size: number;
}

/** In the way of other refusals of changed bytes. */
function differenceOf({ MD5Sum, Size }: PackManPackage, { md5, size }: Digest): string | null {
  const [sum, said] = [shown(MD5Sum).toLowerCase(), shown(Size)];
  const [hasSum, hasSize] = [sum !== '', said !== ''];
  if ((!hasSum || sum === md5) && (!hasSize || said === String(size))) return null;
  const was = [...(hasSum ? [`md5 ${sum}`] : []), ...(hasSize ? [`${said} bytes`] : [])].join(', ');
  return `    was ${was}\n    is  md5 ${md5}, ${size} bytes`;
}

function shown(value: PackManPackage[string] | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : 'of the wrong type';
}

async function digestFile(path: string): Promise<Digest> {
  const hash = createHash('md5');
  let size = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      size += chunk.length;
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  return { md5: hash.digest('hex'), size };
}

/** File name → the paths of the files with that name. */
function pathsByName(directory: string, settings: Settings): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const { path } of scanDirectory(directory, { globs: globsOf(settings) }).files) {
    const name = lastComponent(path);
    names.set(name, [...(names.get(name) ?? []), path]);
  }
  return names;
}

/** The file that PackMan saves: the last component of the decoded path (also after `manual:`). */
function fileOf(url: string): string {
  const path = url.replace(/[?#].*$/s, '').replace(/^manual:/i, '');
  return lastComponent(
    path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
  );
}

function lastComponent(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

import { decodeDatabase } from '../format/database.js';
import { decodePackMan, isForeign } from '../format/packman.js';
import type { PackManPackage } from '../format/packman.js';
import type { FileEntry } from '../model/file-entry.js';
import type { Database } from '../model/database.js';
import type { DirectoryComparison } from './compare.js';
import { verifyWithBytes } from './verify.js';
import type { VerifyOptions, VerifyResult } from './verify.js';

/** A file, or a package without one, as a database lists it. It is as trustworthy as the database. */
export interface ListedPackage {
  /** Null, as version and flavor, for a file whose name and version are not known. */
  readonly name: string | null;
  readonly version: string | null;
  readonly flavor: string | null;
  /** The systems and architectures that its file is for; null if it names none. */
  readonly platform: string | null;
  readonly description: string | null;
  /** Path of its file; null for a package without one, and in databases of PackMan. */
  readonly path: string | null;
  readonly size: number | null;
  readonly sha256: string | null;
  /** Only if the database has no better hash. It proves nothing. */
  readonly md5: string | null;
  readonly since: Date | null;
  readonly yanked: string | null;
}

export interface ListResult extends Omit<VerifyResult, keyof DirectoryComparison> {
  /** Whether another program made it for PackMan, so that there is nothing to verify. */
  readonly foreign: boolean;
  readonly maintainer: string | null;
  /** In the order of the database; empty if it was refused. */
  readonly packages: readonly ListedPackage[];
}

export type ListOptions = Omit<VerifyOptions, 'files' | 'strict'>;

/**
 * Verifies a database and lists its packages: a directory, a bucket, a file, an address, or the name of a trusted one.
 * An unauthenticated database is listed too, a refused one is not. Throws what `verify` throws.
 */
export async function list(target: string, options: ListOptions): Promise<ListResult> {
  const { result, bytes } = await verifyWithBytes(target, { ...options, files: false });
  const { files: _, findings: __, companions: ___, ...answer } = result;
  const isOpen = result.status === 'unauthenticated' && bytes !== null;
  if (isOpen && isForeign(bytes)) {
    const { maintainer, packages } = await decodePackMan(bytes);
    return { ...answer, foreign: true, maintainer, packages: packages.map(foreignPackage) };
  }
  const database = result.trusted ?? (isOpen ? decodeDatabase(bytes) : null);
  const packages = database === null ? [] : packagesOf(database);
  return { ...answer, foreign: false, maintainer: database?.Maintainer ?? null, packages };
}

function packagesOf({ Files, Packages }: Database): readonly ListedPackage[] {
  const key = (name = '', version = '', flavor = '') => `${name} ${version} ${flavor}`;
  const descriptions = new Map(
    Packages.map(({ Name, Version, Flavor, Description }) => [key(Name, Version, Flavor), Description]),
  );
  const listed = Array.from(Files, ([path, entry]) =>
    listedPackage(path, entry, descriptions.get(key(entry.Name, entry.Version, entry.Flavor)) ?? null),
  );
  const others = Packages.filter((entry) => entry['Download-URL'] === undefined);
  return [
    ...listed,
    ...others.map((entry) => ({ ...NO_FILE, ...identityOf(entry), description: entry.Description })),
  ];
}

function identityOf(entry: Pick<FileEntry, 'Name' | 'Version' | 'Flavor'>) {
  return { name: entry.Name ?? null, version: entry.Version ?? null, flavor: entry.Flavor ?? null };
}

const NO_FILE = {
  platform: null,
  path: null,
  size: null,
  sha256: null,
  md5: null,
  since: null,
  yanked: null,
} as const;

function listedPackage(path: string, entry: FileEntry, description: string | null): ListedPackage {
  const { Platform = null, Size, SHA256, Since, Yanked = null } = entry;
  const about = { ...identityOf(entry), platform: Platform, description, path, size: Size };
  return { ...about, sha256: SHA256, md5: null, since: Since, yanked: Yanked };
}

function foreignPackage(entry: PackManPackage): ListedPackage {
  const text = (key: string) => (typeof entry[key] === 'string' ? entry[key] : null);
  return {
    ...NO_FILE,
    name: text('Name') ?? '',
    version: text('Version'),
    flavor: text('Flavor'),
    description: text('Description'),
    md5: text('MD5Sum'),
  };
}

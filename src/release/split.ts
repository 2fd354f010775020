import { join } from 'node:path';
import { kindOf, readBounded } from '../disk/files.js';
import { jsonText } from '../format/json.js';
import { databaseAddress } from '../model/address.js';
import { SETTINGS_NAME, STATE_FOLDER } from '../model/layout.js';
import type { Signers } from '../model/database.js';
import type { Settings, TrustSetting } from '../model/settings.js';
import { folderFinder, splitFolders } from '../model/split-folders.js';
import { wholeSeconds } from '../model/time.js';
import type { Certificate } from '../pgp/certificates.js';
import { readPublished } from '../published/read.js';
import type { Run } from '../run.js';
import { findResponsible } from './responsible.js';
import { entriesOf, filesOf, sizeOfNew, sizeOfRest } from './split-entries.js';
import type { Entries, Entry, Head, SplitSource } from './split-entries.js';
import { SETTINGS_LIMIT_BYTES } from './settings.js';
import { placeIn, settingsOfFolder, settingsOfRest } from './split-settings.js';

export interface SplitOptions {
  readonly run: Run;
  readonly settings: Settings;
  /** The most files that a database shall list. */
  readonly limit: number;
  /** Gets the certificates of the keys that are going to sign. */
  readonly signing: () => Promise<readonly Certificate[]>;
}

/** One of the databases of a directory that is split. */
export interface SplitDatabase {
  /** Its folder on this machine. */
  readonly folder: string;
  /** Its address; null if the settings do not say where the directory is published. */
  readonly url: string | null;
  /** Whether a database is in its folder already. */
  readonly isPublished: boolean;
  readonly files: number;
  /** The size of these files. */
  readonly bytes: number;
  /** The size that the database is going to have. */
  readonly databaseBytes: number;
  /** What `packsign.json` in its folder has to be; null if it stays, or if an address or a key is missing for it. */
  readonly settings: Readonly<Record<string, unknown>> | null;
}

export interface SplitPlan {
  /** Whether every database lists as few files as were asked for. */
  readonly ok: boolean;
  /** The size of the published database; null if nothing is published. */
  readonly databaseBytes: number | null;
  /** How many files no database lists yet: the size of their entries is guessed from their names. */
  readonly unlisted: number;
  /** Who signs; null if that is not known. */
  readonly signers: Signers | null;
  /** The directory first, then its folders in byte order. */
  readonly databases: readonly SplitDatabase[];
}

/**
 * Plans how the files of a directory are divided among databases that it vouches for (docs/SCALE.md). Writes nothing.
 * Throws what `entriesOf` throws, PREVIOUS_INVALID, FOREIGN_DATABASE, SETTINGS_INVALID.
 */
export async function split(directory: string, options: SplitOptions): Promise<SplitPlan> {
  const { run, settings, limit, signing } = options;
  const before = readPublished(directory, run.stateFolder);
  const signed = await before.verified();
  const published = signed?.database ?? null;
  const source: SplitSource = { directory, settings, published, now: wholeSeconds(run.now) };
  const entries = entriesOf(source);
  const folders = splitFolders(entries.keys(), limit);
  const known = { settings, published, keys: await before.certificates(), signing: await signing() };
  const family = { source, folders, entries, ...findResponsible(known) };
  const shares = groupBy(entries, folderFinder(folders));
  const parts = await Promise.all(
    folders.map(async (folder) => await partOf(folder, shares.get(folder) ?? NO_ENTRIES, family)),
  );
  const rest = restOf(shares.get('') ?? NO_ENTRIES, parts, family);
  const databases = [rest, ...parts.map(({ database }) => database)];
  return {
    ok: databases.every(({ files }) => files <= limit),
    databaseBytes: signed?.content.bytes.length ?? null,
    unlisted: Array.from(entries.keys()).filter((path) => published?.Files.has(path) !== true).length,
    ...{ signers: family.signers, databases },
  };
}

const NO_ENTRIES: Entries = new Map();

/** The entries of each folder. */
function groupBy(entries: Entries, folderOf: (path: string) => string): ReadonlyMap<string, Entries> {
  const groups = new Map<string, Map<string, Entry>>();
  for (const [path, entry] of entries) {
    const folder = folderOf(path);
    const group = groups.get(folder) ?? new Map<string, Entry>();
    groups.set(folder, group.set(path, entry));
  }
  return groups;
}

/** What is known of all the databases together. */
interface Family {
  readonly source: SplitSource;
  readonly folders: readonly string[];
  readonly entries: Entries;
  readonly maintainer: string | null;
  readonly signers: Signers | null;
}

/** One of them, and how the directory vouches for it; null if its address or its keys are not known. */
interface Part {
  readonly database: SplitDatabase;
  readonly trust: TrustSetting | null;
}

async function partOf(folder: string, entries: Entries, family: Family): Promise<Part> {
  const { directory, settings } = family.source;
  const place = join(directory, folder);
  const own = await readPublished(place, join(place, STATE_FOLDER)).verified();
  const signers = own?.database.Packsign.Signers ?? family.signers;
  const base = addressOf(settings);
  const url = base === null ? null : placeIn(base, folder);
  const head = headOf({ ...family, signers });
  const trust =
    url === null || signers === null ? null : trustIn(url, { ...head, Signers: signers }, entries);
  const isThere = kindOf(join(place, SETTINGS_NAME)) !== null;
  return {
    database: {
      ...{ folder: place, url, isPublished: own !== null, files: entries.size, bytes: bytesOf(entries) },
      databaseBytes: sizeOfNew(entries, folder, { ...head, ...(url === null ? {} : { Database: url }) }),
      settings: isThere || trust === null ? null : writtenFor(folder, { ...family, entries, head }),
    },
    trust,
  };
}

/** Where readers fetch the database of the directory; null if the settings do not say. */
function addressOf(settings: Settings): string | null {
  const base = settings.Database ?? settings['Base-URL'];
  return base === undefined ? null : databaseAddress(base);
}

function headOf({
  source: { settings, published, now },
  maintainer,
  signers,
}: Omit<Family, 'folders' | 'entries'>): Head {
  return {
    ...{ settings, now },
    ...(maintainer === null ? {} : { Maintainer: maintainer }),
    Description: settings.Description ?? published?.Description ?? '',
    ...(signers === null ? {} : { Signers: signers }),
  };
}

/** Clients of PackMan are led to the packages too. */
function trustIn(
  url: string,
  { settings, Maintainer, Signers }: Head & { readonly Signers: Signers },
  entries: Entries,
): TrustSetting {
  const hasPackages = Array.from(entries.values()).some((entry) => entry.package !== null);
  return {
    ...{ URL: url, ...Signers },
    ...(Maintainer === undefined ? {} : { Maintainer }),
    ...(hasPackages && settings.PackMan !== false ? { Include: true } : {}),
  };
}

function writtenFor(
  folder: string,
  {
    source,
    folders,
    entries,
    head,
  }: Pick<Family, 'source' | 'folders' | 'entries'> & { readonly head: Head },
): SplitDatabase['settings'] {
  const { settings, directory } = source;
  const { Maintainer, Description, Signers } = head;
  const isShared = (Signers?.Fingerprints.length ?? 0) > 1;
  const shared: Settings = {
    ...{ ...settings, Description },
    ...(Maintainer === undefined ? {} : { Maintainer }),
    ...(isShared && Signers !== undefined
      ? { Signers: Signers.Fingerprints, Threshold: Signers.Threshold }
      : {}),
  };
  const below = folders.filter((one) => one.startsWith(`${folder}/`));
  const inner = below.map((one) => one.slice(folder.length + 1));
  return settingsOfFolder(shared, { directory, folder, files: filesOf(entries), inner });
}

function restOf(entries: Entries, parts: readonly Part[], family: Family): SplitDatabase {
  const { source, folders } = family;
  const { directory, settings, published } = source;
  const trusts = parts.flatMap(({ trust }) => trust ?? []);
  const head = headOf(family);
  const { Database, Trusts = published?.Packsign.Trusts ?? [] } = settings;
  const rest = { folders, trusts, files: filesOf(entries), all: filesOf(family.entries) };
  return {
    ...{ folder: directory, url: addressOf(settings), isPublished: published !== null },
    ...{ files: entries.size, bytes: bytesOf(entries) },
    databaseBytes: sizeOfRest(entries, source, {
      ...{ ...head, Trusts: [...Trusts, ...trusts] },
      ...(Database === undefined ? {} : { Database }),
    }),
    settings:
      trusts.length === 0 || trusts.length < parts.length ? null : settingsOfRest(writtenIn(directory), rest),
  };
}

/** The settings as they are in the file, which `loadSettings` has checked. */
function writtenIn(directory: string): Readonly<Record<string, unknown>> {
  const bytes = readBounded(join(directory, SETTINGS_NAME), SETTINGS_LIMIT_BYTES);
  return bytes === null ? {} : (JSON.parse(jsonText(bytes)) as Readonly<Record<string, unknown>>);
}

function bytesOf(entries: Entries): number {
  return Array.from(entries.values()).reduce((total, { file: { Size } }) => total + Size, 0);
}

import { join } from 'node:path';
import { readBounded, writeDurably } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { decodePackMan, isForeign } from '../format/packman.js';
import type { PackManPackage, PackManValue } from '../format/packman.js';
import { checkSettings, decodeSettings } from '../format/settings.js';
import { isArchiveName } from '../model/file-name.js';
import type { Warning } from '../model/finding.js';
import { SETTINGS_NAME } from '../model/layout.js';
import type { Settings } from '../model/settings.js';
import { globsOf, scanDirectory } from '../places/scan.js';

const LIMIT_BYTES = 16 * 1024 * 1024;

/** The keys that a maintainer writes by hand, in PackMan's order; packsign finds out the rest from the files. */
const HAND_WRITTEN = [
  ...['Name', 'Version', 'Flavor', 'Description', 'Home-page', 'Install-test', 'Prerequisites'],
  ...['Install-command', 'Pre-install-command', 'Post-install-command'],
  ...['User-install-skips', 'Systemwide-only'],
] as const;

export interface ImportOptions {
  /** The database that was made for PackMan. */
  readonly file: string;
  readonly settings: Settings;
  /** Whether to write `packsign.json`; otherwise nothing is written. */
  readonly write: boolean;
}

export interface Imported {
  /** The settings with what was imported. */
  readonly settings: Settings;
  /** Names and file paths that have overrides now and had none before. */
  readonly added: readonly string[];
  readonly warnings: readonly Warning[];
}

/**
 * Imports a database that was made by hand for PackMan: what its maintainer wrote becomes overrides in `packsign.json`,
 * under the path of the file, or the name of a package without one. Keeps the overrides that are there already. Throws
 * FILE_UNREADABLE, DATABASE_MALFORMED, USAGE, SETTINGS_INVALID, FILE_UNWRITABLE.
 */
export async function importPackMan(directory: string, options: ImportOptions): Promise<Imported> {
  const { file, settings } = options;
  const bytes = readBounded(file, LIMIT_BYTES);
  if (bytes === null) throw new PacksignError('FILE_UNREADABLE', `there is no file ${file}`);
  if (!isForeign(bytes)) {
    throw new PacksignError('USAGE', `${file} was made by packsign, not for PackMan`, {
      hint: 'packsign build DIRECTORY --previous FILE continues a database that is published elsewhere',
    });
  }
  const { maintainer, description, include, packages: entries } = await decodePackMan(bytes);
  const { overrides, warnings } = overridesOf(entries, pathsByName(directory, settings));
  for (const url of include) warn(warnings, null, `"Include" of ${url} was not imported; see "Trusts"`);
  const raw = readRaw(directory);
  const known = asFields(raw['Packages']);
  const packages = { ...known };
  for (const [key, fields] of overrides) packages[key] = { ...fields, ...asFields(known[key]) };
  const next = {
    ...(maintainer === null || maintainer === '' ? {} : { Maintainer: maintainer }),
    ...(description.trim() === '' ? {} : { Description: description.trim() }),
    ...raw,
    Packages: packages,
  };
  const checked = checkSettings(next);
  if (options.write) {
    writeDurably(join(directory, SETTINGS_NAME), Buffer.from(`${JSON.stringify(next, null, 2)}\n`));
  }
  const added = Array.from(overrides.keys()).filter((key) => !Object.hasOwn(known, key));
  return { settings: { ...checked, ...settings, Packages: checked.Packages ?? new Map() }, added, warnings };
}

type Fields = Readonly<Record<string, unknown>>;

function overridesOf(
  entries: readonly PackManPackage[],
  paths: ReadonlyMap<string, readonly string[]>,
): { readonly overrides: ReadonlyMap<string, Fields>; readonly warnings: Warning[] } {
  const warnings: Warning[] = [];
  const overrides = new Map<string, Fields>();
  for (const entry of entries) {
    const key = keyFor(entry, paths, warnings);
    if (key === null) continue;
    if (overrides.has(key)) warn(warnings, key, 'is there more than once; only the first was imported');
    else overrides.set(key, fieldsFor(key, entry, warnings));
  }
  return { overrides, warnings };
}

function readRaw(directory: string): Fields {
  const bytes = readBounded(join(directory, SETTINGS_NAME), LIMIT_BYTES);
  if (bytes === null) return {};
  decodeSettings(bytes);
  return asFields(JSON.parse(bytes.toString()));
}

function asFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
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

/** The key of an entry in `packsign.json`; null if it describes nothing in this directory. */
function keyFor(
  entry: PackManPackage,
  paths: ReadonlyMap<string, readonly string[]>,
  warnings: Warning[],
): string | null {
  const name = textOf(entry['Name']);
  const url = textOf(entry['Download-URL']);
  if (url === '') {
    if (!isArchiveName(name)) return name;
    warn(warnings, name, 'is not a name that a package without a file can have');
    return null;
  }
  const file = fileOf(url);
  const [path, ...others] = paths.get(file) ?? [];
  if (path === undefined) {
    warn(warnings, null, `${name} ${textOf(entry['Version'])} was not imported: there is no ${file} here`);
    return null;
  }
  if (others.length > 0)
    warn(warnings, path, `was taken for ${name}, not ${others.join(', ')} with the same file name`);
  return path;
}

/** The file that PackMan saves: the last component of the decoded path (also after `manual:`). */
function fileOf(url: string): string {
  const path = url.replace(/[?#].*$/, '').replace(/^manual:/i, '');
  return lastComponent(
    path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
  );
}

function lastComponent(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The fields of an entry that a database may hold; warns of the others. */
function fieldsFor(key: string, entry: PackManPackage, warnings: Warning[]): Fields {
  const fields: Record<string, PackManValue> = {};
  for (const name of HAND_WRITTEN) {
    const value = entry[name];
    if (value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) continue;
    const plain = name === 'Prerequisites' ? withoutEmpty(value) : value;
    try {
      checkSettings({ Packages: { [key]: { [name]: plain } } });
      fields[name] = plain;
    } catch (error) {
      if (!(error instanceof PacksignError)) throw error;
      warn(warnings, key, `"${name}" was not imported: ${error.message}`);
    }
  }
  return fields;
}

/** An empty version in a prerequisite means none (as in the example that came with PackMan). */
function withoutEmpty(value: PackManValue): PackManValue {
  if (!Array.isArray(value)) return value;
  return (value as readonly (string | Readonly<Record<string, string>>)[]).map((item) =>
    typeof item === 'string'
      ? item
      : Object.fromEntries(Object.entries(item).filter(([, text]) => text !== '')),
  );
}

function textOf(value: PackManValue | undefined): string {
  return typeof value === 'string' ? value.trim() : '';
}

function warn(warnings: Warning[], path: string | null, message: string): void {
  warnings.push({ code: 'NOT_IMPORTED', path, message });
}

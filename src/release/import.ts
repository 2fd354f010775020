import { join } from 'node:path';
import { readBounded, readNamed, writeDurably } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { decodePackMan, isForeign } from '../format/packman.js';
import type { PackManDatabase, PackManPackage, PackManValue } from '../format/packman.js';
import { checkSettings, decodeSettings } from '../format/settings.js';
import { downloadUrl } from '../model/entry.js';
import type { Warning } from '../model/finding.js';
import { SETTINGS_NAME } from '../model/layout.js';
import { isFileKey, refuseUnreadable } from '../model/overrides.js';
import { orItsError } from '../model/or-null.js';
import type { Settings } from '../model/settings.js';
import { findImported, refuseOtherBytes } from './import-files.js';
import type { ImportedFile } from './import-files.js';

const LIMIT_BYTES = 16 * 1024 * 1024;

/** The keys that a maintainer writes by hand, in PackMan's order; packsign finds out the rest from the files. */
const HAND_WRITTEN: readonly string[] = [
  ...['Name', 'Version', 'Flavor', 'Description', 'Home-page', 'Install-test', 'Prerequisites'],
  ...['Install-command', 'Pre-install-command', 'Post-install-command'],
  ...['User-install-skips', 'Systemwide-only'],
];
/** What is compared with the files, or made anew. */
const OF_FILES: readonly string[] = ['Download-URL', 'MD5Sum', 'Size'];

export interface ImportOptions {
  /** The database that was made for PackMan. */
  readonly file: string;
  readonly settings: Settings;
  /** File path → why its bytes may differ from those of the old database. */
  readonly allowed: ReadonlyMap<string, string>;
  /** Whether to write `packsign.json`; otherwise nothing is written. */
  readonly write: boolean;
}

export interface Imported {
  /** The settings with what was imported. */
  readonly settings: Settings;
  /** Names and file paths that have overrides now and had none before. */
  readonly added: readonly string[];
  /** All that the next database does not say as the old one did. */
  readonly warnings: readonly Warning[];
}

/**
 * Imports a database that was made by hand for PackMan: what its maintainer wrote becomes overrides in `packsign.json`,
 * under the path of the file, or the name of a package without one. Keeps the overrides that are there already. Writes
 * nothing if a file is not the one that the old database describes. Throws FILE_UNREADABLE, DATABASE_MALFORMED, USAGE,
 * BYTES_CHANGED, SETTINGS_INVALID, FILE_UNWRITABLE.
 */
export async function importPackMan(directory: string, options: ImportOptions): Promise<Imported> {
  const { file, settings, allowed } = options;
  const old = await readOld(file);
  const found = await findImported(directory, old.packages, settings);
  refuseOtherBytes(found, allowed);
  const raw = readRaw(directory);
  const { overrides, warnings } = overridesOf(old.packages, found, { ...checkSettings(raw), ...settings });
  const known = asFields(raw['Packages']);
  const packages = { ...known };
  for (const [key, fields] of overrides) packages[key] = { ...fields, ...asFields(known[key]) };
  const [maintainer, description] = [old.maintainer?.trim() ?? '', old.description.trim()];
  const next = {
    ...(maintainer === '' ? {} : { Maintainer: maintainer }),
    ...(description === '' ? {} : { Description: description }),
    ...raw,
    Packages: packages,
  };
  const checked = checkSettings(next);
  if (options.write) {
    writeDurably(join(directory, SETTINGS_NAME), Buffer.from(`${JSON.stringify(next, null, 2)}\n`));
  }
  return {
    settings: { ...checked, ...settings, Packages: checked.Packages ?? new Map() },
    added: Array.from(overrides.keys()).filter((key) => !Object.hasOwn(known, key)),
    warnings: [...lostWarnings(old), ...warnings],
  };
}

async function readOld(file: string): Promise<PackManDatabase> {
  const bytes = readNamed(file, LIMIT_BYTES);
  if (!isForeign(bytes)) {
    throw new PacksignError('USAGE', `${file} was made by packsign, not for PackMan`, {
      hint: 'to continue a database that is published elsewhere: packsign build DIRECTORY --previous FILE',
    });
  }
  return await decodePackMan(bytes);
}

/** What settings cannot take over from around the packages. */
function lostWarnings({ include, otherKeys, hasComments }: PackManDatabase): readonly Warning[] {
  const warnings: Warning[] = [];
  for (const url of include) warn(warnings, null, `"Include" of ${url} was not imported; see "Trusts"`);
  for (const key of otherKeys) warn(warnings, null, `the top-level "${key}" was not imported`);
  if (hasComments) warn(warnings, null, 'comments were not imported');
  return warnings;
}

type Fields = Readonly<Record<string, unknown>>;

function overridesOf(
  entries: readonly PackManPackage[],
  found: readonly ImportedFile[],
  settings: Settings,
): { readonly overrides: ReadonlyMap<string, Fields>; readonly warnings: readonly Warning[] } {
  const warnings: Warning[] = [];
  const overrides = new Map<string, Fields>();
  for (const [index, entry] of entries.entries()) {
    const file = found[index] ?? null;
    const key = file === null ? null : keyFor(entry, file, warnings);
    if (file === null || key === null) continue;
    if (overrides.has(key)) {
      warn(warnings, key, 'is there more than once; only the first was imported');
      continue;
    }
    overrides.set(key, fieldsFor(key, entry, { settings, warnings }));
    if (file.path !== null) tellOfFile(file.path, entry, { settings, warnings });
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

/** The key of an entry in `packsign.json`; null if it describes nothing in this directory. */
function keyFor(
  entry: PackManPackage,
  { path, name: file, others }: ImportedFile,
  warnings: Warning[],
): string | null {
  const name = textOf(entry['Name']);
  if (file === null) {
    if (!isFileKey(name)) return name;
    warn(warnings, name, 'is not a name that a package without a file can have');
    return null;
  }
  if (path === null) {
    warn(warnings, null, `${name} ${textOf(entry['Version'])} was not imported: there is no ${file} here`);
    return null;
  }
  if (others.length > 0)
    warn(warnings, path, `was taken for ${name}, not ${others.join(', ')} with the same file name`);
  return path;
}

interface Circumstances {
  readonly settings: Settings;
  readonly warnings: Warning[];
}

/** The fields of an entry that a database may hold; warns of the others. */
function fieldsFor(key: string, entry: PackManPackage, { settings, warnings }: Circumstances): Fields {
  const fields: Record<string, PackManValue> = {};
  for (const [name, value] of Object.entries(entry)) {
    if (OF_FILES.includes(name)) continue;
    if (!HAND_WRITTEN.includes(name))
      warn(warnings, key, `"${name}" was not imported: PackMan knows no such key`);
    else if (value === null) warn(warnings, key, `"${name}" was not imported: its value has the wrong type`);
    else if (!isEmpty(name, value)) {
      const plain = name === 'Prerequisites' ? withoutEmpty(value) : value;
      const defect = defectOf({ key, name, value: plain }, settings);
      if (defect === null) fields[name] = plain;
      else warn(warnings, key, `"${name}" was not imported: ${defect}`);
    }
  }
  return Object.fromEntries(HAND_WRITTEN.flatMap((name) => (name in fields ? [[name, fields[name]]] : [])));
}

/** An empty test means that the package is always installed; other keys say nothing if they are empty. */
function isEmpty(name: string, value: PackManValue): boolean {
  return (value === '' && name !== 'Install-test') || (Array.isArray(value) && value.length === 0);
}

/** Why a database may not hold a field; null if it may. */
function defectOf(
  { key, name, value }: { key: string; name: string; value: PackManValue },
  { PackMan = true }: Settings,
): string | null {
  const settings = { PackMan, Packages: { [key]: { [name]: value } } };
  const refusal = orItsError(() => refuseUnreadable(checkSettings(settings)));
  return refusal instanceof PacksignError ? refusal.message : null;
}

/** Says what the entry of a file is going to say otherwise, or no longer proves. */
function tellOfFile(path: string, entry: PackManPackage, { settings, warnings }: Circumstances): void {
  const [before, after] = [textOf(entry['Download-URL']), downloadUrl(path, settings)];
  if (before !== after) {
    const advice =
      settings['Base-URL'] === undefined ? '; "Base-URL" in packsign.json makes it absolute' : '';
    warn(warnings, path, `"Download-URL" was ${before} and is now ${after}${advice}`);
  }
  if (textOf(entry['MD5Sum']) === '')
    warn(warnings, path, 'had no MD5Sum: nothing shows that it is the file that was published');
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

function textOf(value: PackManValue | null | undefined): string {
  return typeof value === 'string' ? value.trim() : '';
}

function warn(warnings: Warning[], path: string | null, message: string): void {
  warnings.push({ code: 'NOT_IMPORTED', path, message });
}

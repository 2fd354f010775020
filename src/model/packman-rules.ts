import type { Database } from './database.js';
import { downloadUrl } from './entry.js';
import { fileNameOf } from './file-entry.js';
import { findingOf } from './lint-rules.js';
import type { DirectoryFinding, PackManCode } from './lint-rules.js';
import { compareText } from './package.js';
import type { Package } from './package.js';
import type { Settings } from './settings.js';

/** The endings of archives that PackMan's clients unpack, in this case alone. */
const UNPACKED = /\.(?:tar\.gz|tgz|tar\.Z|taz|tar\.bz|zip)$/;

/** The folder in which PackMan looks for the setup.py of a source package; null if it cannot unpack the file. */
export function packManFolder(path: string): string | null {
  const fileName = fileNameOf(path);
  return UNPACKED.test(fileName) ? fileName.replace(UNPACKED, '') : null;
}

/** A finding about PackMan is a warning where the settings say that it is served, and else a note. */
export function packManFinding(
  given: Pick<DirectoryFinding, 'path' | 'message'> & { readonly code: PackManCode; readonly hint?: string },
  { PackMan }: Settings,
): DirectoryFinding {
  return findingOf({ ...given, ...(PackMan === true ? { level: 'warning' } : {}) });
}

type Said = Parameters<typeof packManFinding>[0];

/** What PackMan's clients cannot do with a database; nothing where the settings say that it is not served. */
export function packManFindings(
  { Packages, Files }: Database,
  settings: Settings,
): readonly DirectoryFinding[] {
  if (settings.PackMan === false) return [];
  const paths = new Map(Array.from(Files.keys(), (path) => [downloadUrl(path, settings), path]));
  const names = new Set(Packages.map(({ Name }) => Name));
  const isRelative =
    settings['Base-URL'] === undefined && Packages.some((entry) => paths.has(addressIn(entry)));
  const relative: Said = {
    code: 'PACKMAN_RELATIVE',
    path: null,
    message: 'without a "Base-URL", the addresses of packages are relative',
  };
  const said = [
    ...Packages.flatMap((entry) => packageFindings(entry, paths.get(addressIn(entry)) ?? null, names)),
    ...versionFindings(Packages),
    ...(isRelative ? [relative] : []),
  ];
  return said.map((one) => packManFinding(one, settings));
}

function addressIn(entry: Package): string {
  return entry['Download-URL'] ?? '';
}

function packageFindings(entry: Package, path: string | null, names: ReadonlySet<string>): readonly Said[] {
  const { Name, Version = '', Flavor = '', Prerequisites = [] } = entry;
  const found: Said[] = [];
  const say = (code: PackManCode, message: string, hint?: string) =>
    found.push({ code, path, message, ...(hint === undefined ? {} : { hint }) });
  const parts = Object.entries({ Name, Version, Flavor }).filter(([, value]) => value.includes('-'));
  for (const [key, value] of parts)
    say('PACKMAN_HYPHEN', `its ${key} is ${value}`, withoutHyphen(path, key, value));
  const isUnpacked = path !== null && ['source', 'binary'].includes(Flavor);
  if (isUnpacked && packManFolder(path) === null)
    say('PACKMAN_EXTENSION', `${fileNameOf(path)} is ${Name} ${Version} (${Flavor})`);
  if (isUnpacked && entry['Install-command'] !== undefined)
    say('PACKMAN_COMMAND', `${Name} has an "Install-command" and the flavor ${Flavor}`);
  for (const needed of Prerequisites) {
    const name = typeof needed === 'string' ? null : needed.Name;
    if (name !== null && (!names.has(name) || name.includes('-')))
      say('PACKMAN_PREREQUISITE', `${Name} requires ${name}`);
  }
  return found;
}

/** The line for packsign.json. */
function withoutHyphen(path: string | null, key: string, value: string): string {
  const named = JSON.stringify({ [path ?? value]: { [key]: value.replaceAll('-', '_') } });
  return `"Packages": ${named} in packsign.json; if you do not serve PackMan: "PackMan": false`;
}

/** PackMan compares versions as text, and takes the least for a bare name. */
function versionFindings(packages: readonly Package[]): readonly Said[] {
  const versions = new Map<string, Set<string>>();
  for (const { Name, Version = '' } of packages) {
    versions.set(Name, (versions.get(Name) ?? new Set()).add(Version));
  }
  return Array.from(versions)
    .filter(([, all]) => all.size > 1)
    .map(([name, all]) => {
      const [least = ''] = Array.from(all).sort(compareText);
      const message = `of ${all.size} versions of ${name}, PackMan installs ${least}`;
      return { code: 'PACKMAN_VERSIONS', path: null, message };
    });
}

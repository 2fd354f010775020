import { findingOf } from '../model/lint-rules.js';
import type { DirectoryFinding } from '../model/lint-rules.js';
import type { Settings } from '../model/settings.js';
import { matcherOf } from '../places/matcher.js';
import type { BuiltCandidate } from './candidate.js';

/** What the settings forget, or say of nothing. */
export function lintSettings(
  { database, inventory }: Pick<BuiltCandidate, 'database' | 'inventory'>,
  settings: Settings,
): readonly DirectoryFinding[] {
  const { Include = [], Exclude = [], Mutable = [] } = settings;
  const listed = Array.from(database.Files.keys());
  const all = [...listed, ...inventory.others, ...inventory.rest.map(({ path }) => path)];
  return [
    ...unusedGlobs('Include', Include, listed),
    ...unusedGlobs('Mutable', Mutable, listed),
    ...unusedGlobs('Exclude', Exclude, all),
    ...addressFindings(settings),
    ...(database.Packsign.Expires === undefined
      ? [findingOf({ code: 'NEVER_EXPIRES', path: null, message: '"Validity" is "none"' })]
      : []),
  ];
}

function unusedGlobs(key: string, globs: readonly string[], paths: readonly string[]): DirectoryFinding[] {
  return globs
    .filter((glob) => !paths.some(matcherOf([glob])))
    .map((glob) =>
      findingOf({ code: 'UNUSED_GLOB', path: null, message: `"${key}": "${glob}" matches no file` }),
    );
}

function addressFindings({ Database: own, 'Base-URL': base, Mirrors = [] }: Settings): DirectoryFinding[] {
  const addresses = [own, base, ...Mirrors].filter((one) => one !== undefined);
  const plain = addresses.filter((address) => /^http:/i.test(address));
  const unset = findingOf({ code: 'NO_DATABASE', path: null, message: '"Database" is not set' });
  return [
    ...(own === undefined ? [unset] : []),
    ...plain.map((address) => findingOf({ code: 'PLAIN_HTTP', path: null, message: address })),
  ];
}

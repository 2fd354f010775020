import { compareNatural, isFinalNatural, ruleFor } from '../model/version.js';
import type { VersionOrder } from '../model/version.js';

/** How the versions of one package are compared, and which of them are neither pre-releases nor development versions. */
export interface VersionRules {
  readonly compare: VersionOrder;
  readonly isFinal: (version: string) => boolean;
}

/**
 * The rules for the versions of one package, all of which can be compared: those of npm's own library, of PEP 440, or the
 * natural order (`ruleFor`). Loads the libraries, which other commands do without.
 */
export async function versionRules(
  versions: readonly string[],
  kind: { readonly isNpm: boolean },
): Promise<VersionRules> {
  const [{ default: semver }, { compare, explain, valid }] = await Promise.all([
    import('semver'),
    import('@renovatebot/pep440'),
  ]);
  const isPython = (version: string) => valid(version) !== null;
  const isSemver = (version: string) => semver.valid(version) !== null;
  switch (ruleFor(versions, { ...kind, isSemver, isPython })) {
    case 'semver':
      return {
        compare: (a, b) => semver.compare(a, b),
        isFinal: (version) => semver.prerelease(version) === null,
      };
    case 'PEP 440':
      return { compare, isFinal: (version) => explain(version)?.is_prerelease !== true };
    case 'natural':
      return { compare: compareNatural, isFinal: isFinalNatural };
  }
}

import { PLATFORM_WORD } from './platform.js';

/** What a path says of its file. Each is null where it does not say it; without a name the version is of no use. */
export interface FileNaming {
  readonly name: string | null;
  readonly version: string | null;
  /** As docs/FORMAT.md §5 allows. */
  readonly platform: string | null;
}

const ARCHITECTURE = `${PLATFORM_WORD}|all|any|noarch|universal|linux-any`;

interface Form {
  readonly pattern: RegExp;
  /** The words of a platform that mean none. */
  readonly none?: RegExp;
}

/** Version and revision of the packages of systems: whatever begins with a digit. */
const VERSION = String.raw`(?<version>\d[^_/]*)`;

/**
 * Kinds of packages whose file names follow rules of their own. `name`, `version` and `platform` are groups. A name that
 * is not of the form is read as any other.
 */
const FORMS: readonly Form[] = [
  // Debian policy 5.6.13; dpkg-name(1). Epochs are written %3a, if at all.
  { pattern: new RegExp(`^(?<name>[^_]+)_${VERSION}_(?<platform>${ARCHITECTURE})\\.(?:u?deb|ddeb)$`, 'i') },
  {
    pattern: new RegExp(
      `^(?<name>[^_]+)_${VERSION}(?<!\\.orig)(?:\\.dsc|\\.diff\\.gz|\\.(?:orig(?:-[a-z0-9-]+)?|debian)\\.tar\\.[a-z0-9]+)$`,
      'i',
    ),
  },
  // rpm: name-version-release.architecture, where a version may be a word of the distribution.
  {
    pattern: new RegExp(
      `^(?<name>.+)-(?<version>(?:\\d[^-]*-[^-]*\\d[^-]*|[^-]*\\d[^-]*-\\d+(?:\\.[a-z][^-]*)?))\\.(?<platform>${ARCHITECTURE}|(?:no)?src)\\.rpm$`,
      'i',
    ),
    none: /src$/i,
  },
  // pacman: name-version-release-architecture.
  {
    pattern: new RegExp(
      `^(?<name>.+)-(?<version>[^-]*\\d[^-]*-\\d[\\d.]*)-(?<platform>${ARCHITECTURE})\\.pkg\\.tar(?:\\.[a-z0-9]+)?$`,
      'i',
    ),
  },
  // Alpine, unlike Android.
  { pattern: /^(?<name>.+)-(?<version>\d[^-]*-r\d+)\.apk$/i },
  // Wheels (PEP 427), perhaps with a number of the build.
  { pattern: /^(?<name>[^-]+)-(?<version>v?\d[^-]*)(?:-\d[^-]*)?-(?<platform>[^-]+-[^-]+-[^-]+)\.whl$/i },
  {
    pattern: /^(?<name>[^-]+)-(?<version>v?\d[^-]*)(?:-(?<platform>py\d[^-]*(?:-.+)?))?\.egg$/i,
    none: /^py[\d.]+$/i,
  },
  { pattern: /^(?<name>.*?[a-z_][^.]*)\.(?<version>\d+(?:\.\d+)+(?:[-+].*)?)\.s?nupkg$/i },
  // conda: name-version-build.
  { pattern: /^(?<name>.+)-(?<version>\d[^-]*)-[^-]+\.conda$/i },
];

/** Whether a file is of one of these kinds, because trying all forms on each file takes time. */
const HAS_FORM =
  /\.(?:u?deb|ddeb|dsc|rpm|apk|whl|egg|s?nupkg|conda)$|\.(?:pkg\.tar|(?:orig(?:-[a-z0-9-]+)?|debian)\.tar\.|diff\.gz$)/i;

/** Name, version and platform of a file whose kind has a form for them; null if it does not follow one. */
export function exactNaming(fileName: string): FileNaming | null {
  if (!HAS_FORM.test(fileName)) return null;
  for (const { pattern, none } of FORMS) {
    const { name, version, platform } = pattern.exec(fileName)?.groups ?? {};
    if (name === undefined || version === undefined) continue;
    const isNone = platform === undefined || none?.test(platform) === true;
    // Epochs are escaped in names of files.
    return {
      name,
      version: version.replace(/%3a/i, ':').replace(/^v(?=\d)/i, ''),
      platform: isNone ? null : platform,
    };
  }
  return null;
}

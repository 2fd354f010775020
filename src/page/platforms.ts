import { groupedBy } from '../model/lists.js';
import { compareText } from '../model/package.js';
import { targetOf } from '../model/platform.js';

/** The files for one system and architecture. */
export interface PlatformFiles<T> {
  readonly id: string;
  readonly title: string;
  /** What else a reader should know; null for nothing. */
  readonly about: string | null;
  /** As `process.platform` and `process.arch` name them, with spaces between them. The page's script reads them. */
  readonly systems: string;
  readonly architectures: string;
  readonly rows: readonly T[];
}

const SYSTEM_NAMES: Readonly<Record<string, string>> = {
  linux: 'Linux',
  darwin: 'macOS',
  win32: 'Windows',
  android: 'Android',
  freebsd: 'FreeBSD',
  openbsd: 'OpenBSD',
  netbsd: 'NetBSD',
  sunos: 'Solaris',
  ios: 'iOS',
  aix: 'AIX',
  dragonfly: 'DragonFly BSD',
  haiku: 'Haiku',
  wasi: 'WASI',
};

const ARCHITECTURE_NAMES: Readonly<Record<string, string>> = {
  x64: 'x86-64',
  ia32: 'x86 32-bit',
  arm64: 'ARM64',
  arm: 'ARM 32-bit',
};

const [ANY, OTHER] = ['Any system', 'Other platforms'];
const ABOUT: Readonly<Record<string, string>> = {
  [ANY]: 'Sources, and files whose names mention no system.',
  [OTHER]: 'Files for platforms that packsign does not know.',
};

/** Files by what they are for, in the order of the titles; those for any system come last. */
export function byPlatform<T extends { readonly path: string; readonly platform: string }>(
  rows: readonly T[],
): readonly PlatformFiles<T>[] {
  const rank = (title: string) => [OTHER, ANY].indexOf(title);
  return Array.from(groupedBy(rows, titleOf))
    .sort(([a], [b]) => rank(a) - rank(b) || compareText(a.toLowerCase(), b.toLowerCase()))
    .map(([title, same], index) => {
      const { systems = [], architectures = [] } = same[0] === undefined ? {} : targetOf(same[0]);
      return {
        id: `platform-${index + 1}`,
        title,
        about: ABOUT[title] ?? null,
        systems: title === OTHER ? 'other' : systems.join(' '),
        architectures: architectures.join(' '),
        rows: same,
      };
    });
}

function titleOf(file: { readonly path: string; readonly platform: string }): string {
  const { systems, architectures, isForeign } = targetOf(file);
  if (systems.length === 0 && architectures.length === 0) return isForeign ? OTHER : ANY;
  const named = (words: readonly string[], names: Readonly<Record<string, string>>) =>
    words.map((word) => names[word] ?? word).sort(compareText);
  const on = systems.length === 0 ? ['any system'] : named(systems, SYSTEM_NAMES);
  const parts = [on.join(' and '), named(architectures, ARCHITECTURE_NAMES).join(' and ')];
  return (systems.length === 0 ? parts.reverse() : parts).filter((part) => part !== '').join(', ');
}

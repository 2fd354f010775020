/** Word of `process.platform`, or of a system that Node does not run on. */
type System = string;
/** Word of `process.arch`, or of an architecture that Node does not run on. */
type Architecture = string;

/** The number of a release behind the word of a system: `macos11`, `ubuntu22.04`. */
const RELEASE = String.raw`\d*(?:\.\d+)*`;

/** System → how files name it, as alternatives of a pattern. */
const SYSTEMS: Readonly<Record<System, string>> = {
  linux: [
    '(?:gnu)?linux(?:32|64)?|manylinux[0-9]*|musllinux',
    `(?:ubuntu|debian|fedora|centos|rhel|rocky(?:linux)?|alma(?:linux)?|opensuse|sles|alpine|raspbian)${RELEASE}`,
    String.raw`(?:el|fc|amzn)\d+|jammy|noble|focal|bionic|bookworm|bullseye|trixie`,
  ].join('|'),
  darwin: `darwin${RELEASE}|mac(?:os)?x?${RELEASE}|osx${RELEASE}`,
  win32: [
    'win(?:dows)?(?:32|64|7|8|10|11|x64|x86)?|win(?:32|64)arm|w32|w64',
    String.raw`mingw(?:32|64)?|mingw-w64|cygwin|msys2?|mswin\d*|ucrt(?:64)?`,
  ].join('|'),
  android: `android(?:eabi)?${RELEASE}`,
  freebsd: `freebsd${RELEASE}`,
  openbsd: `openbsd${RELEASE}`,
  netbsd: `netbsd${RELEASE}`,
  sunos: 'solaris|sunos|illumos',
  ios: 'ios|iphoneos',
  'ios simulator': 'iphonesimulator',
  tvos: 'tvos',
  watchos: 'watchos',
  aix: 'aix',
  dragonfly: 'dragonfly(?:bsd)?',
  haiku: 'haiku',
  plan9: 'plan9',
  hpux: 'hpux',
  zos: 'zos',
  wasi: String.raw`wasi(?:p\d)?`,
  emscripten: 'emscripten',
  fuchsia: 'fuchsia',
};

/** Architecture → how files name it. */
const ARCHITECTURES: Readonly<Record<Architecture, string>> = {
  x64: 'x86[-_]64(?:[-_]?v[1-4])?(?:bit)?|amd64(?:[-_]?v[1-4])?|x64|i[3-6]86_64|intel64|64-?bit',
  ia32: 'x86(?:_32)?|i[3-6]86|ia32|32-?bit',
  arm64: 'aarch_?64|arm64(?:v8|e|ec)?|armv8[al]?',
  arm: 'arm|armhf|armel|armhfp|armv[5-7][a-z]*|arm32(?:v[5-7])?|aarch32[a-z]*',
  ppc64le: 'ppc64(?:le|el)|powerpc64le',
  ppc64: 'ppc64|powerpc64',
  ppc: 'ppc|powerpc',
  s390x: 's390x',
  s390: 's390',
  riscv64: 'riscv64(?:gc)?',
  riscv32: 'riscv32',
  loong64: 'loong(?:arch)?64',
  mips: 'mips',
  mipsel: 'mips(?:el|le)',
  mips64: 'mips64',
  mips64el: 'mips64(?:el|le)',
  mipsr6: 'mipsr6',
  mipsr6el: 'mipsr6el',
  mips64r6: 'mips64r6',
  mips64r6el: 'mips64r6el',
  sparc: 'sparc',
  sparc64: 'sparc64|sparcv9',
  ia64: 'ia64',
  m68k: 'm68k',
  wasm32: 'wasm(?:32)?',
  wasm64: 'wasm64',
};

/**
 * Architectures whose processors come in levels: one runs the programs of its own level and of those below. The first
 * pattern that a platform matches names the level; the first level is that of a platform that matches none.
 */
const LEVELS: Readonly<
  Record<Architecture, { readonly first: number; readonly others: readonly (readonly [RegExp, number])[] }>
> = {
  x64: {
    first: 1,
    others: [2, 3, 4].map((level) => [new RegExp(`(?:x86[-_]64|amd64)[-_]?v${level}`, 'i'), level] as const),
  },
  arm: {
    // Go's default, and that of Rust for a triple that begins with `arm-unknown`.
    first: 6,
    others: [
      // Go's file names have `arm-7`, those of Docker `arm/v7`.
      [/arm(?:32)?[-_]?v?7/i, 7],
      [/arm(?:32)?[-_]?v?6(?!4)|raspbian|arm-unknown-linux/i, 6],
      [/arm(?:32)?[-_]?v?5|armel/i, 5],
      [/armhf|eabihf|aarch32/i, 7],
    ],
  },
};

/** The level of an architecture that a platform needs; 0 where the architecture has no levels. */
export function levelOf(platform: string, architecture: Architecture | null): number {
  const levels = architecture === null ? undefined : LEVELS[architecture];
  return levels?.others.find(([pattern]) => pattern.test(platform))?.[1] ?? levels?.first ?? 0;
}

/** Words that belong to a platform only beside another of its words, or behind the version of a file. */
const ATTRIBUTES: readonly (readonly [source: string, meaning: Partial<Part>])[] = [
  ['musl(?:eabi(?:hf)?)?', { libc: 'musl' }],
  [String.raw`gnu(?:eabi(?:hf)?|x32|_ilp32)?|glibc[\d.]*`, { libc: 'glibc' }],
  ['silicon', { architecture: 'arm64' }],
  ['intel', { architecture: 'x64' }],
  ['static|dynamic|shared|softfp|hf|msvc', {}],
  ['gtk[234]?|cocoa', {}],
];

/** Words of target triples, and numbers that name an architecture: only beside another word of the platform. */
const COMPLEMENTS: readonly (readonly [source: string, meaning: Partial<Part>])[] = [
  ['unknown|pc|apple|none|eabi(?:hf)?|elf|uclibc[a-z]*', {}],
  ['64', { architecture: 'x64' }],
  ['32|386|486|586|686', { architecture: 'ia32' }],
];

/** Words that say that a file is for every machine, and those of languages that are everywhere. */
const EVERYWHERE = String.raw`universal2?|fat|any|all|noarch|none|independent|ruby|java|jruby`;
/** Wheels name versions of Python beside their platform. */
const PYTHON = String.raw`(?:py|cp|pp)\d[\d.]*[a-z]*|abi\d+|pypy\d+|py2\.py3`;

interface Part {
  readonly system: System;
  readonly architecture: Architecture;
  readonly libc: 'glibc' | 'musl';
}

/** What ends a word in a file name. */
export const WORD_END = '(?=$|[-_. @])';

/** A word that names a system or an architecture anywhere in a file name. */
export const PLATFORM_WORD = `(?:${[...Object.values(ARCHITECTURES), ...Object.values(SYSTEMS)].join('|')})${WORD_END}`;

const whole = (source: string) => new RegExp(`^(?:${source})$`, 'i');
const IS_COMPLEMENT = whole([...COMPLEMENTS, ...ATTRIBUTES].map(([source]) => source).join('|'));
const IS_ATTRIBUTE = whole(ATTRIBUTES.map(([source]) => source).join('|'));
const IS_EVERYWHERE = whole(EVERYWHERE);
const IS_NEUTRAL = whole(`${EVERYWHERE}|${PYTHON}|v\\d|\\d[\\d.]*`);

/** Whether a word belongs to the platform if the word beside it does. */
export function complementsPlatform(word: string): boolean {
  return IS_COMPLEMENT.test(word) || IS_EVERYWHERE.test(word);
}

/** Whether a word behind the version of a file is a platform by itself. */
export function isPlatformBehindVersion(word: string): boolean {
  return IS_ATTRIBUTE.test(word) || IS_EVERYWHERE.test(word);
}

const MEANINGS: readonly (readonly [pattern: RegExp, meaning: Partial<Part>])[] = [
  ...Object.entries(ARCHITECTURES).map(
    ([architecture, source]) => [whole(source), { architecture }] as const,
  ),
  ...Object.entries(SYSTEMS).map(([system, source]) => [whole(source), { system }] as const),
  ...[...ATTRIBUTES, ...COMPLEMENTS].map(([source, meaning]) => [whole(source), meaning] as const),
  // Words that name both.
  [whole('linux64|win(?:dows)?-?(?:64|x64)|mingw64|w64|ucrt64'), { architecture: 'x64' }],
  [whole('linux32|win(?:dows)?x86'), { architecture: 'ia32' }],
  [whole('win(?:32|64)arm'), { architecture: 'arm64' }],
  [whole('musllinux|alpine[0-9.]*'), { libc: 'musl' }],
  [whole('manylinux[0-9]*'), { libc: 'glibc' }],
];

const WORDS = new RegExp(`(?:${PLATFORM_WORD}|[^-_. @]+)`, 'gi');

/** What a `Platform` names; each list may be empty. */
export interface Platform {
  readonly systems: readonly System[];
  readonly architectures: readonly Architecture[];
  readonly libcs: readonly Part['libc'][];
  /** Whether it has a word that this table does not know. */
  readonly isForeign: boolean;
}

/** Reads a `Platform` of docs/FORMAT.md §5. */
export function readPlatform(platform: string): Platform {
  const known = readPlatforms.get(platform);
  if (known !== undefined) return known;
  const read = readWords(platform);
  if (readPlatforms.size < MOST_KNOWN) readPlatforms.set(platform, read);
  return read;
}

/** Thousands of files share a few platforms, and each is asked for several times. */
const readPlatforms = new Map<string, Platform>();
const MOST_KNOWN = 1024;

function readWords(platform: string): Platform {
  const words = platform.match(WORDS) ?? [];
  const parts = words.flatMap((word) =>
    MEANINGS.flatMap(([pattern, meaning]) => (pattern.test(word) ? [meaning] : [])),
  );
  const isKnown = (word: string) => IS_NEUTRAL.test(word) || MEANINGS.some(([pattern]) => pattern.test(word));
  const systems = named(parts, 'system');
  return {
    // `aarch64-linux-android` is for Android alone.
    systems: systems.includes('android') ? systems.filter((system) => system !== 'linux') : systems,
    architectures: named(parts, 'architecture'),
    libcs: named(parts, 'libc'),
    isForeign: !words.every(isKnown),
  };
}

function named<K extends keyof Part>(parts: readonly Partial<Part>[], key: K): readonly Part[K][] {
  return Array.from(new Set(parts.flatMap(({ [key]: value }) => (value === undefined ? [] : [value]))));
}

/**
 * Whether a `Platform` of docs/FORMAT.md §5 names a system or an architecture, so that the file is not for every machine:
 * `linux-amd64` does, `py3-none-any`, `all` and `noarch` do not. A word that the table does not know counts as one.
 */
export function namesSystem(platform: string): boolean {
  const { systems, architectures, isForeign } = readPlatform(platform);
  return systems.length > 0 || architectures.length > 0 || isForeign;
}

/** What a program runs on; null where it does not matter. */
export interface Machine {
  /** As `process.platform` has it. */
  readonly system: System | null;
  /** As `process.arch` has it, but `ppc64le` for the one with the little end first. */
  readonly architecture: Architecture | null;
  /** The highest level of the architecture that runs there; 0 where it has none. */
  readonly level: number;
  readonly libc: Part['libc'] | null;
}

/** The systems of kinds of files that others cannot install. */
const ENDINGS: readonly (readonly [pattern: RegExp, systems: readonly System[]])[] = [
  [/\.(?:exe|ms[ipu]|(?:msi|app)x(?:bundle)?|bat|cmd)$/i, ['win32']],
  [/\.(?:dmg|mpkg)$/i, ['darwin']],
  [/\.pkg$/i, ['darwin', 'freebsd']],
  [
    /\.(?:u?deb|ddeb|rpm|snap|flatpak|flatpakref|appimage|eopkg|xbps)$|\.pkg\.tar(?:\.[a-z0-9]+)?$|-r\d+\.apk$/i,
    ['linux'],
  ],
  [/\.(?:apk|apks|xapk|aab)$/i, ['android']],
  [/\.ipa$/i, ['ios']],
];

interface PlacedFile {
  readonly path: string;
  readonly platform: string | undefined;
}

/** What a file is for, by its platform and the ending of its path. */
export function targetOf({ path, platform }: PlacedFile): Platform {
  const target = readPlatform(platform ?? '');
  if (target.systems.length > 0) return target;
  return { ...target, systems: ENDINGS.find(([pattern]) => pattern.test(path))?.[1] ?? [] };
}

/** How a file goes with a machine: made for it, for every one, or for another. */
export type Fit = 'made' | 'everywhere' | 'other';

/** Whether a file is for a machine. */
export function fitOf(file: PlacedFile, machine: Machine): Fit {
  const { systems, architectures, libcs, isForeign } = targetOf(file);
  const { platform = '' } = file;
  if (isForeign) return 'other';
  if (systems.length === 0 && architectures.length === 0) return 'everywhere';
  const isFor = <T>(named: readonly T[], own: T | null) =>
    named.length === 0 || own === null || named.includes(own);
  const hasLevel = architectures.length === 0 || levelOf(platform, machine.architecture) <= machine.level;
  const runs = isFor(systems, machine.system) && isFor(architectures, machine.architecture) && hasLevel;
  return runs && libcFits(libcs, { machine, isModule: /musllinux/i.test(platform) }) ? 'made' : 'other';
}

/** A program for musl is linked statically as a rule, and then runs with glibc as well; the reverse is not so. */
function libcFits(
  libcs: Platform['libcs'],
  { machine, isModule }: { readonly machine: Machine; readonly isModule: boolean },
): boolean {
  if (libcs.length === 0 || machine.libc === null) return true;
  return libcs.includes(machine.libc) || (machine.libc === 'glibc' && !isModule);
}

/**
 * The machine that a person means by a platform, such as `linux-arm64`; null if it names neither system nor architecture,
 * or has a word that the table does not know: without it, files for other machines would fit.
 */
export function machineNamed(platform: string): Machine | null {
  const words = platform.replaceAll('/', '-');
  const { systems, architectures, libcs, isForeign } = readPlatform(words);
  const [system = null] = systems;
  const [architecture = null] = architectures;
  if (isForeign || (system === null && architecture === null)) return null;
  const libc = libcs[0] ?? (system === 'linux' ? 'glibc' : null);
  return { system, architecture, level: levelOf(words, architecture), libc };
}

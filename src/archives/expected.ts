import { fileNameOf } from '../model/file-entry.js';
import type { Format } from './contents.js';

/** What a file's name promises about its contents. */
export interface Expected {
  /** Null if its kind has no first bytes of its own, or more than one format. */
  readonly format: Format | null;
  /** Whether the contents may be plain text. */
  readonly mayBeText: boolean;
  /** One that has no first bytes of its own, and that packsign does not unpack. */
  readonly compression: 'lzma' | 'brotli' | null;
}

/**
 * By the last ending. Packsign calls a file damaged if it begins neither like this nor like another archive: nobody can
 * open it by its name, and the usual reasons are an upload that reserved its room first, or a failed disk.
 */
const FORMATS: Readonly<Partial<Record<Format, readonly string[]>>> = {
  gzip: ['gz', 'tgz', 'taz', 'crate'],
  bzip2: ['bz2', 'tbz', 'tbz2'],
  xz: ['xz', 'txz'],
  zstd: ['zst', 'tzst', 'xbps'],
  lzip: ['lz'],
  lz4: ['lz4'],
  tar: ['tar', 'gem', 'ova', 'box'],
  zip: [
    ...['zip', 'whl', 'egg', 'pyz', 'pex', 'nupkg', 'snupkg', 'conda', 'jar', 'war', 'ear', 'aar', 'vsix'],
    ...['xpi', 'crx', 'rock', 'jmod', 'hpi', 'oxt', 'eopkg', 'apk', 'msix', 'msixbundle', 'appx'],
    ...['appxbundle', 'ipa', 'aab', 'apks', 'xapk'],
  ],
  '7z': ['7z'],
  rar: ['rar'],
  ar: ['deb', 'ddeb', 'udeb', 'ipk', 'opk'],
  rpm: ['rpm'],
  cab: ['cab', 'msu'],
  exe: ['exe', 'efi'],
  elf: ['elf', 'appimage'],
  wasm: ['wasm'],
  ole: ['msi', 'msp'],
  squashfs: ['snap', 'squashfs'],
  qcow2: ['qcow2'],
  vhdx: ['vhdx'],
};

/** Kinds that are text, or whose files may be text with or without bytes behind it. */
const TEXT = [
  ...['sh', 'ps1', 'bat', 'cmd', 'command', 'run', 'bin', 'dsc', 'shar', 'flatpakref', 'hex', 'phar'],
  // Old packages of Solaris, cpio archives of text files, descriptions of disks, and what has no format of its own.
  ...['pkg', 'cpio', 'vmdk', 'img', 'wic', 'sif', 'z', 'arj', 'lha', 'lzh', 'flatpak'],
];

const BINARY: Expected = { format: null, mayBeText: false, compression: null };

const promising = (endings: readonly string[], promise: Partial<Expected>) =>
  endings.map((ending) => [ending, { ...BINARY, ...promise }] as const);

const BY_ENDING: ReadonlyMap<string, Expected> = new Map([
  ...Object.entries(FORMATS).flatMap(([format, endings]) => promising(endings, { format: format as Format })),
  ...promising(TEXT, { mayBeText: true }),
  ...promising(['lzma', 'tlz'], { compression: 'lzma' }),
  ...promising(['br'], { mayBeText: true, compression: 'brotli' }),
]);

/** What the name of a release file promises. The name may be a path. */
export function expectedOf(fileName: string): Expected {
  return BY_ENDING.get(fileName.slice(fileName.lastIndexOf('.') + 1).toLowerCase()) ?? BINARY;
}

const COMPRESSED_TAR = /\.(?:tar\.[a-z0-9]+|tgz|taz|tbz2?|txz|tlz|tzst|crate)$/i;

/** Whether a name says that a tar archive is inside a compression. */
export function isCompressedTar(fileName: string): boolean {
  return COMPRESSED_TAR.test(fileNameOf(fileName));
}

import { isTarHeader } from './tar.js';

/** Formats that packsign tells apart by their first bytes, as a person calls them. */
export const FORMAT_NAMES = {
  gzip: 'a gzip file',
  bzip2: 'a bzip2 file',
  xz: 'an xz file',
  zstd: 'a zstd file',
  lzip: 'an lzip file',
  lzma: 'an lzma file',
  lz4: 'an lz4 file',
  compress: 'a compress file',
  zip: 'a zip file',
  '7z': 'a 7z file',
  rar: 'a rar file',
  tar: 'a tar archive',
  cpio: 'a cpio archive',
  ar: 'an ar archive',
  rpm: 'an rpm package',
  cab: 'a cabinet file',
  xar: 'a xar archive',
  crx: 'a Chrome extension',
  adb: 'an Alpine package',
  exe: 'a Windows program',
  elf: 'an ELF program',
  wasm: 'a WebAssembly module',
  ole: 'a Windows installer',
  squashfs: 'a squashfs image',
  qcow2: 'a qcow2 image',
  vhdx: 'a vhdx image',
} as const;

export type Format = keyof typeof FORMAT_NAMES;

/** How many first bytes tell the format. */
export const MAGIC_BYTES = 512;

/** By the first bytes in hex. Common ones come first. */
const MAGIC: readonly (readonly [Format, RegExp])[] = [
  ['gzip', /^1f8b08/],
  ['xz', /^fd377a585a00/],
  ['zstd', /^(?:28b52ffd|5.2a4d18)/],
  ['zip', /^504b(?:0304|0506|30304b|070850)/],
  // The level, then a block or the end of an empty file: a tar may begin with a member called BZh9.
  ['bzip2', /^425a683[1-9](?:314159265359|177245385090)/],
  ['ar', /^213c617263683e0a/],
  ['rpm', /^edabeedb/],
  ['7z', /^377abcaf271c/],
  ['rar', /^526172211a07/],
  ['lzip', /^4c5a4950/],
  ['compress', /^1f(?:9d|a0|1e)/],
  ['lz4', /^(?:04224d18|02214c18)/],
  ['cab', /^(?:4d534346|49536328)/],
  ['xar', /^78617221/],
  ['crx', /^43723234/],
  ['adb', /^414442(?:2e|63|64)/],
  ['exe', /^4d5a/],
  ['elf', /^7f454c46/],
  ['wasm', /^0061736d/],
  ['ole', /^d0cf11e0a1b11ae1/],
  ['squashfs', /^(?:68737173|73717368)/],
  ['qcow2', /^514649fb/],
  ['vhdx', /^7668647866696c65/],
  ['cpio', /^(?:30373037|c771|71c7)/],
];

/** The format of the first bytes, regardless of the file's name; null if packsign does not know it. */
export function formatOf(head: Buffer): Format | null {
  if (head[0] === 0x1f && head[1] === 0x8b && head[2] === 8) return 'gzip';
  // The name of a tar's first member may be any bytes.
  if (isTarHeader(head, 0)) return 'tar';
  const start = head.toString('hex', 0, 16);
  return MAGIC.find(([, magic]) => magic.test(start))?.[0] ?? null;
}

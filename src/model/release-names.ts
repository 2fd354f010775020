/**
 * The endings, in any case, of the names of files that maintainers publish (docs/FORMAT.md §5). Anything else is
 * listed where the settings say so, or where it is a program.
 */
export const RELEASE_ENDINGS = {
  tarballs: [
    ...['.tar', '.tar.gz', '.tar.bz2', '.tar.bz', '.tar.xz', '.tar.zst', '.tar.lz', '.tar.lzma', '.tar.lz4'],
    ...['.tar.br', '.tar.z', '.tgz', '.tbz', '.tbz2', '.txz', '.tlz', '.tzst', '.taz'],
  ],
  archives: ['.zip', '.7z', '.rar', '.cab', '.cpio', '.lha', '.lzh', '.arj', '.shar'],
  'single compressed files': ['.gz', '.bz2', '.xz', '.zst', '.lz', '.lzma', '.lz4', '.br', '.z'],
  'packages of languages': [
    ...['.whl', '.egg', '.pyz', '.pex', '.gem', '.crate', '.phar', '.nupkg', '.snupkg', '.conda'],
    ...['.jar', '.war', '.ear', '.aar', '.vsix', '.xpi', '.crx'],
    ...['.rock', '.jmod', '.hpi', '.oxt'],
  ],
  'packages of systems': [
    ...['.deb', '.ddeb', '.udeb', '.dsc', '.rpm', '.apk', '.eopkg', '.xbps', '.snap', '.appimage', '.ipk'],
    ...['.opk', '.flatpak', '.flatpakref', '.dmg', '.pkg', '.mpkg', '.exe', '.msi', '.msp', '.msu', '.msix'],
    ...['.msixbundle', '.appx', '.appxbundle', '.ipa', '.aab', '.apks', '.xapk'],
  ],
  images: [
    ...['.iso', '.img', '.qcow2', '.ova', '.vhd', '.vhdx', '.vmdk', '.vdi', '.wic', '.box', '.squashfs'],
    '.sif',
  ],
  programs: [
    ...['.wasm', '.run', '.bin', '.elf', '.hex', '.uf2', '.efi', '.sh', '.ps1', '.bat', '.cmd', '.command'],
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

// What stands behind the last dot suffices: whatever ends with `.tar.gz` ends with `.gz`.
const LAST_ENDINGS: ReadonlySet<string> = new Set(
  Object.values(RELEASE_ENDINGS).flatMap((endings) =>
    endings.map((ending) => ending.slice(ending.lastIndexOf('.'))),
  ),
);

/** Whether a file name, not a path, is one of a file that maintainers publish. */
export function isReleaseName(name: string): boolean {
  const dot = name.lastIndexOf('.');
  // A name that begins with a dot is no part of a release.
  return dot > 0 && !name.startsWith('.') && LAST_ENDINGS.has(name.slice(dot).toLowerCase());
}

/** Endings that stand before those of a tarball, and those of programs that are packed once more. */
const INNER_ENDINGS: ReadonlySet<string> = new Set([...LAST_ENDINGS, '.tar', '.debian', '.app', '.diff']);

/** A file name without its endings: `lantern-1.2.0` of `lantern-1.2.0.exe.zip`. The same name if it has none. */
export function endingsCutOff(name: string): string {
  let stem = name;
  for (let endings = LAST_ENDINGS; ; endings = INNER_ENDINGS) {
    const dot = stem.lastIndexOf('.');
    const ending = stem.slice(dot).toLowerCase();
    if (dot <= 0 || !(endings.has(ending) || (stem !== name && /^\.orig(?:-[a-z0-9-]+)?$/.test(ending))))
      return stem;
    stem = stem.slice(0, dot);
  }
}

/** What follows the name of a listed file in the name of a file about it: signatures, checksums, provenance. */
export const COMPANION_ENDINGS = [
  ...['.asc', '.sig', '.sign', '.gpg', '.minisig', '.sigstore', '.sigstore.json', '.intoto.jsonl', '.pem'],
  ...['.crt', '.sha1', '.sha256', '.sha512', '.md5', '.b2', '.sbom', '.spdx', '.spdx.json', '.cdx.json'],
] as const;

/** Lists of checksums, and signatures of them. */
const CHECKSUMS =
  /^(?:(?:SHA(?:1|224|256|384|512)|MD5)SUMS|CHECKSUMS|checksums\.txt|.*_checksums\.txt)(?:\.asc|\.sig|\.gpg)?$/;

/** Whether a file accompanies listed files, so that nobody misses it among them. */
export function isCompanion(path: string, isListed: (path: string) => boolean): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return (
    CHECKSUMS.test(name) ||
    COMPANION_ENDINGS.some((ending) => name.endsWith(ending) && isListed(path.slice(0, -ending.length)))
  );
}

import { fileNameOf } from './file-entry.js';
import { endingsCutOff } from './release-names.js';
import { endOfVersion, isSureVersion, isVersion, piecesOf, platformOf, textOf } from './name-pieces.js';
import { versionSpans, withPlatformsBehind } from './name-pieces.js';
import type { Piece, Span } from './name-pieces.js';
import type { MetadataKind } from './metadata.js';
import { exactNaming } from './package-names.js';
import type { FileNaming } from './package-names.js';
import { isPlainWord } from './text.js';
import { plainVersion } from './version.js';

/** A name and a version, from a file name or from metadata. */
export interface NamedVersion {
  readonly name: string;
  readonly version: string;
}

const PATH_LIMIT = 1024;
const NAME_LIMIT = 255;
const NOTHING: FileNaming = { name: null, version: null, platform: null };

/** Endings of files that packsign looks into for metadata. */
const ARCHIVE = new RegExp(
  [
    String.raw`\.(?:tar(?:\.(?:gz|bz2|bz|xz|zst|z))?|tgz|tbz2|txz|taz|zip|whl|egg`,
    'u?deb|ddeb|rpm|gem|crate|conda|s?nupkg|vsix|jar|war|ear|aar|apk)$',
  ].join('|'),
  'i',
);

/** Whether a name, in any case, is that of an archive which may have metadata. */
export function isArchiveName(name: string): boolean {
  return name.search(ARCHIVE) > 0;
}

/** Words behind or before a version that are part of nothing. */
const PACKAGING = /^(?:src|source|setup|portable|bin|binary|binaries|release|dist)$/i;
const CHANNEL = /^(?:latest|current)$/i;
const UUID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/i;
/** What a tag may have before its version: `release-1.4.5`, `REL_16_1`. */
const TAG_PREFIX = /^(?:v|ver|rel|release|tag)$/i;
/** Endings of packages whose names are exact: a platform in it is part of the name. */
const EXACT = /\.(?:gem|crate|jar|war|ear|aar)$/i;
const OF_JAVA = /\.(?:jar|war|ear|aar)$/i;

/** `tcl8.6.13`, `completionpredictor.0.1.1`, `PAGIT.V1.01`. */
const GLUED = /^(.*?[a-z+])\.?(v?\d+\.\d[^]*)$/i;
/** `tzdata2023c`. */
const GLUED_YEAR = /^(.*?[a-z]{2,})((?:19|20)\d\d[a-z])$/i;
/** `7z2301`, only where something else says that this is a release; many names end with one of the numbers left out. */
const GLUED_NUMBER = /^([^-]+?[a-z])(?!(?:128|160|192|224|256|264|265|384|509|512|2000)$)(\d{3,})$/i;
/** A revision of a repository without versions: `r3222`. */
const REVISION = /^r\d{3,}$/i;

/**
 * Name, version and platform from the path of a file (docs/FORMAT.md §5): from its file name, and what that lacks from
 * the nearest folder that has it.
 */
export function readPath(path: string): FileNaming {
  const fileName = fileNameOf(path);
  // No database lists it (docs/FORMAT.md §9).
  if (path.length > PATH_LIMIT || fileName.length > NAME_LIMIT) return NOTHING;
  const own = exactNaming(fileName) ?? readFileName(fileName);
  return checked(fileName === path ? own : withFolders(own, fileName, path.split('/').slice(0, -1)));
}

function withFolders(own: FileNaming, fileName: string, folders: readonly string[]): FileNaming {
  const repository = own.name === null ? repositoryOf(folders) : null;
  const named = repository === null ? own : { ...own, name: repository };
  const version = named.version ?? (CHANNEL_IN.test(fileName) ? null : folderVersion(folders, named.name));
  const platform = named.platform ?? (IS_DEBIAN.test(fileName) ? null : folderPlatform(folders, named.name));
  return { name: named.name, version, platform };
}

const CHANNEL_IN = /(?:^|[-_. ])(?:latest|current|nightly|edge|snapshot)(?:[-_. ]|$)/i;
/** Debian keeps its files in folders that are called after packages and releases. */
const IS_DEBIAN = /\.(?:u?deb|ddeb|dsc|(?:orig(?:-[a-z0-9-]+)?|debian)\.tar\.[a-z0-9]+|diff\.gz)$/i;

function checked({ name, version, platform }: FileNaming): FileNaming {
  const isName = name !== null && isPlainWord(name);
  return {
    name: isName ? name : null,
    version: isName && version !== null && isPlainWord(version) ? version : null,
    platform: platform !== null && /^[A-Za-z0-9._+-]{1,128}$/.test(platform) ? platform : null,
  };
}

/** Name and version from the path of a file; null if it does not have both. */
export function splitFileName(path: string): NamedVersion | null {
  const { name, version } = readPath(path);
  return name === null || version === null ? null : { name, version };
}

function readFileName(fileName: string): FileNaming {
  const stem = endingsCutOff(fileName);
  const [pieces, span] = findVersion(piecesOf(stem), { fileName, hasEnding: stem !== fileName });
  if (span === null) return readWithoutVersion(pieces);
  const before = pieces.slice(0, isOfPrefixedTag(pieces, span) ? span.start - 1 : span.start);
  const behind = withPlatformsBehind(pieces.slice(span.end));
  const isTag = before.every(({ text }) => TAG_PREFIX.test(text));
  const [own, ahead] = EXACT.test(fileName) ? [before, []] : platformAhead(before);
  const more = behind.filter(({ text, isPlatform }) => !isPlatform && !PACKAGING.test(text));
  // A number among them belongs to something else that is packed with it.
  const isNamed = more.every(({ text }) => !isVersion(text) && !/\d\.\d/.test(text));
  return {
    name: isTag ? null : textOf(isNamed ? [...own, ...more] : own),
    version: plainText(textOf(pieces.slice(span.start, span.end))),
    platform: platformOf([...ahead, ...behind.filter(({ isPlatform }) => isPlatform)]),
  };
}

/** `busybox-w32-FRP-6075-g169694ebd`: what git describes by a tag with a prefix in capitals. */
function isOfPrefixedTag(pieces: readonly Piece[], { start }: Span): boolean {
  const [prefix, commit] = [pieces[start - 1]?.text ?? '', pieces[start + 1]?.text ?? ''];
  return start > 1 && /^[A-Z]{2,}$/.test(prefix) && /^g[0-9a-f]{7,40}$/.test(commit);
}

/** Without the `v` before it. */
function plainText(version: string): string {
  return version.replace(/^v\.?(?=\d)/i, '');
}

interface Source {
  readonly fileName: string;
  readonly hasEnding: boolean;
}

/** Finds the version, and splits the piece that it is glued to. */
function findVersion(
  pieces: readonly Piece[],
  { fileName, hasEnding }: Source,
): readonly [pieces: readonly Piece[], span: Span | null] {
  const first = pieces[0]?.text ?? '';
  // Nothing but a version, as archives of tags are called.
  if (isVersion(first) && /^v\d|^\d+\.\d/i.test(first))
    return [pieces, { start: 0, end: endOfVersion(pieces, 0) }];
  const spans = versionSpans(pieces);
  const sure = spans.filter((span) => isSureVersion(pieces, span));
  const best = OF_JAVA.test(fileName) ? withoutScala(pieces, sure.at(-1)) : sure[0];
  if (best !== undefined) return [pieces, best];
  const glued = hasEnding ? splitGlued(pieces, GLUED) : null;
  if (glued !== null) return glued;
  if (spans[0] !== undefined) return [pieces, spans[0]];
  const isRelease = pieces.slice(1).some(({ text, isPlatform }) => isPlatform || PACKAGING.test(text));
  const weak = hasEnding
    ? (splitGlued(pieces, GLUED_YEAR) ?? (isRelease ? splitGlued(pieces, GLUED_NUMBER) : null))
    : null;
  if (weak !== null) return weak;
  const revision = pieces.findIndex(({ text }, at) => at > 0 && REVISION.test(text));
  return [pieces, revision === -1 ? null : { start: revision, end: endOfVersion(pieces, revision) }];
}

/** `akka-slf4j_2.11-2.5.21`: the version of Scala is part of the name. */
function withoutScala(pieces: readonly Piece[], span: Span | undefined): Span | undefined {
  const [first, second] = [pieces[span?.start ?? 0], pieces[(span?.start ?? 0) + 1]];
  const isScala = first?.separator === '_' && /^(?:2\.1\d|3)$/.test(first.text) && second?.separator === '-';
  return span !== undefined && isScala && isVersion(second.text) ? { ...span, start: span.start + 1 } : span;
}

function splitGlued(pieces: readonly Piece[], pattern: RegExp): readonly [readonly Piece[], Span] | null {
  for (const [at, piece] of pieces.entries()) {
    const [, name, version] = piece.isPlatform ? [] : (pattern.exec(piece.text) ?? []);
    if (name === undefined || version === undefined || !isVersion(version)) continue;
    const halves = [
      { ...piece, text: name },
      { separator: '', text: version, isPlatform: false },
    ];
    const all = [...pieces.slice(0, at), ...halves, ...pieces.slice(at + 1)];
    return [all, { start: at + 1, end: endOfVersion(all, at + 1) }];
  }
  return null;
}

function readWithoutVersion(pieces: readonly Piece[]): FileNaming {
  const words = pieces.filter(({ text }, at) => at === 0 || (!CHANNEL.test(text) && !UUID.test(text)));
  const [own, platform] = splitOff(words, () => true);
  return { ...NOTHING, name: textOf(own), platform: platformOf(platform) };
}

/** The platform before a version: directly before it, or wherever it names a system and an architecture. */
function platformAhead(
  before: readonly Piece[],
): readonly [name: readonly Piece[], platform: readonly Piece[]] {
  const last = before.at(-1);
  // `EulerSetup-64_2025-12-12`.
  const marked =
    before.length > 1 && last !== undefined && /^(?:32|64)$/.test(last.text)
      ? [...before.slice(0, -1), { ...last, isPlatform: true }]
      : before;
  const named = marked.filter(({ text }, at) => at === 0 || at < marked.length - 1 || !/^setup$/i.test(text));
  return splitOff(named, ({ start, end }) => end === named.length || end - start > 1);
}

/**
 * Takes the platforms out of a name, where `isApart` says that they are no part of it. What the name begins with is part
 * of it (`mingw-w64-x86_64-…`), as is what the program is for (`igd2-for-linux`, `gcc-arm-none-eabi`).
 */
function splitOff(
  pieces: readonly Piece[],
  isApart: (run: Span) => boolean,
): readonly [name: readonly Piece[], platform: readonly Piece[]] {
  const own: Piece[] = [];
  const platform: Piece[] = [];
  for (let start = 0; start < pieces.length;) {
    const isPlatform = pieces[start]?.isPlatform === true;
    const next = pieces.findIndex((piece, at) => at > start && piece.isPlatform !== isPlatform);
    const end = next === -1 ? pieces.length : next;
    const run = pieces.slice(start, end);
    const isTarget =
      run.some(({ text }) => /^(?:none|elf)$/i.test(text)) || /^for$/i.test(own.at(-1)?.text ?? '');
    if (isPlatform && start > 0 && !isTarget && isApart({ start, end })) platform.push(...run);
    else own.push(...run);
    start = end;
  }
  return [own, platform];
}

/** The repository of an archive as hosts of code serve it: `lantern/archive/refs/tags/v1.2.0.tar.gz`. */
function repositoryOf(folders: readonly string[]): string | null {
  const at = folders.lastIndexOf('archive');
  return folders.slice(0, Math.max(at, 0)).findLast((folder) => folder !== '-') ?? null;
}

/** Folders of releases of something else: of a system, or of a language. */
const OTHER_RELEASES = /^(?:python|node|php|ruby|java|jdk|api)$/i;

/** The version of the nearest folder that is called after one: `v1.2.0`, `release-1.2`, or `lantern-1.2.0` of lantern. */
function folderVersion(folders: readonly string[], name: string | null): string | null {
  if (name === null) return null;
  for (let at = folders.length - 1; at >= 0; at -= 1) {
    const pieces = piecesOf(folders[at] ?? '');
    const start = pieces.findIndex(({ text }) => isVersion(text) && /^v?\d+\.\d/i.test(text));
    if (start === -1 || endOfVersion(pieces, start) < pieces.length) continue;
    const before = pieces.slice(0, start);
    const isOwn =
      before.every(({ text }) => TAG_PREFIX.test(text)) || plainName(textOf(before)) === plainName(name);
    const above = folders[at - 1] ?? '';
    const isOther = OTHER_RELEASES.test(above) || piecesOf(above).every(({ isPlatform }) => isPlatform);
    if (isOwn && !isOther) return plainText(textOf(pieces.slice(start)));
  }
  return null;
}

/** Folders of whole systems, not of one release for them. */
const DISTRIBUTION =
  /^(?:debian|ubuntu|fedora|centos|rhel|el\d|fc\d|rocky|alma|opensuse|sles|alpine|raspbian)/i;

/** The platform of the nearest folder that is called after one, and not like the package itself. */
function folderPlatform(folders: readonly string[], name: string | null): string | null {
  for (const folder of folders.toReversed()) {
    const pieces = piecesOf(folder).filter(({ text }) => !PACKAGING.test(text));
    const isPlatform = pieces.length > 0 && pieces.every((piece) => piece.isPlatform);
    if (isPlatform && folder !== name && !DISTRIBUTION.test(folder)) return platformOf(pieces);
  }
  return null;
}

/**
 * Whether a file is called `name-version` and endings, exactly as in its metadata. Most files are: then both
 * mean the same, and every word of the file name is part of the name or of the version.
 */
export function isNamedAfter(fileName: string, { name, version }: NamedVersion): boolean {
  const stem = `${name}-${version}`;
  return fileName.startsWith(stem) && endingsCutOff(fileName) === stem;
}

/** What the metadata of a file says, and in which words. */
type Said = NamedVersion & { readonly kind?: MetadataKind };

/**
 * Whether a file's metadata and its file name mean the same package (docs/FORMAT.md §4). A file name can be split at more
 * than one hyphen (`a-2-1.0` is `a-2` 1.0 or `a` 2-1.0): any split that agrees suffices.
 */
export function namesAgree(metadata: Said, fileName: NamedVersion): boolean {
  const isSame = nameComparison(metadata);
  const joined = `${fileName.name}-${fileName.version}`;
  for (let at = joined.indexOf('-'); at >= 0; at = joined.indexOf('-', at + 1)) {
    const isNamed = isSame(plainName(joined.slice(0, at)));
    if (isNamed && versionsAgree(metadata.version, joined.slice(at + 1))) return true;
  }
  return false;
}

/** Tells whether a normalised name in a file name is that of the metadata. */
function nameComparison({ name, kind }: Said): (plain: string) => boolean {
  const own = plainName(name);
  // Their metadata has the name of a publisher or a group before that of the package: `redhat.java`, `org.slf4j.api`.
  if (kind === 'jar' || kind === 'vsix') return (plain) => `-${own}`.endsWith(`-${plain}`);
  // npm packs `@scope/name` as `scope-name`; archives of a scope in its own folder are called `name`.
  const [, scope, rest] = /^@([^/]+)\/(.+)$/.exec(name) ?? [];
  if (scope === undefined || rest === undefined) return (plain) => plain === own;
  return (plain) => plain === plainName(`${scope}-${rest}`) || plain === plainName(rest);
}

/** PEP 503. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/** File names leave out epochs and `v`, and write `_`, which is also what wheels and eggs have for `-`. */
function versionsAgree(metadata: string, fileName: string): boolean {
  const inside = plainText(metadata.replace(/^\d+:/, ''));
  const outside = plainText(fileName.replace(/^\d+:/, ''));
  return [outside, outside.replaceAll('_', '-'), outside.replaceAll('_', '+')].some(
    (version) => version === inside || plainVersion(version) === plainVersion(inside),
  );
}

import { PLATFORM_WORD, WORD_END, complementsPlatform, isPlatformBehindVersion } from './platform.js';

/** A part of a file name, and what separates it from the one before. */
export interface Piece {
  readonly separator: string;
  readonly text: string;
  /** Whether it names a system or an architecture, or belongs to one that does. */
  readonly isPlatform: boolean;
}

const DATE = String.raw`\d{4}-\d\d-\d\d${WORD_END}`;
const UUID = `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}${WORD_END}`;
/** Pieces that may have separators in them. */
const WHOLE_PIECE = new RegExp(`(${PLATFORM_WORD})|${DATE}|${UUID}`, 'iy');
/** A dot separates only where one of these follows: elsewhere it is part of a version or a name. */
const SEPARATOR = new RegExp(`[-_ @]|\\.(?=${PLATFORM_WORD}|${DATE}|(?:src|source)${WORD_END})`, 'gi');

/** Splits a file name without its ending: `fl_0.79.47-aarch64-linux` is `fl`, `0.79.47`, `aarch64` and `linux`. */
export function piecesOf(stem: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let separator = '';
  for (let at = 0; at <= stem.length;) {
    WHOLE_PIECE.lastIndex = at;
    const [whole, platform] = WHOLE_PIECE.exec(stem) ?? [];
    SEPARATOR.lastIndex = at + (whole?.length ?? 0);
    const next = SEPARATOR.exec(stem)?.index ?? stem.length;
    // What follows a whole piece is a separator, if only a dot.
    const end = whole === undefined ? next : at + whole.length;
    pieces.push({ separator, text: stem.slice(at, end), isPlatform: platform !== undefined });
    separator = stem.slice(end, end + 1);
    at = end + 1;
  }
  return withComplements(pieces);
}

/** Marks the words beside a platform that belong to it: `unknown` and `gnu` of `x86_64-unknown-linux-gnu`. */
function withComplements(pieces: readonly Piece[]): readonly Piece[] {
  const marked: Piece[] = [];
  for (const piece of pieces) {
    const isAfter = marked.at(-1)?.isPlatform === true && complementsPlatform(piece.text);
    marked.push(isAfter ? { ...piece, isPlatform: true } : piece);
  }
  for (let at = marked.length - 2; at > 0; at -= 1) {
    const [piece, next] = [marked[at], marked[at + 1]];
    // `gtk-linux` and `apple-darwin`, but a number there is a version.
    const isBefore = next?.isPlatform === true && piece !== undefined && /^[a-z]/i.test(piece.text);
    if (isBefore && complementsPlatform(piece.text)) marked[at] = { ...piece, isPlatform: true };
  }
  return marked;
}

/** Words that stand behind versions. With a number: `rc1`, `rc.1`. */
const MARK = [
  ...['alpha', 'beta', 'preview', 'pre', 'rc', 'cr', 'dev', 'snapshot', 'nightly', 'canary', 'milestone'],
  ...['next', 'post', 'rev', 'patch', 'final', 'ga', 'release', 'rel', 'stable', 'lts', 'esr', 'trial', 'sp'],
  ...['update', 'build', 'git', 'svn', 'opt', 'ubuntu', 'deb', 'dfsg', 'bp', 'arch', 'el', 'fc'],
].join('|');
const NUMBERS = String.raw`\d+(?:\.\d+)*`;
/** `rc1`, `.Final`, `p1`, `w`, `+k0s.2`, `~jammy`. */
const TAIL = String.raw`(?:\.?(?:${MARK}|[a-z](?![a-z]))\.?(?:${NUMBERS})?){0,3}(?:[+~][\w.+~]*)?`;

const VERSION = new RegExp(`^(?:v?${NUMBERS}${TAIL}|${DATE})$`, 'i');
/** What goes on with a version behind a separator: `rc.1`, `r0`, `3`, `g169694ebd`, `SNAPSHOT`. */
const CONTINUATION = new RegExp(
  String.raw`^(?:${NUMBERS}${TAIL}|(?:${MARK}|[bmpr](?=\d))\.?(?:${NUMBERS}${TAIL})?|g?(?=[a-f]*\d)[0-9a-f]{7,40})$`,
  'i',
);

/** Whether a piece may begin a version; `3d` is a word. */
export function isVersion(text: string): boolean {
  return VERSION.test(text) && !/^\d{1,3}[a-z]$/i.test(text);
}

/** Whether a piece goes on with the version before it. */
function isContinuation({ text, isPlatform }: Piece): boolean {
  return !isPlatform && CONTINUATION.test(text);
}

/** The pieces of a version: from `start` up to, not including, `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Each place where a version may begin, with all that goes on with it. The first piece is always a name. */
export function versionSpans(pieces: readonly Piece[]): readonly Span[] {
  const spans: Span[] = [];
  for (let start = 1; start < pieces.length; start += 1) {
    const piece = pieces[start];
    if (piece === undefined || piece.isPlatform || !isVersion(piece.text)) continue;
    const end = endOfVersion(pieces, start);
    spans.push({ start, end });
    start = end - 1;
  }
  return spans;
}

export function endOfVersion(pieces: readonly Piece[], start: number): number {
  // A date is whole.
  if (/^\d{4}-/.test(pieces[start]?.text ?? '')) return start + 1;
  const end = pieces.findIndex((piece, at) => at > start && !isContinuation(piece));
  return end === -1 ? pieces.length : end;
}

/** Whether a span can hardly be anything else: several numbers, a `v`, a date. A number alone may be part of a name. */
export function isSureVersion(pieces: readonly Piece[], { start, end }: Span): boolean {
  const { text = '' } = pieces[start] ?? {};
  return /^v\d|\d[.]\d|^\d{4}-/i.test(text) || (end - start > 1 && /^\d/.test(pieces[start + 1]?.text ?? ''));
}

/** The text of pieces, with the separators between them. */
export function textOf(pieces: readonly Piece[]): string {
  return pieces.map(({ separator, text }, at) => (at === 0 ? text : `${separator}${text}`)).join('');
}

/** The platform that pieces name, joined by hyphens; null if they name none. */
export function platformOf(pieces: readonly Piece[]): string | null {
  return pieces.length === 0 ? null : pieces.map(({ text }) => text).join('-');
}

/** The pieces behind a version that belong to the platform. The number of a system's release does: `linux-18.04-x64`. */
export function withPlatformsBehind(pieces: readonly Piece[]): readonly Piece[] {
  const marked: Piece[] = [];
  for (const [at, piece] of pieces.entries()) {
    const isAmong = marked.at(-1)?.isPlatform === true && pieces[at + 1]?.isPlatform !== false;
    const isOwn = isPlatformBehindVersion(piece.text) || (isAmong && /^\d+(?:\.\d+)*$/.test(piece.text));
    marked.push(isOwn ? { ...piece, isPlatform: true } : piece);
  }
  return marked;
}

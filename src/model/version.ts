import { compareText } from './package.js';

/** Digits without leading zeros, kept as text: a version may count beyond 2^53. */
type Digits = string;

/** The parts of a PEP 440 version. Absent parts are null. */
interface PythonVersion {
  readonly epoch: Digits;
  /** Without trailing zeros. */
  readonly release: readonly Digits[];
  readonly pre: readonly [letter: string, number: Digits] | null;
  readonly post: Digits | null;
  readonly dev: Digits | null;
  readonly local: readonly string[] | null;
}

const PEP_440 = new RegExp(
  [
    /^v?(?:(?<epoch>\d+)!)?(?<release>\d+(?:\.\d+)*)/,
    /(?:[-_.]?(?<pre>alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?<preNumber>\d*))?/,
    /(?:-(?<bare>\d+)|[-_.]?(?<post>post|rev|r)[-_.]?(?<postNumber>\d*))?/,
    /(?:[-_.]?(?<dev>dev)[-_.]?(?<devNumber>\d*))?/,
    /(?:\+(?<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/,
  ]
    .map((part) => part.source)
    .join(''),
);

const PRE_SPELLINGS: ReadonlyMap<string, string> = new Map([
  ['alpha', 'a'],
  ['beta', 'b'],
  ['c', 'rc'],
  ['pre', 'rc'],
  ['preview', 'rc'],
]);

const SEMVER =
  /^v?(?<core>\d+\.\d+\.\d+)(?:-(?<pre>[0-9a-z-]+(?:\.[0-9a-z-]+)*))?(?:\+[0-9a-z-]+(?:\.[0-9a-z-]+)*)?$/i;

/** The same spelling for all versions that PEP 440 calls equal; any other text stays as it is. */
export function plainVersion(version: string): string {
  const parsed = parsePython(version);
  if (parsed === null) return version;
  const { epoch, release, pre, post, dev, local } = parsed;
  return [
    `${epoch}!${release.join('.')}`,
    pre?.join('') ?? '',
    post === null ? '' : `.post${post}`,
    dev === null ? '' : `.dev${dev}`,
    local === null ? '' : `+${local.join('.')}`,
  ].join('');
}

/** The rules by which versions are compared. */
export type VersionRule = 'semver' | 'PEP 440' | 'natural';

/** Whether a version can be compared with others: it begins with a number, perhaps after `v` or an epoch. */
export function isComparable(version: string): boolean {
  return /^v?\d/i.test(version);
}

/**
 * The rule for the versions of one package: semver if `isNpm` and all conform to it, or else PEP 440, or else semver if all
 * conform to that, or else the natural order.
 */
export function ruleFor(versions: readonly string[], { isNpm, isSemver, isPython }: RuleTests): VersionRule {
  const areSemver = versions.every(isSemver);
  const arePython = !(areSemver && isNpm) && versions.every(isPython);
  return areSemver && (isNpm || !arePython) ? 'semver' : arePython ? 'PEP 440' : 'natural';
}

export interface RuleTests {
  readonly isNpm: boolean;
  readonly isSemver: (version: string) => boolean;
  readonly isPython: (version: string) => boolean;
}

const ORDERS: Readonly<Record<VersionRule, VersionOrder>> = {
  semver: compareSemver,
  'PEP 440': comparePython,
  natural: compareNatural,
};

/**
 * How to order the versions of one package for people to read, by the rule for those that can be compared. Others come
 * first, in the order of their text.
 */
export function versionOrder(
  versions: readonly string[],
  { isNpm }: { readonly isNpm: boolean },
): VersionOrder {
  const isSemver = (version: string) => SEMVER.test(version);
  const isPython = (version: string) => parsePython(version) !== null;
  const order = ORDERS[ruleFor(versions.filter(isComparable), { isNpm, isSemver, isPython })];
  return (a, b) => {
    const [left, right] = [isComparable(a), isComparable(b)];
    return left && right ? order(a, b) : Number(left) - Number(right) || compareText(a, b);
  };
}

/** Below zero if `a` is earlier, zero if both mean the same. */
export type VersionOrder = (a: string, b: string) => number;

/** PEP 440: 1.0.dev1 < 1.0a1.dev1 < 1.0a1 < 1.0a1.post1 < 1.0 < 1.0+x < 1.0.post1.dev1 < 1.0.post1. */
export function comparePython(a: string, b: string): number {
  const [left, right] = [parsePython(a), parsePython(b)];
  if (left === null || right === null) {
    return Number(left !== null) - Number(right !== null) || compareText(a, b);
  }
  return (
    compareDigits(left.epoch, right.epoch) ||
    compareLists(left.release, right.release, compareDigits) ||
    compareText(preRank(left), preRank(right)) ||
    compareDigits(left.pre?.[1] ?? '0', right.pre?.[1] ?? '0') ||
    compareAbsentFirst(left.post, right.post) ||
    // A development release comes before its release.
    Number(left.dev === null) - Number(right.dev === null) ||
    compareDigits(left.dev ?? '0', right.dev ?? '0') ||
    Number(left.local !== null) - Number(right.local !== null) ||
    compareLists(left.local ?? [], right.local ?? [], compareLocal)
  );
}

/** Semver 2.0.0 §11, which ignores build metadata. */
export function compareSemver(a: string, b: string): number {
  const [left, right] = [SEMVER.exec(a)?.groups, SEMVER.exec(b)?.groups];
  if (left === undefined || right === undefined) {
    return Number(left !== undefined) - Number(right !== undefined) || compareText(a, b);
  }
  const core = compareLists(numbersOf(left['core']), numbersOf(right['core']), compareDigits);
  const [pre, other] = [left['pre'], right['pre']];
  if (core !== 0 || pre === other) return core;
  if (pre === undefined || other === undefined) return pre === undefined ? 1 : -1;
  return compareLists(pre.split('.'), other.split('.'), compareIdentifiers);
}

function parsePython(version: string): PythonVersion | null {
  const groups = PEP_440.exec(version.toLowerCase())?.groups;
  if (groups === undefined) return null;
  const { epoch = '0', release = '', pre, preNumber, bare, post, postNumber, dev, devNumber, local } = groups;
  return {
    epoch: plainNumber(epoch),
    release: withoutZeros(release.split('.').map(plainNumber)),
    pre: pre === undefined ? null : [PRE_SPELLINGS.get(pre) ?? pre, plainNumber(preNumber)],
    post: post === undefined && bare === undefined ? null : plainNumber(bare ?? postNumber),
    dev: dev === undefined ? null : plainNumber(devNumber),
    local: local === undefined ? null : local.split(/[-_.]/).map(plainSegment),
  };
}

/** 1.0.dev1 precedes every pre-release of 1.0, and 1.0 follows them: `a` < `b` < `rc` < `~`. */
function preRank({ pre, post, dev }: PythonVersion): string {
  if (pre !== null) return pre[0];
  return post === null && dev !== null ? '' : '~';
}

function withoutZeros(release: readonly Digits[]): readonly Digits[] {
  const last = release.findLastIndex((number) => number !== '0');
  return release.slice(0, Math.max(last, 0) + 1);
}

function compareDigits(a: Digits, b: Digits): number {
  return a.length - b.length || compareText(a, b);
}

function compareAbsentFirst(a: Digits | null, b: Digits | null): number {
  return Number(a !== null) - Number(b !== null) || compareDigits(a ?? '0', b ?? '0');
}

function compareLists<T>(a: readonly T[], b: readonly T[], compare: (a: T, b: T) => number): number {
  for (const [index, item] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    const order = compare(item, other);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Numbers by their value, and below words, as in a pre-release of semver. */
function compareIdentifiers(a: string, b: string): number {
  const [left, right] = [isNumber(a), isNumber(b)];
  if (left && right) return compareDigits(plainNumber(a), plainNumber(b));
  return Number(right) - Number(left) || compareText(a, b);
}

/** PEP 440: in a local version numbers are greater than words. */
function compareLocal(a: string, b: string): number {
  return isNumber(a) === isNumber(b) ? compareIdentifiers(a, b) : compareIdentifiers(b, a);
}

function numbersOf(core: string | undefined): readonly Digits[] {
  return (core ?? '').split('.').map(plainNumber);
}

/** No digits mean zero. */
function plainNumber(digits: string | undefined): Digits {
  return digits === undefined || digits === '' ? '0' : digits.replace(/^0+(?=\d)/, '');
}

function plainSegment(segment: string): string {
  return isNumber(segment) ? plainNumber(segment) : segment;
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

/** Marks of versions before the one that they are added to, which deb-version(7) writes as `~`. */
const PRE_MARK =
  /(?<=\d)[-.~+]*(?=(?:alpha|beta|preview|pre|rc|cr|dev|snapshot|nightly|canary|milestone)(?![a-z])|[abm]\d+(?:[-+~]|$))/g;
/** A later edition of the same version, but before the next number. */
const POST_MARK = /(?<=\d)[-.](?=post)/g;

function naturalText(version: string): string {
  const text = version.toLowerCase().replace(/^v/, '').replaceAll('_', '.');
  return text.replace(PRE_MARK, '~').replace(POST_MARK, '+');
}

/** Whether the natural order knows no mark in a version that makes it precede a release. */
export function isFinalNatural(version: string): boolean {
  return !naturalText(version).includes('~');
}

/**
 * For versions that follow neither rule: as deb-version(7) compares them, numbers by their value and the rest by its
 * characters, with an epoch before `:` and a revision behind the last hyphen. Beyond it, `_` is a dot, case and a `v` before it do not
 * count, and marks of pre-releases such as `rc1` precede the end.
 */
export function compareNatural(a: string, b: string): number {
  const [left, right] = [naturalParts(a), naturalParts(b)];
  return (
    compareDigits(left.epoch, right.epoch) ||
    compareAlternately(left.upstream, right.upstream) ||
    compareAlternately(left.revision, right.revision)
  );
}

function naturalParts(version: string) {
  const [, epoch, rest = ''] = /^(?:(\d+)[:!])?([^]*)$/.exec(naturalText(version)) ?? [];
  const hyphen = rest.lastIndexOf('-');
  return {
    epoch: plainNumber(epoch),
    upstream: hyphen === -1 ? rest : rest.slice(0, hyphen),
    revision: hyphen === -1 ? '' : rest.slice(hyphen + 1),
  };
}

/** Compares what is no number, then a number, and so on. */
function compareAlternately(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => Array.from(text.matchAll(/(\D*)(\d*)/g)));
  const length = Math.max(left?.length ?? 0, right?.length ?? 0);
  for (let at = 0; at < length; at += 1) {
    const [[, words = '', number = ''] = [], [, otherWords = '', otherNumber = ''] = []] = [
      left?.[at],
      right?.[at],
    ];
    const order =
      compareWords(words, otherWords) || compareDigits(plainNumber(number), plainNumber(otherNumber));
    if (order !== 0) return order;
  }
  return 0;
}

function compareWords(a: string, b: string): number {
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    const order = weightOf(a.charAt(at)) - weightOf(b.charAt(at));
    if (order !== 0) return order;
  }
  return 0;
}

/** `~` precedes the end, the end letters, and letters everything else. */
function weightOf(character: string): number {
  if (character === '~') return -1;
  return character === '' ? 0 : character.charCodeAt(0) + (/[a-z]/i.test(character) ? 0 : 256);
}

import { dirname, join } from 'node:path';
import { coverageAdvice, formatBytes, formatInstant } from '../index.js';
import type {
  BuildResult,
  Certificate,
  Coverage,
  Difference,
  ExportedDatabase,
  PageResult,
  SignedRelease,
  SignResult,
  Warning,
} from '../index.js';
import type { Report } from './command.js';
import { hintFor, typedIn } from './hint.js';
import type { Typed } from './hint.js';
import type { NamedKeys } from './options.js';
import { count, formatInteger, groupFingerprint, harmless, instants, shown } from './terminal.js';

// What packsign tells maintainers after a success. Words: lower case, no full stop, no jokes.

/** How many lines of one list a person sees; --json has them all. */
export const LIST_LIMIT = 20;

export interface BuildReportOptions {
  readonly directory: string;
  readonly check: boolean;
  readonly verbose: boolean;
  readonly typed: Typed;
  /** What names the key, if anything does. */
  readonly keyBy: KeyBy;
}

export type KeyBy = NamedKeys['by'] | null;

export function reportBuild(
  result: BuildResult,
  { directory, check, verbose, typed, keyBy }: BuildReportOptions,
): Report {
  const { database, sha256, issued, packages, files, bytes, hashed, cached } = result;
  const { ok, difference, coverage, unseen, kept, warnings, mended, unchanged, released } = result;
  return {
    json: {
      ...{ ok, database, sha256, issued, packages, files, bytes, hashed, cached },
      ...changesJson(difference),
      ...coverageJson(coverage),
      ...{ unseen, kept, warnings, published: released?.published ?? false, unchanged },
    },
    lines: [
      `${count(files, 'file')}, ${count(packages, 'package')}, ${formatBytes(bytes)} (${formatInteger(hashed)} hashed, ${formatInteger(cached)} known)${keptWords(kept)}${unseenWords(unseen)}`,
      ...differenceLines(difference),
      ...(released === null
        ? buildOutcome(result, { directory, check, typed, keyBy })
        : releaseLines(released)),
    ],
    notices: [...mendedLines(mended), ...remarkLines({ warnings, coverage }, { verbose })],
    exitStatus: ok ? 0 : 1,
  };
}

/** How many of the listed files are somewhere else, after what is listed. */
export function keptWords(kept: number): string {
  if (kept === 0) return '';
  return `; ${formatInteger(kept)} of the files ${kept === 1 ? 'is' : 'are'} not here and stay${kept === 1 ? 's' : ''} listed`;
}

/** New files that are too large, or unpack to too much, to be looked through for damage. */
function unseenWords(unseen: number): string {
  return unseen === 0 ? '' : `; ${count(unseen, 'new file')} not checked for damage`;
}

/** Published files that were lost. */
function mendedLines(paths: readonly string[]): string[] {
  return paths.length === 0 ? [] : [`packsign: put back ${paths.map(harmless).join(', ')}`];
}

function buildOutcome(
  { database, unchanged, waited, refreshed, ok }: BuildResult,
  { directory, check, typed, keyBy }: Omit<BuildReportOptions, 'verbose'>,
): string[] {
  const path = harmless(database);
  if (unchanged && !ok)
    return [`${path} is up to date, but files of the publication are missing or out of date`];
  if (unchanged) return [`${path} is up to date`];
  if (check && refreshed) return [`${harmless(join(directory, 'packages.plist'))} must be signed again`];
  if (check) return [`${path} would be written`];
  const hinted = (command: 'build' | 'sign') =>
    `  ${hintFor(signingCommand(command, keyBy), typedIn(typed, directory)) ?? ''}`;
  const lines = [
    `${waited ? `${path} has this content already, and stays with its signatures` : `wrote ${path}`}; look at it with ${hintFor('packsign diff DIRECTORY', typedIn(typed, directory)) ?? ''}, publish it with`,
    hinted('sign'),
  ];
  if (keyBy === null || keyBy === '--key' || typed['sign'] === false) return lines;
  const named = keyBy === 'Key' ? `"Key" in ${harmless(join(directory, 'packsign.json'))}` : keyBy;
  return [...lines, `it is not signed; to sign it with the key of ${named}, type`, hinted('build')];
}

/** The command that signs: a key that is typed has to be typed again. */
export function signingCommand(command: 'build' | 'sign', keyBy: KeyBy): string {
  if (keyBy === null || keyBy === '--key') return `packsign ${command} DIRECTORY --key FILE`;
  return command === 'build' ? 'packsign build DIRECTORY --sign' : 'packsign sign DIRECTORY';
}

/** Without a release nothing waited to be signed. */
const NOT_RELEASED = { sha256: null, issued: null, expires: null, signers: [], signature: null } as const;

export function reportSign(
  { released, difference, coverage, warnings, mended }: SignResult,
  { directory, coSign, verbose }: { directory: string; coSign: boolean; verbose: boolean },
): Report {
  const database = released?.database ?? join(directory, 'packages.plist');
  const { sha256, issued, expires, signers, signature } = released ?? NOT_RELEASED;
  const { published, missing } = released ?? { published: false, missing: 0 };
  const nothing = coSign
    ? `${harmless(database)} is already signed by every key that you named`
    : `nothing waits to be signed in ${harmless(directory)}`;
  return {
    json: {
      ...{ database, sha256, issued, expires, signers, signature, published, missing },
      ...coverageJson(coverage),
      warnings,
    },
    lines: [
      ...(difference === null ? [] : differenceLines(difference)),
      ...(released === null ? [nothing] : releaseLines(released)),
    ],
    notices: [...mendedLines(mended), ...remarkLines({ warnings, coverage }, { verbose })],
    exitStatus: 0,
  };
}

function releaseLines(released: SignedRelease): string[] {
  const { threshold, missing, signers, expires, keysWritten } = released;
  const database = harmless(released.database);
  if (!released.published) {
    const have = `${threshold - missing} of ${count(threshold, 'signature')}`;
    if (missing > 0) return [`${have}; ${database} waits for the others`];
    return [
      `${have}: carry ${harmless(released.signature)} to where it is published, and type there`,
      `  packsign sign ${shown(dirname(released.database))}`,
    ];
  }
  return [
    `signed and published ${database}${freshness(expires)}`,
    ...signers.map((fingerprint) => `  by ${groupFingerprint(fingerprint)}`),
    ...(keysWritten === null ? [] : firstKeysLines(keysWritten, released.database)),
  ];
}

function firstKeysLines(keys: readonly Certificate[], database: string): string[] {
  return [
    `wrote ${harmless(join(dirname(database), 'keys.asc'))}, which from now on tells people to trust`,
    ...keys.map(
      ({ fingerprint, userIds }) => `  ${groupFingerprint(fingerprint)}  ${harmless(userIds[0] ?? '')}`,
    ),
    'publish this fingerprint in a second place, where people can compare it',
  ];
}

/** Paths relative to the directory, as in every other list. */
export function changesJson({ added, withdrawn, changed }: Difference): object {
  return { added, withdrawn, changed: changed.map(({ path }) => path) };
}

export function differenceLines(difference: Difference, limit = LIST_LIMIT): string[] {
  return [
    ...limited(difference.added, limit, (path) => [`  + ${harmless(path)}`]),
    ...limited(difference.withdrawn, limit, (path) => [`  - ${harmless(path)}`]),
    ...limited(difference.changed, limit, ({ path, before, after, reason }) => [
      `  ${after.Mutable === true ? '~' : '!'} ${harmless(path)} ${before.SHA256 === after.SHA256 ? 'may change from now on' : 'has other bytes'}${reason === null ? '' : `: ${harmless(reason)}`}`,
      `      was sha256 ${before.SHA256}, ${before.Size} bytes, since ${formatInstant(before.Since)}`,
      `      is  sha256 ${after.SHA256}, ${after.Size} bytes`,
    ]),
    ...limited([...difference.settings, ...difference.metadata], limit, ({ of, key, before, after }) => [
      `  ~ ${of === '' ? '' : `${harmless(of)}: `}${key}: ${quoted(key, before)} → ${quoted(key, after)}`,
    ]),
    ...executableLines(difference, limit),
  ];
}

// Show code that PackMan executes in full. Only a full diff has the two harmless forms that packsign writes itself.
function executableLines({ executable }: Difference, limit: number): string[] {
  const isOwn = (text: string | null) =>
    text === null || /^(?:import \w+|raise ImportError\("no test"\))$/.test(text);
  const shownOnes = executable.filter(({ before, after }) => before !== null || !isOwn(after));
  return limited(shownOnes, limit, ({ of, key, after }) => [
    `  ~ ${harmless(of)}: ${key}, which PackMan executes:`,
    ...(after ?? '').split('\n').map((text) => `      ${harmless(text)}`),
  ]);
}

export function limited<T>(items: readonly T[], limit: number, show: (item: T) => string[]): string[] {
  const lines = items.slice(0, limit).flatMap(show);
  return items.length > limit ? [...lines, `  … and ${formatInteger(items.length - limit)} more`] : lines;
}

const STRUCTURED = [
  'Signers',
  'Trusts',
  'Mirrors',
  'Include',
  'Prerequisites',
  'User-install-skips',
  'History',
];

function quoted(key: string, text: string | null): string {
  if (text === null) return 'nothing';
  return STRUCTURED.includes(key) ? harmless(inWords(JSON.parse(text))) : `"${harmless(text)}"`;
}

/** A value of several parts, which differences hold as JSON. */
function inWords(value: unknown): string {
  if (Array.isArray(value)) return value.map(inWords).join(', ');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, part]) => `${key} ${inWords(part)}`)
    .join(', ');
}

/** How many paths a line names, unless the user asks for all. */
const NAMED_LIMIT = 5;

/** What no signature covers, in a few words; none if there is nothing. */
export function uncoveredWords(paths: readonly string[], limit = NAMED_LIMIT): readonly string[] {
  if (paths.length === 0) return [];
  const are = paths.length === 1 ? 'is' : 'are';
  return [`${count(paths.length, 'file')} here ${are} not covered: ${namedPaths(paths, limit)}`];
}

/** Lines for stderr beside any report: the warnings, and what no signature covers. */
export function remarkLines(
  { warnings, coverage }: { warnings: readonly Warning[]; coverage: Coverage | null },
  { verbose }: { verbose: boolean },
): string[] {
  return [...warningLines(warnings, { verbose }), ...coverageLines(coverage, { verbose })];
}

/** One line for stderr about what no signature covers. */
function coverageLines(coverage: Coverage | null, { verbose }: { verbose: boolean }): string[] {
  const uncovered = coverage?.uncovered ?? [];
  const paths = uncovered.map(({ path, reason }) => (verbose ? `${path} (${reason})` : path));
  const words = uncoveredWords(paths, verbose ? Infinity : NAMED_LIMIT);
  return words.map((text) => `packsign: ${text}; ${coverageAdvice(uncovered)}`);
}

export function coverageJson(coverage: Coverage | null): object {
  return { uncovered: coverage?.uncovered ?? [], companions: coverage?.companions ?? 0 };
}

/** Warnings for stderr, grouped by code: the first few files of each, or all of them. */
export function warningLines(warnings: readonly Warning[], { verbose = false } = {}): string[] {
  const limit = verbose ? Infinity : NAMED_LIMIT;
  return Array.from(new Set(warnings.map(({ code }) => code))).flatMap((code) => {
    const same = warnings.filter((warning) => warning.code === code);
    const files = same.filter(({ path }) => path !== null);
    const others = same.filter(({ path }) => path === null);
    return [...groupLines(files, limit), ...others.map(({ message }) => warningLine(message, code))];
  });
}

/** Warnings of one code about files: on one line if all say the same, else a line for each. */
function groupLines(files: readonly Warning[], limit: number): string[] {
  const [first] = files;
  if (first === undefined) return [];
  const { code, message } = first;
  const paths = files.map(({ path }) => path ?? '');
  if (files.length === 1) return [warningLine(`${paths[0] ?? ''}: ${message}`, code)];
  const counted = count(files.length, 'file');
  if (files.every((file) => file.message === message)) {
    return [`${warningLine(`${counted}: ${message}`, code)}: ${namedPaths(paths, limit)}`];
  }
  return [
    `packsign: warning: ${counted} (${code}):`,
    ...limited(files, limit, (file) => [`  ${harmless(file.path ?? '')}: ${harmless(file.message)}`]),
  ];
}

function warningLine(message: string, code: string): string {
  return `packsign: warning: ${harmless(message)} (${code})`;
}

function namedPaths(paths: readonly string[], limit: number): string {
  const more = paths.length > limit ? ` and ${formatInteger(paths.length - limit)} more` : '';
  return `${paths.slice(0, limit).map(harmless).join(', ')}${more}`;
}

export function reportPage(
  { page, assets, sha256, written, coverage }: PageResult,
  { verbose }: { verbose: boolean },
): Report {
  return {
    json: { page, assets, sha256, unchanged: !written, ...coverageJson(coverage) },
    lines: written
      ? [`wrote ${harmless(page)}; look at it with packsign serve ${shown(dirname(page))}`]
      : [`${harmless(page)} is up to date`],
    notices: remarkLines({ warnings: [], coverage }, { verbose }),
    exitStatus: 0,
  };
}

export function reportServing(url: string, { directory }: { directory: string }): Report {
  return { json: { url, directory }, lines: [`serving ${harmless(directory)} at ${url}`], exitStatus: 0 };
}

export function reportExport(exported: ExportedDatabase, format: 'sha256sums' | 'json'): Report {
  const { database, sha256, issued, expires, files } = exported;
  const listed = files.map(({ path, Size: size, SHA256: hash, Since: since, ...entry }) => {
    const {
      Name: name = null,
      Version: version = null,
      Flavor: flavor = null,
      Yanked: yanked = null,
    } = entry;
    return { path, name, version, flavor, size, sha256: hash, since, yanked };
  });
  const json = { database, sha256, issued, expires, files: listed };
  // Two spaces: read as bytes, the form that sha256sum -c takes. Paths of a database need no escapes there.
  const sums = files.map(({ path, SHA256 }) => `${SHA256}  ${path}`);
  return {
    json,
    lines: format === 'json' ? [JSON.stringify(json, instants, 2)] : sums,
    isExact: true,
    exitStatus: 0,
  };
}

export function reportInit(path: string, keyBy: KeyBy): Report {
  const next = hintFor(signingCommand('build', keyBy), { directory: dirname(path) }) ?? '';
  return {
    json: { settings: path },
    lines: [`wrote ${harmless(path)}; next: ${next}`],
    exitStatus: 0,
  };
}

export function reportInitCi(path: string): Report {
  return {
    json: { workflow: path },
    lines: [
      `wrote ${harmless(path)}; check its DIRECTORY, ADDRESS and DESTINATION, and the command that builds`,
      'next: store the key that signs as the secret PACKSIGN_KEY, as docs/CI.md says',
    ],
    exitStatus: 0,
  };
}

/** How long a database is fresh, after the words that say when it was issued or published. */
export function freshness(expires: Date | null = null): string {
  return expires === null ? '' : `, fresh until ${formatInstant(expires)}`;
}

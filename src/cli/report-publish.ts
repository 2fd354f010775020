import { PacksignError, exitStatusOf, formatBytes } from '../index.js';
import type { Plan, PublishedTo } from '../index.js';
import type { Report } from './command.js';
import { LIST_LIMIT, coverageJson, remarkLines } from './report.js';
import { count, harmless } from './terminal.js';
import { toolLines, whyNoLines } from './tool-lines.js';

// What packsign says about publications to other places.

/** A report of a publication behind that of what was made for it. What both say of the directory is said once. */
export function joined(first: Report, then: Report): Report {
  const notices = first.notices ?? [];
  return {
    json: { ...first.json, ...then.json },
    lines: [...first.lines, ...then.lines],
    notices: [...notices, ...(then.notices ?? []).filter((line) => !notices.includes(line))],
    exitStatus: first.exitStatus === 0 ? then.exitStatus : first.exitStatus,
  };
}

/** What came of one destination. */
export interface Attempt {
  readonly destination: string;
  readonly outcome: PublishedTo | PacksignError;
}

export function reportPublished(
  attempts: readonly Attempt[],
  { verbose }: { readonly verbose: boolean },
): Report {
  const errors = attempts.flatMap(({ outcome }) => (outcome instanceof PacksignError ? [outcome] : []));
  // It is the same directory for all of them.
  const [done] = attempts.flatMap(({ outcome }) => (outcome instanceof PacksignError ? [] : outcome));
  const remarks = { warnings: done?.warnings ?? [], coverage: done?.coverage ?? null };
  return {
    json: {
      ok: errors.length === 0,
      destinations: attempts.map(({ destination, outcome }) =>
        outcome instanceof PacksignError
          ? { destination, error: { code: outcome.code, message: outcome.message, hint: outcome.hint } }
          : jsonOf(outcome),
      ),
    },
    lines: attempts.flatMap(({ outcome }) =>
      outcome instanceof PacksignError ? [] : publishedLines(outcome),
    ),
    notices: [...attempts.flatMap(errorLines), ...remarkLines(remarks, { verbose })],
    exitStatus: errors.some((error) => exitStatusOf(error) === 2) ? 2 : errors.length > 0 ? 1 : 0,
  };
}

/** The event of an upload beside a watch. */
export function reportUpload({ destination, outcome }: Attempt, at: string): Report {
  if (outcome instanceof PacksignError) {
    const { code, message, hint } = outcome;
    return {
      json: { event: 'unpublished', at, destination, code, message, hint },
      lines: [],
      notices: [
        `${at} not published to ${harmless(destination)} ${code} (${harmless(message.split('\n')[0] ?? '')})`,
        ...(hint === null ? [] : [`packsign: hint: ${harmless(hint)}`]),
      ],
      exitStatus: 0,
    };
  }
  const { sha256, written, bytes, removed } = outcome;
  return {
    json: { event: 'published', at, destination, sha256, written, bytes, removed },
    lines: [
      `${at} published to ${harmless(destination)}: wrote ${count(written, 'file')}, ${formatBytes(bytes)}`,
    ],
    exitStatus: 0,
  };
}

function errorLines({ destination, outcome }: Attempt): string[] {
  if (!(outcome instanceof PacksignError)) return [];
  return [
    `packsign: error: ${harmless(destination)}: ${harmless(outcome.message)}`,
    ...(outcome.hint === null ? [] : [`packsign: hint: ${harmless(outcome.hint)}`]),
  ];
}

function jsonOf({ coverage, ...published }: PublishedTo): object {
  return { ...published, ...coverageJson(coverage) };
}

function publishedLines({
  destination,
  status,
  files,
  written,
  bytes,
  removed,
  readBack,
}: PublishedTo): string[] {
  const where = harmless(destination);
  const gone = removed === 0 ? '' : `, removed ${count(removed, 'file')}`;
  const what =
    status !== 'published'
      ? `${where} is up to date: ${count(files, 'file')}`
      : `published to ${where}: wrote ${count(written, 'file')}, ${formatBytes(bytes)}${gone}; ${count(files, 'file')} listed`;
  return [
    what,
    `read back from ${harmless(readBack.from)}: the database and ${count(readBack.files, 'file')}, as signed`,
  ];
}

export interface Planned {
  readonly destination: string;
  readonly plan: Plan;
}

/** Lines to paste should be all there, as far as people can look them over. */
const PASTED_LIMIT = 200;

export interface PlanReportOptions {
  readonly directory: string;
  /** The address of the S3-compatible store, in case a destination is a bucket; null for the one of AWS. */
  readonly endpoint: string | null;
  /** All files in place of the first few. */
  readonly verbose: boolean;
}

export function reportPlans(plans: readonly Planned[], options: PlanReportOptions): Report {
  return {
    json: {
      destinations: plans.map(({ destination, plan }) => ({
        destination,
        steps: plan.steps.map(({ name, writes, removes }) => ({
          name,
          writes: writes.map(({ path, size, sha256 }) => ({ path, size, sha256 })),
          removes,
        })),
      })),
    },
    lines: plans.flatMap((planned) => planLines(planned, options)),
    isExact: true,
    exitStatus: 0,
  };
}

function planLines(
  { destination, plan }: Planned,
  { directory, endpoint, verbose }: PlanReportOptions,
): string[] {
  const where = harmless(destination);
  if (plan.steps.length === 0) return [`${where} is up to date`];
  const few = (lines: readonly string[]) => {
    const limit = verbose ? Infinity : LIST_LIMIT;
    return [
      ...lines.slice(0, limit).map((line) => `    ${harmless(line)}`),
      ...(lines.length > limit
        ? [`    … and ${count(lines.length - limit, 'more line')} with --verbose`]
        : []),
    ];
  };
  const why = whyNoLines(directory, destination, plan);
  return [
    `${where}, in this order:`,
    ...plan.steps.flatMap(({ name, writes, removes }) => [
      `  ${name}:`,
      ...few([...writes.map(({ path }) => path), ...removes]),
    ]),
    ...toolLines(plan, { directory, destination, endpoint }).flatMap(({ tool, lines }) =>
      // Half of them would do something else.
      lines.length > PASTED_LIMIT && !verbose
        ? [`the same with ${tool}: ${count(lines.length, 'line')} with --verbose`]
        : [`the same with ${tool}:`, ...lines.map(harmless)],
    ),
    ...(why === null ? [] : [`no lines for other tools: ${why}`]),
  ];
}

import { formatBytes } from '../index.js';
import type { DiffResult } from '../index.js';
import type { Report } from './command.js';
import { changesJson, coverageJson, differenceLines, remarkLines } from './report.js';
import { harmless } from './terminal.js';

export function reportDiff(result: DiffResult, { verbose }: { readonly verbose: boolean }): Report {
  const { difference, coverage, waiting, database, warnings } = result;
  const { metadata, settings, executable } = difference;
  const others = { ...difference, added: [], withdrawn: [] };
  const lines = [...packageLines(result), ...differenceLines(others, Infinity)];
  const where = waiting
    ? `${harmless(database)} waits`
    : 'nothing waits; this is what packsign build would make';
  return {
    json: {
      ...{ database, waiting },
      ...changesJson(difference),
      ...{ metadata, settings, executable, warnings },
      ...coverageJson(coverage),
    },
    lines: lines.length === 0 ? ['no difference from what is published'] : [where, ...lines],
    notices: remarkLines({ warnings, coverage }, { verbose }),
    exitStatus: 0,
  };
}

/** Files that come and go, below the name of their package, with version and size. */
function packageLines({ difference, files }: DiffResult): readonly string[] {
  const { added, withdrawn } = difference;
  const changes = [
    ...added.map((path) => ['+', path] as const),
    ...withdrawn.map((path) => ['-', path] as const),
  ];
  const groups = new Map<string, string[]>();
  for (const [mark, path] of changes) {
    const { Name, Version, Size } = files.get(path) ?? {};
    const what = [
      ...(Version === undefined ? [] : [harmless(Version)]),
      ...(Size === undefined ? [] : [formatBytes(Size)]),
    ];
    const lines = groups.get(Name ?? '') ?? [];
    groups.set(Name ?? '', [...lines, `${mark} ${harmless(path)}  ${what.join(', ')}`.trimEnd()]);
  }
  return Array.from(groups).flatMap(([name, lines]) =>
    name === ''
      ? lines.map((line) => `  ${line}`)
      : [`  ${harmless(name)}`, ...lines.map((line) => `    ${line}`)],
  );
}

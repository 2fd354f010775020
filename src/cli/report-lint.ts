import { ruleOf } from '../index.js';
import type { DirectoryFinding, LintLevel, LintResult } from '../index.js';
import type { Report } from './command.js';
import { hintFor } from './hint.js';
import type { Typed } from './hint.js';
import { limited } from './report.js';
import { count, harmless } from './terminal.js';

/** How many findings of one code a person sees, unless all are asked for. */
const SHOWN_LIMIT = 5;

export interface LintReportOptions {
  readonly directory: string;
  readonly typed: Typed;
  readonly verbose: boolean;
}

export function reportLint(
  { ok, files, findings }: LintResult,
  { directory, typed, verbose }: LintReportOptions,
): Report {
  const hinted = findings.map((finding) => ({ ...finding, hint: hintFor(finding.hint, typed) }));
  const codes = Array.from(new Set(findings.map(({ code, level }) => `${level} ${code}`)));
  const counted = (level: LintLevel) => findings.filter((finding) => finding.level === level).length;
  const [errors, warnings, notes] = [counted('error'), counted('warning'), counted('note')];
  const words = `${count(errors, 'error')}, ${count(warnings, 'warning')}, ${count(notes, 'note')}`;
  return {
    json: { ok, files, errors, warnings, notes, findings: hinted },
    lines: [
      ...codes.flatMap((code) =>
        groupLines(
          hinted.filter((finding) => `${finding.level} ${finding.code}` === code),
          verbose,
        ),
      ),
      `${harmless(directory)}: ${findings.length === 0 ? 'nothing to fix' : words} in ${count(files, 'file')}`,
    ],
    exitStatus: ok ? 0 : 1,
  };
}

/** The findings of one code and level. What to do is said once, if it is the same for all. */
function groupLines(group: readonly DirectoryFinding[], verbose: boolean): readonly string[] {
  const [first] = group;
  if (first === undefined) return [];
  const { code, level, hint } = first;
  const isSame = group.every((finding) => finding.hint === hint);
  const { summary } = ruleOf(code);
  const doing = (text: string | null, indent: string) =>
    text === null ? [] : [`${indent}→ ${harmless(text)}`];
  return [
    `${level}: ${summary} (${code})`,
    ...limited(group, verbose ? Infinity : SHOWN_LIMIT, ({ path, message, ...finding }) => {
      const [head = '', ...more] = message.split('\n').map(harmless);
      return [
        `  ${path === null ? '' : `${harmless(path)}: `}${head}`,
        ...more.map((line) => `    ${line.trimStart()}`),
        ...(isSame ? [] : doing(finding.hint, '    ')),
      ];
    }),
    ...(isSame ? doing(hint, '  ') : []),
  ];
}

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LINT_RULES, ruleOf } from '../../src/model/lint-rules.js';

test('docs/LINT.md has the table of the codes', () => {
  const rows = Array.from(
    LINT_RULES,
    ([code, { level, summary, hint }]) => `| \`${code}\` | ${level} | ${summary} | ${hint ?? ''} |`,
  );
  const table = readFileSync('docs/LINT.md', 'utf8').match(/^\| `[A-Z].*$/gm);
  expect(table).toEqual(rows);
});

test('a code of another command has a rule as well', () => {
  expect(ruleOf('PREVIOUS_INVALID')).toMatchObject({ level: 'warning', hint: null });
});

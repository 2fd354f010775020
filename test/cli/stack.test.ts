import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { readableStack } from '../../src/cli/stack.js';

const PROGRAM = resolve('dist/program/cli/packsign.js');
const url = pathToFileURL(PROGRAM).href;

test.each([
  ['an address', url],
  ['a path', PROGRAM],
])('the stack of a bug names the sources and not the bundle: %s', (_, file) => {
  const lines = readFileSync(PROGRAM, 'utf8').split('\n');
  const line = lines.findIndex((text) => text.includes('cannot write to standard output'));
  const column = (lines[line] ?? '').indexOf('cannot write to standard output');
  const stack = `TypeError: boom\n    at x (${file}:${line + 1}:${column + 1})\n    at node:internal/main:1:1`;
  expect(readableStack(stack)).toMatch(
    /^TypeError: boom\n {4}at x \(src\/cli\/process\.ts:\d+:\d+\)\n {4}at node:internal\/main:1:1$/,
  );
});

test('a place without a source map stays as it is', () => {
  const stack = `Error: e\n    at file:///nowhere/else.js:1:2\n    at f (${url}x.js:3:4)`;
  expect(readableStack(stack)).toBe(stack);
});

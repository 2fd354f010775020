import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { expect, it } from 'vitest';

/** Rows of test/README.md: files of src and the tests that they are tested in, without `.test.ts`. */
function rows(): readonly { readonly files: readonly string[]; readonly tests: readonly string[] }[] {
  const lines = readFileSync('test/README.md', 'utf8').match(/^\| `.*$/gm) ?? [];
  return lines.map((line) => {
    const [, left = '', right = ''] = line.split('|');
    const names = (cell: string) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = '']) => name);
    const [first = '', ...more] = names(left);
    // After the first file of a row the folder is the same.
    return { files: [first, ...more.map((name) => posix.join(dirname(first), name))], tests: names(right) };
  });
}

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.ts'),
);
const isTested = (name: string) =>
  ['test', 'property.test'].some((end) => existsSync(`test/${name}.${end}.ts`));

it('each file of src has a test of its own name, or one line in test/README.md', () => {
  const listed = rows().flatMap(({ files }) => files);
  const without = sources.filter((path) => !isTested(path.replace(/\.ts$/, '')));
  expect(without.length).toBeGreaterThan(50);
  expect(listed.toSorted()).toEqual(without.toSorted());
});

it('the tests that test/README.md names are there', () => {
  const named = rows().flatMap(({ tests }) => tests);
  expect(named.filter((name) => !isTested(name))).toEqual([]);
  expect(rows().filter(({ tests }) => tests.length === 0)).toEqual([]);
});

it('a test is in the room that it tests', () => {
  const rooms = new Set(sources.map((path) => dirname(path)));
  const others = ['.', 'docs', 'faults', 'interop', 'package', 'servers', 'threats'];
  const tests = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.test.ts'),
  );
  expect(tests.filter((path) => !rooms.has(dirname(path)) && !others.includes(dirname(path)))).toEqual([]);
});

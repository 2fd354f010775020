import { expect, test } from 'vitest';
import { agrees, ofDocument, ofRun } from './names.js';
import type { Names } from './names.js';

const A = 'A'.repeat(40);
const B = 'B'.repeat(40);
const grouped = (letter: string) => {
  const half = Array(5).fill(letter.repeat(4)).join(' ');
  return `${half}  ${half}`;
};

test('dates, sizes and times may differ, and nothing else', () => {
  const agree = (expected: string, actual: string) => agrees(expected, actual, new Map());
  expect(agree('issued 2026-11-27T09:42:31Z, 3.2 kB', 'issued 2027-01-01T00:00:00Z, 99 bytes')).toBe(true);
  expect(agree('4 files', '5 files')).toBe(false);
  expect(agree('a\nb', 'a')).toBe(false);
  expect(agree('a', 'a\nb')).toBe(false);
  expect(agree('a', '')).toBe(false);
});

test('a fingerprint of the document stands for one of the run, however it is written', () => {
  const names: Names = new Map();
  expect(agrees(`by ${grouped('A')}`, `by ${grouped('B')}`, names)).toBe(true);
  expect(agrees(`by ${A}`, `by ${B}`, names)).toBe(true);
  // Another key in its place, and one key in the place of two.
  expect(agrees(`by ${A}`, `by ${'C'.repeat(40)}`, names)).toBe(false);
  expect(agrees(`by ${'D'.repeat(40)}`, `by ${B}`, names)).toBe(false);
  expect(ofRun(`verify ${A}`, names)).toBe(`verify ${B}`);
  expect(ofDocument(`by ${grouped('B')}`, names)).toBe(`by ${grouped('A')}`);
});

test('a line of dots stands for any lines', () => {
  const agree = (expected: string, actual: string) => agrees(expected, actual, new Map());
  expect(agree('a\n…\nd', 'a\nb\nc\nd')).toBe(true);
  expect(agree('a\n…\nd', 'a\nb\nc')).toBe(false);
  expect(agree('a\n…\nd', 'a\nd\ne')).toBe(false);
});

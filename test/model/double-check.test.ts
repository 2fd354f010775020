import { expect, test } from 'vitest';
import { chanceOfFinding, sampleSize } from '../../src/model/double-check.js';

test('a sample has at least one file, and never more than there are', () => {
  expect([sampleSize(0, 5), sampleSize(1, 0.001), sampleSize(5000, 5), sampleSize(3, 100)]).toEqual([
    0, 1, 250, 3,
  ]);
  expect(sampleSize(62, 5)).toBe(4);
});

test('the chance to find one of several lies is that of drawing without putting back', () => {
  expect(chanceOfFinding(1, { sample: 5, total: 100 })).toBeCloseTo(0.05);
  // 1 - 95/100 × 94/99
  expect(chanceOfFinding(2, { sample: 5, total: 100 })).toBeCloseTo(0.09798);
  expect(chanceOfFinding(1, { sample: 100, total: 100 })).toBe(1);
  // Of more lies than files that were not drawn, one is drawn for sure.
  expect(chanceOfFinding(6, { sample: 95, total: 100 })).toBe(1);
  expect(chanceOfFinding(50, { sample: 250, total: 5000 })).toBeCloseTo(0.924, 3);
});

import { describe, expect, it } from 'vitest';
import { groupedBy, inPieces } from '../../src/model/lists.js';

describe('inPieces', () => {
  it('cuts a list, and keeps its order', () => {
    expect(inPieces([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
    expect(inPieces([1, 2], 2)).toEqual([[1, 2]]);
    expect(inPieces([], 2)).toEqual([]);
  });
});

describe('groupedBy', () => {
  it('keeps the order of groups and items', () => {
    const groups = groupedBy(['b1', 'a1', 'b2'], (word) => word[0]);
    expect(Array.from(groups)).toEqual([
      ['b', ['b1', 'b2']],
      ['a', ['a1']],
    ]);
    expect(groupedBy([], String).size).toBe(0);
  });
});

/** The word most like another one; null if none is much like it. Case does not count. */
export function nearestOf(word: string, known: Iterable<string>): string | null {
  const limit = Math.max(1, word.length / 2);
  let best: string | null = null;
  let least = Math.floor(limit) + 1;
  for (const one of known) {
    // Words differ by no less than their lengths do.
    if (Math.abs(one.length - word.length) >= least) continue;
    const distance = distanceBetween(word.toLowerCase(), one.toLowerCase());
    if (distance >= least) continue;
    [best, least] = [one, distance];
  }
  return best;
}

/**
 * How many letters differ between two short words, where two letters in the wrong order count as one (Damerau and
 * Levenshtein). Computed row by row.
 */
function distanceBetween(a: string, b: string): number {
  let before: readonly number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (let j = 1; j < row.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (letter === b[j - 1] ? 0 : 1);
      const isSwapped = i > 0 && j > 1 && letter === b[j - 2] && a[i - 1] === b[j - 1];
      const swapped = isSwapped ? (before[j - 2] ?? 0) + 1 : Infinity;
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? 0;
}

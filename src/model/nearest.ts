/** The word most like another one; null if none is much like it. Case does not count. */
export function nearestOf(word: string, known: Iterable<string>): string | null {
  const limit = Math.max(2, word.length / 2);
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

/** Levenshtein's distance between two short words, computed row by row. */
function distanceBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (let j = 1; j < row.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (letter === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

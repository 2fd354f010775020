/** How many of `total` files to read again: at least one if there is any. */
export function sampleSize(total: number, percent: number): number {
  return Math.min(total, Math.ceil((total * percent) / 100));
}

/** The probability that a sample has at least one of so many files about which a worker lied. */
export function chanceOfFinding(lies: number, { sample, total }: { sample: number; total: number }): number {
  let missed = 1;
  for (let lie = 0; lie < lies; lie += 1) missed *= Math.max(0, total - sample - lie) / (total - lie);
  return 1 - missed;
}

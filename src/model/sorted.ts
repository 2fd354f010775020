/** The first place in a list in byte order from which on nothing comes before `wanted`; the list's length where all does. */
export function placeIn<T>(list: readonly T[], wanted: string, textOf: (item: T) => string): number {
  let from = 0;
  let to = list.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    const item = list[middle];
    if (item !== undefined && textOf(item) < wanted) from = middle + 1;
    else to = middle;
  }
  return from;
}

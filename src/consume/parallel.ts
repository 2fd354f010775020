/**
 * Runs a task for each item, a limited number at a time. The results are in the order of the items. After a failure
 * nothing is begun, and what has begun comes to its end before the first error is thrown.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  carryOut: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results = new Array<R>(items.length);
  const entries = items.entries();
  const errors: unknown[] = [];
  const worker = async () => {
    for (const [index, item] of entries) {
      if (errors.length > 0) return;
      try {
        results[index] = await carryOut(item);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (errors.length > 0) throw errors[0];
  return results;
}

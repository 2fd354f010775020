/** Why a value does not fit, and where: `Files › a-1.tgz › Size › expected an integer`. */
export class Misfit extends Error {
  readonly at: readonly string[];

  constructor(reason: string, at: readonly string[] = []) {
    super(reason);
    this.at = at;
  }

  /** The same misfit, seen from one level further out. */
  within(key: string): Misfit {
    return new Misfit(this.message, [key, ...this.at]);
  }

  describe(): string {
    return [...this.at.map(quoteKey), this.message].join(this.at.length > 1 ? ' › ' : ': ');
  }
}

// A key may be hostile text.
function quoteKey(key: string): string {
  return /^[\w./@+~=,!-]{1,80}$/.test(key) ? key : JSON.stringify(key.slice(0, 80));
}

/** Reads the value of a key, or the nth element. */
export function readAt<V, T>(read: (value: V) => T, value: V, key: string | number): T {
  try {
    return read(value);
  } catch (error) {
    throw error instanceof Misfit ? error.within(typeof key === 'number' ? `[${key}]` : key) : error;
  }
}

import { PacksignError } from '../errors.js';

/** What a function gives; null for an error that the user can do something about. Any other error is a bug, and thrown. */
export function orNull<T>(make: () => T): T | null {
  const made = orItsError(make);
  return made instanceof PacksignError ? null : made;
}

/** The same, with the error in place of null. */
export function orItsError<T>(make: () => T): T | PacksignError {
  try {
    return make();
  } catch (error) {
    if (error instanceof PacksignError) return error;
    throw error;
  }
}

/** What a function gives; after any error at all, something else: what we only look at may be gone, closed to us or damaged. */
export function orElse<T, Other>(make: () => T, other: Other): T | Other {
  try {
    return make();
  } catch {
    return other;
  }
}

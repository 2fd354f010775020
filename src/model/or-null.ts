import { PacksignError } from '../errors.js';

/** What a function gives; null for an error that the user can do something about. Any other error is a bug, and thrown. */
export function orNull<T>(make: () => T): T | null {
  try {
    return make();
  } catch (error) {
    if (error instanceof PacksignError) return null;
    throw error;
  }
}

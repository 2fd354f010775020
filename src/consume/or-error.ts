import { PacksignError } from '../errors.js';

/** The result of work, or its error if the user can do something about that. Any other error is a bug, and thrown. */
export async function orError<T>(work: () => Promise<T> | T): Promise<T | PacksignError> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PacksignError) return error;
    throw error;
  }
}

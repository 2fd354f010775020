import type { Inspection } from '../model/inspection.js';

/** What is wrong with an archive, as an error that its readers throw. The message is for a person. */
export function damage(reason: string): Error {
  return new Error(reason, { cause: 'damaged' });
}

/** An error for contents that are beyond the limits or the knowledge of a reader, but may well be sound. */
export function unseen(reason: string): Error {
  return new Error(reason, { cause: 'unseen' });
}

/** What an error says about the file. Throws it again if it says that the file itself could not be read. */
export function inspectionOf(error: unknown): Inspection {
  if (!(error instanceof Error)) throw error;
  if (error.cause === 'damaged') return { kind: 'damaged', reason: error.message };
  if (error.cause === 'unseen') return { kind: 'unseen', reason: error.message };
  if ('syscall' in error) throw error;
  // A reader that fails in a way that it does not know proves nothing about the file.
  return { kind: 'unseen', reason: 'packsign cannot look through it' };
}

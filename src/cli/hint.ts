import { shown } from './terminal.js';

/**
 * A hint with the directory as the user typed it. Only the command line knows that, so the rest of packsign writes
 * DIRECTORY, which stays if the user named none.
 */
export function hintFor(hint: string | null, directory: unknown): string | null {
  if (hint === null || typeof directory !== 'string') return hint;
  return directory === '.'
    ? hint.replaceAll(' DIRECTORY', '')
    : hint.replaceAll('DIRECTORY', () => shown(directory));
}

import { shown } from './terminal.js';

/**
 * What to type next, for whoever typed this directory. Nobody below the command line knows how it was typed: hints say
 * DIRECTORY there, which stays where none was named.
 */
export function hintFor(hint: string | null, directory: unknown): string | null {
  if (hint === null || typeof directory !== 'string') return hint;
  return directory === '.'
    ? hint.replaceAll(' DIRECTORY', '')
    : hint.replaceAll('DIRECTORY', () => shown(directory));
}

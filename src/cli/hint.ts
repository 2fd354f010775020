import { shown } from './terminal.js';

/** What the user typed: options by name. */
export type Typed = Readonly<Record<string, unknown>>;

/** Commands that make or sign a database, up to where another part of the hint begins. */
const RELEASING = /packsign (?:build|sign) DIRECTORY[^;,]*/g;
/** Options without which such a command would go on from another database, or judge absent files otherwise. */
const CARRIED = ['previous', 'adopt', 'absent'] as const;

/**
 * A hint with the directory as the user typed it, and with the options that its commands need as much as the one before.
 * Only the command line knows them, so the rest of packsign writes DIRECTORY, which stays if the user named none.
 */
export function hintFor(hint: string | null, typed: Typed): string | null {
  if (hint === null) return hint;
  const { directory } = typed;
  const carried = hint.replace(RELEASING, (command) => command + optionsFor(command, typed));
  if (typeof directory !== 'string') return carried;
  return directory === '.'
    ? carried.replaceAll(' DIRECTORY', '')
    : carried.replaceAll('DIRECTORY', () => shown(directory));
}

function optionsFor(command: string, typed: Typed): string {
  return CARRIED.map((name) => {
    const value = typed[name];
    const isMissing = typeof value === 'string' && !command.includes(`--${name} `);
    return isMissing ? ` --${name} ${shown(value)}` : '';
  }).join('');
}

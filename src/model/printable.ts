import type { Warning } from './finding.js';
import type { Package } from './package.js';
import type { Override, Settings } from './settings.js';
import { TEXT_LIMIT_BYTES, asciiText, isAscii } from './text.js';

// PackMan's clients fail when they print a description beyond ASCII into a pipe (docs/FORMAT.md §4).

/** A description that every client can print; empty if nothing is left of it. */
export function printable(text: string, { PackMan = true }: Settings): string {
  // `(c)` is longer than its sign.
  return isAscii(text) || !PackMan ? text : asciiText(text).slice(0, TEXT_LIMIT_BYTES);
}

/** The same for the description of an override, which loses one of which nothing is left. */
export function printableOverride(override: Override, settings: Settings): Override {
  if (override.Description === undefined || isAscii(override.Description)) return override;
  const { Description: text, ...others } = override;
  const Description = printable(text, settings);
  return Description === '' ? others : { ...others, Description };
}

/** Says that a description is not the one that was given. */
export function changedWarnings(
  path: string | null,
  given: string,
  { Name, Description }: Package,
): readonly Warning[] {
  if (isAscii(given) || !isAscii(Description)) return [];
  const message = `the description of ${Name} is not ASCII, and PackMan fails on it; it becomes "${Description}"`;
  return [{ code: 'NOT_ASCII', path, message }];
}

import type { Claims } from './metadata.js';

/** An own property of what a parser made: the archive does not set those of a prototype. */
export function ownValue(of: unknown, key: string): unknown {
  if (typeof of !== 'object' || of === null) return null;
  return Object.getOwnPropertyDescriptor(of, key)?.value;
}

/** The same if it is text; else null. */
export function ownText(of: unknown, key: string): string | null {
  const value = ownValue(of, key);
  return typeof value === 'string' ? value : null;
}

/** What npm and Cargo call the same. */
export function claimsOf(of: unknown): Claims {
  return {
    name: ownText(of, 'name'),
    version: ownText(of, 'version'),
    summary: ownText(of, 'description'),
    homePage: ownText(of, 'homepage'),
  };
}

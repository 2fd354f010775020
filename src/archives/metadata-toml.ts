import { parse } from 'smol-toml';
import type { Metadata } from '../model/metadata.js';
import { decodeDocument } from './decode-text.js';
import { toMetadata } from './metadata.js';

/**
 * Reads the `Cargo.toml` of a crate. Null without a usable name and version of its own: one that is inherited from a
 * workspace is not in the file. Never throws.
 */
export function parseCargoToml(bytes: Buffer): Metadata | null {
  const table = ownValue(readToml(decodeDocument(bytes)), 'package');
  const text = (key: string) => {
    const value = ownValue(table, key);
    return typeof value === 'string' ? value : null;
  };
  return toMetadata('crate', {
    name: text('name'),
    version: text('version'),
    summary: text('description'),
    homePage: text('homepage'),
  });
}

function readToml(toml: string): unknown {
  try {
    return parse(toml);
  } catch {
    return null;
  }
}

function ownValue(table: unknown, key: string): unknown {
  if (typeof table !== 'object' || table === null) return null;
  return Object.getOwnPropertyDescriptor(table, key)?.value;
}

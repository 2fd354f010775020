import { parse } from 'smol-toml';
import type { Metadata } from '../model/metadata.js';
import { decodeDocument } from './decode-text.js';
import { toMetadata } from './metadata.js';
import { ownText, ownValue } from './own-value.js';

/**
 * Reads the `Cargo.toml` of a crate. Null without a usable name and version of its own: one that is inherited from a
 * workspace is not in the file. Never throws.
 */
export function parseCargoToml(bytes: Buffer): Metadata | null {
  const table = ownValue(readToml(decodeDocument(bytes)), 'package');
  return toMetadata('crate', {
    name: ownText(table, 'name'),
    version: ownText(table, 'version'),
    summary: ownText(table, 'description'),
    homePage: ownText(table, 'homepage'),
  });
}

function readToml(toml: string): unknown {
  try {
    return parse(toml);
  } catch {
    return null;
  }
}

import { parse } from 'smol-toml';
import type { Metadata } from '../model/metadata.js';
import { decodeDocument } from './decode-text.js';
import { toMetadata } from './metadata.js';
import { claimsOf, ownValue } from './own-value.js';

/**
 * Reads the `Cargo.toml` of a crate. Null without a usable name and version of its own: one that is inherited from a
 * workspace is not in the file. Never throws.
 */
export function parseCargoToml(bytes: Buffer): Metadata | null {
  return toMetadata('crate', claimsOf(ownValue(readToml(decodeDocument(bytes)), 'package')));
}

function readToml(toml: string): unknown {
  try {
    return parse(toml);
  } catch {
    return null;
  }
}

import type { Metadata } from '../model/metadata.js';
import { toMetadata } from './metadata.js';
import { claimsOf, ownText, ownValue } from './own-value.js';

/**
 * Reads the `package.json` of an npm package. Null without a usable name and version, or if it is private: npm never
 * packs that. Never throws.
 */
export function parsePackageJson(bytes: Buffer): Metadata | null {
  const json = parseJson(bytes);
  return ownValue(json, 'private') === true ? null : toMetadata('npm', claimsOf(json));
}

/** Reads the `package.json` of a Visual Studio Code extension, most of which are private for npm. Never throws. */
export function parseExtensionJson(bytes: Buffer): Metadata | null {
  return toMetadata('vsix', claimsOf(parseJson(bytes)));
}

/**
 * Reads the `info/index.json` of a conda package. Its build tells packages of one version apart and is part of neither
 * version nor platform. Null without a build, which every conda package has. Never throws.
 */
export function parseCondaIndex(bytes: Buffer): Metadata | null {
  const json = parseJson(bytes);
  if (ownText(json, 'build') === null) return null;
  return toMetadata('conda', {
    name: ownText(json, 'name'),
    version: ownText(json, 'version'),
    platform: ownText(json, 'subdir'),
  });
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8').replace(/^\ufeff/, ''));
  } catch {
    return null;
  }
}

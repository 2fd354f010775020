import type { Metadata } from '../model/metadata.js';
import { toMetadata } from './metadata.js';

/**
 * Reads the `package.json` of an npm package. Null without a usable name and version, or if it is private: npm never
 * packs that. Never throws.
 */
export function parsePackageJson(bytes: Buffer): Metadata | null {
  const read = readObject(bytes);
  return read('private') === true ? null : toMetadata('npm', claimsOf(read));
}

/** Reads the `package.json` of a Visual Studio Code extension, most of which are private for npm. Never throws. */
export function parseExtensionJson(bytes: Buffer): Metadata | null {
  return toMetadata('vsix', claimsOf(readObject(bytes)));
}

/**
 * Reads the `info/index.json` of a conda package. Its build tells packages of one version apart and is part of neither
 * version nor platform. Null without a build, which every conda package has. Never throws.
 */
export function parseCondaIndex(bytes: Buffer): Metadata | null {
  const read = readObject(bytes);
  if (text(read('build')) === null) return null;
  return toMetadata('conda', {
    name: text(read('name')),
    version: text(read('version')),
    platform: text(read('subdir')),
  });
}

type Read = (key: string) => unknown;

function claimsOf(read: Read) {
  return {
    name: text(read('name')),
    version: text(read('version')),
    summary: text(read('description')),
    homePage: text(read('homepage')),
  };
}

/** The own properties of an object: the archive does not set those of a prototype. */
function readObject(bytes: Buffer): Read {
  const value = parseJson(bytes.toString('utf8'));
  return (key): unknown => (isObject(value) ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json.replace(/^\ufeff/, ''));
  } catch {
    return null;
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

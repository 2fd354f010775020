import type { Metadata } from '../model/metadata.js';
import { decodeDocument, decodeLatin1 } from './decode-text.js';
import { toMetadata } from './metadata.js';

/**
 * Reads the `control` file of a Debian package (deb-control(5)): its first paragraph. A field that comes twice, which
 * dpkg refuses, counts as absent. Null without a usable name and version. Never throws.
 */
export function parseDebianControl(bytes: Buffer): Metadata | null {
  const [paragraph = ''] = unixLines(decodeDocument(bytes))
    .replace(/^\n+/, '')
    .split(/\n[ \t]*\n/, 1);
  const field = fieldsOf(paragraph, /^([!-9;-~]+)[ \t]*:(.*)$/);
  return toMetadata('deb', {
    name: field('package'),
    version: field('version'),
    platform: field('architecture'),
    summary: field('description'),
    homePage: field('homepage'),
  });
}

/** Reads the `.PKGINFO` of a package of pacman or Alpine: `key = value`. Likewise. */
export function parsePkgInfoLines(bytes: Buffer, kind: 'pacman' | 'alpine'): Metadata | null {
  const field = fieldsOf(unixLines(decodeDocument(bytes)), /^([a-z_]+) *= *(.*)$/);
  return toMetadata(kind, {
    name: field('pkgname'),
    version: field('pkgver'),
    platform: field('arch'),
    summary: field('pkgdesc'),
    homePage: field('url'),
  });
}

/** Reads the `pom.properties` that Maven puts into a jar. Likewise. */
export function parsePomProperties(bytes: Buffer): Metadata | null {
  const field = fieldsOf(unixLines(decodeDocument(bytes)), /^[ \t]*([A-Za-z]+)[ \t]*[=:](.*)$/);
  return toMetadata('jar', { name: field('artifactid'), version: field('version') });
}

/** Reads the main section of a jar's `MANIFEST.MF`: what it says of the program, or else of the OSGi bundle. Likewise. */
export function parseManifest(bytes: Buffer): Metadata | null {
  // A line goes on behind a line end and a blank, which may split a character: decode afterwards.
  const [section = ''] = unixLines(bytes.toString('latin1')).replaceAll('\n ', '').split('\n\n', 1);
  const field = fieldsOf(decodeLatin1(section), /^([A-Za-z0-9_-]+):(.*)$/);
  const summary = field('bundle-description');
  const program = { name: field('implementation-title'), version: field('implementation-version'), summary };
  // Directives may follow the name: `org.example.tiny;singleton:=true`.
  const name = field('bundle-symbolicname')?.split(';', 1)[0]?.trim() ?? null;
  const bundle = { name, version: field('bundle-version'), summary };
  return toMetadata('jar', program) ?? toMetadata('jar', bundle);
}

function unixLines(text: string): string {
  return text.replace(/\r\n?/g, '\n');
}

/**
 * The values of lines that `pattern` splits into key and value, by key in lower case; null for one that is not there, or
 * more than once: two programs would not agree on which of them counts.
 */
function fieldsOf(text: string, pattern: RegExp): (key: string) => string | null {
  const values = new Map<string, string | null>();
  for (const line of text.split('\n')) {
    const [, key = '', value = ''] = pattern.exec(line) ?? [];
    const name = key.toLowerCase();
    if (name !== '') values.set(name, values.has(name) ? null : value.trim());
  }
  return (key) => values.get(key) ?? null;
}

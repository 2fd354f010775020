import { decodePlist as decodeCanonical, decodeText } from '../src/format/canonical.js';
import { FOOTER, HEADER } from '../src/format/plist.js';
import type { PlistDict, PlistValue } from '../src/format/plist.js';

export type { PlistDict, PlistValue };

/** The value of canonical bytes, whatever they hold. */
export function decodePlist(bytes: Uint8Array): PlistDict {
  return decodeCanonical(decodeText(bytes));
}

/** The canonical text of any value, also of one that no database may hold. */
export function encodePlist(value: PlistDict): string {
  return documentOf(linesOf(value, 1));
}

/** A document with these lines as its root. */
export function documentOf(root: string): string {
  return HEADER + root + FOOTER;
}

export function linesOf(value: PlistValue, level: number): string {
  const indent = '  '.repeat(level);
  if (typeof value === 'string') return `${indent}${tagged('string', value)}`;
  if (typeof value === 'number') return `${indent}<integer>${value}</integer>\n`;
  if (typeof value === 'boolean') return `${indent}<${value}/>\n`;
  if (value instanceof Date) return `${indent}<date>${value.toISOString().replace('.000', '')}</date>\n`;
  const isDict = value instanceof Map;
  const name = isDict ? 'dict' : 'array';
  const lines = isDict
    ? Array.from(value as PlistDict, ([key, item]) => keyLine(key, level + 1) + linesOf(item, level + 1))
    : (value as readonly PlistValue[]).map((item) => linesOf(item, level + 1));
  if (lines.length === 0) return `${indent}<${name}/>\n`;
  return `${indent}<${name}>\n${lines.join('')}${indent}</${name}>\n`;
}

export function keyLine(key: string, level: number): string {
  return '  '.repeat(level) + tagged('key', key);
}

function tagged(name: string, text: string): string {
  if (text === '') return `<${name}/>\n`;
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<${name}>${escaped}</${name}>\n`;
}

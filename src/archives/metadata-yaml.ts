import { gunzipSync } from 'node:zlib';
import { isMap, isScalar, parseDocument } from 'yaml';
import type { Node, YAMLMap } from 'yaml';
import type { Metadata } from '../model/metadata.js';
import { decodeDocument } from './decode-text.js';
import { toMetadata } from './metadata.js';
import { MEMBER_LIMIT_BYTES } from './tar.js';

const WANTED = /^(?:---|\.\.\.|["']?(?:name|version|platform|summary|description|homepage|home)["']?[ \t]*:)/;
/** In characters. */
const WANTED_LIMIT = 8192;

/**
 * Reads the `metadata.gz` of a Ruby gem. The platform `ruby` names none. Null without a usable name and version. Never
 * throws.
 */
export function parseGem(bytes: Buffer): Metadata | null {
  const map = readMap(unpack(bytes));
  const [platform, word] = [valueOf(map, 'platform'), textOf(map, 'platform')];
  return toMetadata('gem', {
    name: textOf(map, 'name'),
    // `!ruby/object:Gem::Version`, an object of one field.
    version: textOf(valueOf(map, 'version'), 'version'),
    platform: isMap(platform) ? cpuAndSystem(platform) : word === 'ruby' ? null : word,
    summary: textOf(map, 'summary'),
    homePage: textOf(map, 'homepage'),
  });
}

/**
 * Reads the `Chart.yaml` of a Helm chart. Null without a usable name and version, or in a folder that has another name
 * than the chart: Helm packs no such chart, but other archives have a Chart.yaml too. Never throws.
 */
export function parseChart(bytes: Buffer, path: string): Metadata | null {
  const map = readMap(decodeDocument(bytes));
  const name = textOf(map, 'name');
  if (path.split('/').at(-2) !== name) return null;
  return toMetadata('helm', {
    name,
    version: textOf(map, 'version'),
    summary: textOf(map, 'description'),
    homePage: textOf(map, 'home'),
  });
}

function unpack(bytes: Buffer): string {
  try {
    return decodeDocument(gunzipSync(bytes, { maxOutputLength: MEMBER_LIMIT_BYTES }));
  } catch {
    return '';
  }
}

/**
 * The wanted entries of the only map of a text in block style; null if it is none. Nothing is made of tags, aliases and
 * merge keys, and every scalar is a text, so `1.10` stays what it is.
 */
function readMap(yaml: string): YAMLMap | null {
  const wanted = wantedLines(yaml);
  if (wanted.length > WANTED_LIMIT) return null;
  try {
    const document = parseDocument(wanted, { schema: 'failsafe', uniqueKeys: false, logLevel: 'error' });
    return document.errors.length === 0 && isMap(document.contents) ? document.contents : null;
  } catch {
    // Nested too deep.
    return null;
  }
}

/**
 * The marks of documents and the entries of wanted keys, without the thousands of files of a gem. In block style, only
 * the lines of an entry after its first are indented. The parser takes 20 seconds and a gigabyte for a hostile MiB.
 */
function wantedLines(yaml: string): string {
  let isWanted = false;
  const lines = yaml.split(/\r\n?|\n/).filter((line) => {
    if (/^[^ \t#]/.test(line)) isWanted = WANTED.test(line);
    return isWanted;
  });
  return lines.join('\n');
}

/** The value of a key that comes once. */
function valueOf(map: unknown, key: string): unknown {
  const items = isMap(map) ? map.items : [];
  const pairs = items.filter((pair) => isScalar(pair.key) && pair.key.value === key);
  return pairs.length === 1 ? pairs[0]?.value : null;
}

function textOf(map: unknown, key: string): string | null {
  const value = valueOf(map, key) as Node | null;
  return isScalar(value) && typeof value.value === 'string' ? value.value : null;
}

/** `!ruby/object:Gem::Platform`, as old gems have it. */
function cpuAndSystem(platform: YAMLMap): string | null {
  const words = [textOf(platform, 'cpu'), textOf(platform, 'os')].filter(
    (word) => word !== null && word !== '',
  );
  return words.length === 0 ? null : words.join('-');
}

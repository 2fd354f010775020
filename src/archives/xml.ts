import { decodeDocument } from './decode-text.js';

/** Elements of metadata are three deep, so nothing deeper is kept or needed. */
const KEPT_DEPTH = 3;
const DEPTH_LIMIT = 100;
const ELEMENT_LIMIT = 10_000;

const NAME = String.raw`[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?`;
const START = new RegExp(`<(${NAME})`, 'y');
const ATTRIBUTE = new RegExp(String.raw`\s+(${NAME})\s*=\s*(?:"([^"<]*)"|'([^'<]*)')`, 'y');
const START_END = /\s*(\/?)>/y;
const END = new RegExp(String.raw`</(${NAME})\s*>`, 'y');
/** What may stand between elements, by its beginning and its end. A DTD may not: it could define entities. */
const ASIDES: readonly (readonly [start: string, end: string])[] = [
  ['<!--', '-->'],
  ['<?', '?>'],
];
const CDATA = ['<![CDATA[', ']]>'] as const;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

export interface XmlElement {
  /** The names from the root down, without prefixes: `package/metadata/id`. */
  readonly path: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** The text directly in it, trimmed. */
  readonly text: string;
}

interface Open {
  readonly name: string;
  readonly path: string;
  /** Paths of its children by their names: equal ones are the same text, which is compared and looked up fast. */
  readonly paths: Map<string, string>;
  readonly attributes: ReadonlyMap<string, string>;
  readonly texts: string[];
}

/**
 * The elements of a small XML file, three levels of them, in the order of their ends. Null if it is not well-formed, has
 * a DTD, is deeper than metadata is, or has more elements than the limit. It takes time in proportion to its length, and never throws.
 */
export function readXml(bytes: Buffer, limit = ELEMENT_LIMIT): readonly XmlElement[] | null {
  try {
    return readElements(decodeDocument(bytes), limit);
  } catch {
    return null;
  }
}

function readElements(xml: string, limit: number): readonly XmlElement[] {
  const done: XmlElement[] = [];
  const open: Open[] = [];
  let at = 0;
  while (at < xml.length) {
    const next = xml.indexOf('<', at);
    const end = next < 0 ? xml.length : next;
    if (end > at) addText(open, decodeEntities(xml.slice(at, end)));
    at = end === xml.length ? end : readMarkup({ xml, at: end, open, done, limit });
  }
  if (open.length > 0 || done.length === 0) throw new Error('it ends too early');
  return done;
}

interface Place {
  readonly xml: string;
  readonly at: number;
  readonly open: Open[];
  readonly done: XmlElement[];
  readonly limit: number;
}

/** Reads what begins with `<`, and returns where it ends. */
function readMarkup(place: Place): number {
  const { xml, at, open, done } = place;
  const aside = ASIDES.find(([start]) => xml.startsWith(start, at));
  if (aside !== undefined) return endOf(xml, aside[1], at + aside[0].length) + aside[1].length;
  if (xml.startsWith(CDATA[0], at)) {
    const start = at + CDATA[0].length;
    const end = endOf(xml, CDATA[1], start);
    addText(open, xml.slice(start, end));
    return end + CDATA[1].length;
  }
  const closing = match(END, xml, at);
  if (closing === null) return readStart(place);
  const element = open.pop();
  if (element === undefined || element.name !== closing[1]) throw new Error('an end without its start');
  close(element, open.length + 1, done);
  return END.lastIndex;
}

function readStart({ xml, at, open, done, limit }: Place): number {
  const [, name] = match(START, xml, at) ?? [];
  if (name === undefined) throw new Error('neither a start nor an end');
  const attributes = new Map<string, string>();
  let end = START.lastIndex;
  for (let found = match(ATTRIBUTE, xml, end); found !== null; found = match(ATTRIBUTE, xml, end)) {
    const [, key = '', double, single = ''] = found;
    if (attributes.has(key)) throw new Error('an attribute twice');
    attributes.set(key, decodeEntities(double ?? single));
    end = ATTRIBUTE.lastIndex;
  }
  const closing = match(START_END, xml, end);
  if (closing === null) throw new Error('a start without its end');
  const parent = open.at(-1);
  // One root.
  if ((parent === undefined && done.length > 0) || open.length > DEPTH_LIMIT || done.length > limit) {
    throw new Error('too much of it');
  }
  const path = open.length < KEPT_DEPTH ? pathIn(parent, name) : '';
  const element = { name, path, paths: new Map<string, string>(), attributes, texts: [] };
  if (closing[1] === '/') close(element, open.length + 1, done);
  else open.push(element);
  return START_END.lastIndex;
}

/** Of an element with that name; null is above the root. */
function pathIn(parent: Open | undefined, name: string): string {
  if (parent === undefined) return localName(name);
  let path = parent.paths.get(name);
  if (path === undefined) parent.paths.set(name, (path = `${parent.path}/${localName(name)}`));
  return path;
}

function close({ path, attributes, texts }: Open, depth: number, done: XmlElement[]): void {
  if (depth <= KEPT_DEPTH) done.push({ path, attributes, text: texts.join('').trim() });
}

function addText(open: readonly Open[], text: string): void {
  const parent = open.at(-1);
  if (parent !== undefined) parent.texts.push(text);
  else if (text.trim() !== '') throw new Error('text outside the root');
}

function endOf(xml: string, mark: string, from: number): number {
  const end = xml.indexOf(mark, from);
  if (end < 0) throw new Error('it ends too early');
  return end;
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(#x[0-9a-f]{1,6}|#\d{1,7}|[a-z]*)?;?/gi, (entity, name: string | undefined) => {
    const decoded = entity.endsWith(';') ? decodeEntity(name ?? '') : undefined;
    if (decoded === undefined) throw new Error('an unknown entity');
    return decoded;
  });
}

function decodeEntity(name: string): string | undefined {
  if (!name.startsWith('#')) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined;
  const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number.parseInt(name.slice(1), 10);
  return code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}

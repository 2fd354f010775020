import { fillTemplate } from './template.js';
import { pageView } from './view.js';
import type { PageSource } from './view.js';

export type { PageKey, PageSource } from './view.js';

/** What a page says of itself in its last line: what it was made from, and that nobody has changed it since. */
export interface Stamp {
  /** SHA-256 of the database that it shows. */
  readonly database: string;
  /** Of `keys.asc`. */
  readonly keys: string;
  /** Of the template with its assets. */
  readonly template: string;
  /** Whether that is a template of the user's own. */
  readonly own: boolean;
}

const STAMP =
  /<!-- packsign page: database ([0-9a-f]{64}), keys ([0-9a-f]{64}), (own )?template ([0-9a-f]{64}), rest ([0-9a-f]{64}) -->\n$/;

export type Hash = (text: string) => string;

/** The trust page as HTML: the same source and template, the same bytes. */
export function renderPage(
  template: string,
  source: PageSource,
  { stamp, hash }: { stamp: Stamp; hash: Hash },
): string {
  const html = fillTemplate(template, pageView(source));
  const { database, keys, own } = stamp;
  const made = `database ${database}, keys ${keys}, ${own ? 'own ' : ''}template ${stamp.template}`;
  return `${html}<!-- packsign page: ${made}, rest ${hash(html)} -->\n`;
}

/** The stamp of a page that is as packsign made it; null for one that was edited, or is none of packsign's. */
export function readStamp(html: string, hash: Hash): Stamp | null {
  const match = STAMP.exec(html);
  if (match === null) return null;
  const [, database = '', keys = '', own, template = '', rest = ''] = match;
  return hash(html.slice(0, match.index)) === rest
    ? { database, keys, template, own: own !== undefined }
    : null;
}

import { sha256Of } from '../verify/verify-database.js';
import { fillTemplate } from './template.js';
import { pageView } from './view.js';
import type { PageSource } from './view.js';

/** What the last line of a page says: what packsign made it from, and the hash of all lines before. */
export interface Stamp {
  /** SHA-256 of the database that the page shows. */
  readonly database: string;
  /** Of `keys.asc`. */
  readonly keys: string;
  /** Of `SHA256SUMS`; null if there is none. */
  readonly sums: string | null;
  /** Of the template with its assets. */
  readonly template: string;
  /** Whether the template is the user's own. */
  readonly own: boolean;
}

const STAMP =
  /<!-- packsign page: database ([0-9a-f]{64}), keys ([0-9a-f]{64}), (?:sums ([0-9a-f]{64}), )?(own )?template ([0-9a-f]{64}), rest ([0-9a-f]{64}) -->\n$/;

/** The trust page as HTML: the same source and template always give the same bytes. */
export function renderPage(template: string, source: PageSource, stamp: Stamp): string {
  const html = fillTemplate(template, pageView(source));
  const { database, keys, sums, own } = stamp;
  const made = `database ${database}, keys ${keys}, ${sums === null ? '' : `sums ${sums}, `}${own ? 'own ' : ''}template ${stamp.template}`;
  return `${html}<!-- packsign page: ${made}, rest ${hashOf(html)} -->\n`;
}

/** The stamp of a page; null if somebody edited the page, or packsign did not make it. */
export function readStamp(html: string): Stamp | null {
  const match = STAMP.exec(html);
  if (match === null) return null;
  const [, database = '', keys = '', sums = null, own, template = '', rest = ''] = match;
  return hashOf(html.slice(0, match.index)) === rest
    ? { database, keys, sums, template, own: own !== undefined }
    : null;
}

export function hashOf(text: string): string {
  return sha256Of(Buffer.from(text, 'utf8'));
}

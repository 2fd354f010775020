import { readXml } from '../../archives/xml.js';
import type { XmlElement } from '../../archives/xml.js';
import { plainEtag } from '../../stores/list.js';
import { wholeBody } from '../../stores/store.js';
import type { Ask, Store } from '../../stores/store.js';

/** An upload in parts that was cut off. */
export interface Unfinished {
  readonly uploadId: string;
  /** Number → what the store has of it. */
  readonly parts: ReadonlyMap<number, Part>;
}

export interface Part {
  readonly size: number;
  readonly etag: string;
}

const PAGE_PARTS = 1000;
/** Stores say a dozen things of each. */
const ELEMENT_LIMIT = 20 * PAGE_PARTS;
const PAGE_LIMIT = 10;

/** The latest upload of a key that was cut off; null if there is none, or the store does not tell. */
export async function findUnfinished(
  store: Store,
  { key, doing }: { readonly key: string; readonly doing: string },
): Promise<Unfinished | null> {
  const query = { uploads: '', prefix: key, 'max-uploads': '1000' };
  const uploads = await answered(store, { doing, method: 'GET', key: null, query });
  const own = recordsIn(uploads, 'ListMultipartUploadsResult/Upload').filter((one) => one['Key'] === key);
  const [latest] = own.toSorted((a, b) => ((a['Initiated'] ?? '') < (b['Initiated'] ?? '') ? 1 : -1));
  const { UploadId: uploadId } = latest ?? {};
  if (uploadId === undefined) return null;
  const parts = new Map<number, Part>();
  let marker: string | undefined = '0';
  for (let page = 0; page < PAGE_LIMIT && marker !== undefined; page += 1) {
    const asked = { uploadId, 'max-parts': String(PAGE_PARTS), 'part-number-marker': marker };
    const answer = await answered(store, { doing, method: 'GET', key, query: asked });
    for (const { PartNumber, Size, ETag = '' } of recordsIn(answer, 'ListPartsResult/Part')) {
      const etag = plainEtag(ETag);
      if (etag !== null) parts.set(Number(PartNumber), { size: Number(Size), etag });
    }
    const said = (name: string) => answer.find(({ path }) => path === `ListPartsResult/${name}`)?.text;
    marker = said('IsTruncated') === 'true' ? said('NextPartNumberMarker') : undefined;
  }
  return { uploadId, parts };
}

/** Nothing where the store refuses: then the upload begins anew. */
async function answered(store: Store, ask: Ask): Promise<readonly XmlElement[]> {
  const outcome = await store.ask({ ...ask, expects: () => true }, wholeBody);
  return outcome.kind === 'done' ? (readXml(outcome.value, ELEMENT_LIMIT) ?? []) : [];
}

/** The texts in each element of a path, by name. An element comes behind what is in it. */
function recordsIn(
  elements: readonly XmlElement[],
  wanted: string,
): readonly Readonly<Record<string, string>>[] {
  const records: Record<string, string>[] = [];
  let record: Record<string, string> = {};
  for (const { path, text } of elements) {
    if (path === wanted) {
      records.push(record);
      record = {};
    } else if (path.startsWith(`${wanted}/`)) record[path.slice(wanted.length + 1)] = text;
  }
  return records;
}

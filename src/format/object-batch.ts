import { defectOfPath } from '../model/file-entry.js';
import type { Stored } from '../model/listing.js';
import { listOf } from './collections.js';
import { flag, integer, matching, text } from './elements.js';
import { readJson } from './json.js';
import type { ObjectRows } from './object-rows.js';
import { STRICT, optional, record, required } from './record.js';
import { checked } from './shape.js';
import type { Shape } from './shape.js';

/** Objects of a bucket that a worker is asked to read. */
export interface ObjectBatch {
  /** `s3://BUCKET/PREFIX` */
  readonly address: string;
  /** How far to look through them. */
  readonly inspect: ObjectRows['inspect'];
  readonly objects: readonly AskedObject[];
}

export interface AskedObject extends Stored {
  readonly path: string;
  /** Whether its MD5 is wanted. */
  readonly md5: boolean;
}

type Line = Omit<AskedObject, 'etag'> & { readonly etag?: string };

/** The document, its list, an object. */
const LEVELS = 3;

const count = checked(integer, (value) => (value >= 0 ? null : 'expected 0 or more'));

const batchShape: Shape<Omit<ObjectBatch, 'objects'> & { readonly objects: readonly Line[] }> = record(
  {
    address: required(text()),
    inspect: required(matching(/^(?:whole|ends)$/, 'whole or ends') as Shape<ObjectBatch['inspect']>),
    objects: required(
      listOf(
        record<Line>(
          {
            path: required(text(defectOfPath)),
            size: required(count),
            etag: optional(text()),
            modifiedMs: required(count),
            md5: required(flag),
          },
          STRICT,
        ),
      ),
    ),
  },
  STRICT,
);

/** The same text for the same batch, always: it names the work. */
export function encodeBatch({ address, inspect, objects }: ObjectBatch): string {
  const lines = objects.map(({ path, size, etag, modifiedMs, md5 }) => ({
    ...{ path, size, ...(etag === null ? {} : { etag }), modifiedMs, md5 },
  }));
  return JSON.stringify({ address, inspect, objects: lines });
}

/** Reads the text of `encodeBatch`, from whoever can write to the queue. Throws `Misfit`. */
export function decodeBatch(json: string): ObjectBatch {
  const { objects, ...batch } = readJson(json, batchShape, LEVELS);
  return { ...batch, objects: objects.map(({ etag = null, ...object }) => ({ ...object, etag })) };
}

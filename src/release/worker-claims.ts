import { encodeBatch } from '../format/object-batch.js';
import type { AskedObject, ObjectBatch } from '../format/object-batch.js';
import { Misfit } from '../format/misfit.js';
import { decodeRows } from '../format/object-rows.js';
import type { ObjectRow } from '../format/object-rows.js';
import type { Hashed } from '../workers/digest.js';
import { md5InEtag } from './etag-md5.js';

/** An object that workers are asked to read, by its place among the files. */
export interface Asked extends AskedObject {
  readonly index: number;
  /** Whether its MD5 is wanted for more than to compare it with the ETag. */
  readonly keepsMd5: boolean;
}

export interface Batch {
  readonly objects: readonly Asked[];
  readonly text: string;
}

/** What a worker says of a file. */
export interface Claim {
  readonly asked: Asked;
  readonly said: Hashed;
  readonly worker: string;
}

export function batchOf(
  objects: readonly Asked[],
  { address, inspect }: Omit<ObjectBatch, 'objects'>,
): Batch {
  return { objects, text: encodeBatch({ address, inspect, objects }) };
}

/**
 * What a worker says of the objects of a batch, by path; it may say nothing of some. It must speak of what it was asked, of
 * the very version that is listed, and of nothing else. Throws `Misfit`.
 */
export function claimsIn(
  { worker, text }: { readonly worker: string; readonly text: string },
  { objects }: Batch,
  inspect: ObjectBatch['inspect'],
): ReadonlyMap<string, Claim> {
  const answer = decodeRows(text);
  if (answer.inspect !== inspect) throw new Misfit(`expected ${inspect}`, ['inspect']);
  const table = new Map(objects.map((asked) => [asked.path, asked]));
  return new Map(
    answer.rows.map((row) => {
      const asked = table.get(row.path);
      if (asked === undefined) throw new Misfit('nobody asked for it', [row.path]);
      return [row.path, { asked, said: hashedOf(row, asked), worker }];
    }),
  );
}

function hashedOf(row: ObjectRow, asked: Asked): Hashed {
  const { path, size, seen } = row;
  const isListed = size === asked.size && row.etag === asked.etag && row.modifiedMs === asked.modifiedMs;
  if (!isListed) throw new Misfit('is of another version than the one that is listed', [path]);
  if (seen === null || (seen.md5 !== null) !== asked.md5)
    throw new Misfit('says something else than it was asked', [path]);
  const { sha256, md5, reading, inspection } = seen;
  return { kind: 'digested', size, sha256, md5, look: { reading, inspection }, secret: null };
}

/** Whether the MD5 of a file is not what its ETag says, if that is an MD5. */
export function differsFromEtag({ asked: { etag }, said: { md5 } }: Pick<Claim, 'asked' | 'said'>): boolean {
  const listed = md5InEtag(etag);
  return listed !== null && md5 !== listed;
}

import { createHash } from 'node:crypto';
import { readXml } from '../../archives/xml.js';
import { PacksignError } from '../../errors.js';
import type { Answer } from '../../net/reply.js';
import { sha256Of } from '../../verify/verify-database.js';
import type { Outgoing } from '../remote.js';
import { plainEtag } from '../../stores/list.js';
import { blocksOf } from './source.js';
import { findUnfinished } from './unfinished.js';
import type { Unfinished } from './unfinished.js';
import { wholeBody } from '../../stores/store.js';
import type { Ask, Body, Outcome, Store } from '../../stores/store.js';

/** Files above it are written in parts. */
export const SINGLE_LIMIT_BYTES = 64 * 1024 * 1024;
const PART_BYTES = 16 * 1024 * 1024;
const PART_LIMIT = 10_000;
/** Parts are held in memory while they are sent. */
const HELD_BYTES = 48 * 1024 * 1024;

export interface Parts {
  readonly key: string;
  readonly directory: string;
  readonly onBytes: (count: number) => void;
  /** Of the file: its type and the like. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sends the request with which the file takes its place, under its condition. */
  readonly finish: (
    send: (last: Pick<Ask, 'headers' | 'expects'>) => Promise<Outcome<unknown>>,
  ) => Promise<Outcome<unknown>>;
}

/**
 * Writes a large file in parts, and goes on with an upload that was cut off. The file is there whole, or not at all. Parts
 * stay only where the store stopped answering, for the next run.
 */
export async function writeInParts(store: Store, file: Outgoing, parts: Parts): Promise<Outcome<unknown>> {
  const { key, headers } = parts;
  const doing = `write ${file.path}`;
  const { uploadId, parts: there } =
    (await findUnfinished(store, { key, doing })) ?? (await begin(store, { doing, key, headers }));
  const upload = { doing, key, query: { uploadId } };
  const giveUp = async () => {
    // What went wrong is said already.
    await store.ask({ ...upload, method: 'DELETE', expects: () => true }, wholeBody).catch(() => undefined);
  };
  try {
    const etags = await sendParts(store, upload, { file, parts, there });
    const outcome = await parts.finish((last) => complete(store, { ...upload, ...last }, etags));
    if (outcome.kind !== 'done') await giveUp();
    return outcome;
  } catch (error) {
    if (!isCutOff(error)) await giveUp();
    throw error;
  }
}

/** Whether the store stopped answering. */
function isCutOff(error: unknown): boolean {
  const cause = error instanceof PacksignError ? error.cause : null;
  return cause instanceof PacksignError && cause.code.startsWith('NETWORK');
}

async function begin(
  store: Store,
  { doing, key, headers }: Required<Pick<Ask, 'doing' | 'key' | 'headers'>>,
): Promise<Unfinished> {
  const begun = await store.ask({ doing, method: 'POST', key, query: { uploads: '' }, headers }, wholeBody);
  const uploadId =
    begun.kind === 'done' ? elementIn(begun.value, 'InitiateMultipartUploadResult/UploadId') : null;
  if (uploadId === null) throw noMultipart(doing);
  return { uploadId, parts: new Map() };
}

type Upload = Pick<Ask, 'doing' | 'key'> & { readonly query: { readonly uploadId: string } };

/** The ETags of the parts, in order. */
async function sendParts(
  store: Store,
  { query, ...upload }: Upload,
  {
    file,
    parts,
    there,
  }: { readonly file: Outgoing; readonly parts: Parts; readonly there: Unfinished['parts'] },
): Promise<readonly string[]> {
  const partBytes = Math.max(PART_BYTES, Math.ceil(file.size / PART_LIMIT));
  const limit = Math.max(1, Math.floor(HELD_BYTES / partBytes));
  const etags: string[] = [];
  const sending = new Set<Promise<unknown>>();
  const send = async (bytes: Uint8Array, number: number) => {
    const body = counted(bodyOf(bytes), parts.onBytes);
    const part = { ...upload, query: { ...query, partNumber: String(number) }, body };
    const outcome = await store.ask({ ...part, method: 'PUT' }, etagOfWritten);
    if (outcome.kind !== 'done' || outcome.value === null) throw noMultipart(upload.doing);
    etags[number - 1] = outcome.value;
  };
  let failure: unknown = null;
  try {
    let number = 0;
    for await (const bytes of blocksOf(file, parts.directory, partBytes)) {
      number += 1;
      const known = there.get(number);
      if (known?.size === bytes.length && known.etag === md5Of(bytes)) {
        etags[number - 1] = known.etag;
        parts.onBytes(bytes.length);
        continue;
      }
      const one: Promise<unknown> = send(bytes, number)
        .catch((error: unknown) => (failure ??= error))
        .finally(() => sending.delete(one));
      sending.add(one);
      if (sending.size >= limit) await Promise.race(sending);
      if (failure !== null) break;
    }
  } finally {
    // No part arrives after the upload was given up.
    await Promise.all(sending);
  }
  if (failure !== null) throw failure as Error;
  return etags;
}

/** A body whose bytes are counted as they go out; anew if they have to be sent again. */
export function counted(body: Body, onBytes: (count: number) => void): Body {
  let sent = 0;
  const read = async function* (): AsyncIterable<Uint8Array> {
    onBytes(-sent);
    sent = 0;
    for await (const block of body.read()) {
      yield block;
      sent += block.length;
      onBytes(block.length);
    }
  };
  return { ...body, read };
}

const PIECE_BYTES = 256 * 1024;

/** Bytes that are in memory, as the body of a request. */
export function bodyOf(bytes: Uint8Array): Body {
  return { length: bytes.length, sha256: sha256Of(bytes), read: () => piecesOf(bytes) };
}

/** The ETag of what was written; null if the store does not say. */
export async function etagOfWritten(answer: Answer): Promise<string | null> {
  await wholeBody(answer);
  return plainEtag(answer.headers['etag'] ?? '');
}

async function* piecesOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    yield await Promise.resolve(bytes.subarray(at, at + PIECE_BYTES));
  }
}

async function complete(
  store: Store,
  ask: Omit<Ask, 'method' | 'body'>,
  etags: readonly string[],
): Promise<Outcome<unknown>> {
  const list = etags.map(
    (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>"${escaped(etag)}"</ETag></Part>`,
  );
  const bytes = Buffer.from(
    `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${list.join('')}</CompleteMultipartUpload>`,
  );
  const body = bodyOf(bytes);
  return await store.ask({ ...ask, method: 'POST', body }, async (answer) => {
    const text = await wholeBody(answer);
    // A store that takes long says 200 before it knows.
    if (elementIn(text, 'CompleteMultipartUploadResult/ETag') === null) throw noMultipart(ask.doing);
  });
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function elementIn(xml: Buffer, wanted: string): string | null {
  const text = readXml(xml)?.find(({ path }) => path === wanted)?.text ?? '';
  return text === '' ? null : text;
}

/** Stores that encrypt with keys of their own have other ETags: there every part is sent again. */
function md5Of(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}

function noMultipart(doing: string): PacksignError {
  return new PacksignError('DESTINATION_FAILED', `cannot ${doing}: the store did not assemble its parts`, {
    hint: 'publish again; if it keeps failing, ask the people who run the store',
  });
}

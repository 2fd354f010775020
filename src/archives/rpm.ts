import type { OpenFile } from './decompress.js';
import { decodeText } from './decode-text.js';
import { readAt } from './read-at.js';

const LEAD_BYTES = 96;
const LEAD_MAGIC = 'edabeedb';
/** A header begins with this, its version and four unused bytes. */
const HEADER_MAGIC = '8eade801';
const INTRO_BYTES = 16;
const ENTRY_BYTES = 16;
/** What rpm itself reads at most. */
const ENTRY_LIMIT = 65_535;
const STORE_LIMIT_BYTES = 256 * 1024 * 1024;
const TEXT_LIMIT_BYTES = 64 * 1024;

const TYPE = { int32: 4, int64: 5, string: 6, binary: 7, texts: 8, translated: 9 } as const;
/** Tags of the header (rpm's file tags manual), and of the signature header. */
const TAG = {
  ...{ name: 1000, version: 1001, release: 1002, epoch: 1003, summary: 1004, url: 1020, arch: 1022 },
  ...{ sourceRpm: 1044, payloadDigest: 5092, payloadDigestAlgorithm: 5093 },
} as const;
const SIGNATURE_TAG = { size: 1000, md5: 1004, longSize: 270, sha1: 269, sha256: 273 } as const;
/** Numbers of digests as in OpenPGP (RFC 9580 §9.5), and their names in Node. */
const DIGESTS: Readonly<Record<number, string>> = {
  ...{ 1: 'md5', 2: 'sha1', 8: 'sha256', 9: 'sha384', 10: 'sha512', 11: 'sha224' },
};

/** What the headers of an rpm say. Text is as it is in the file: maybe empty, maybe hostile. */
export interface Rpm {
  readonly name: string | null;
  readonly epoch: number | null;
  readonly version: string | null;
  readonly release: string | null;
  /** Of a source package: where it was built. */
  readonly arch: string | null;
  readonly summary: string | null;
  readonly url: string | null;
  readonly isSource: boolean;
  /** Where the main header begins, and where the payload does: the header ends there. */
  readonly headerStart: number;
  readonly payloadStart: number;
  readonly claims: RpmClaims;
}

/** Sizes and digests (lower-case hex) that the headers hold; null where they hold none. */
export interface RpmClaims {
  /** Bytes of main header and payload, and the MD5 of both. */
  readonly sizeBytes: number | null;
  readonly md5: string | null;
  /** Of the main header. */
  readonly headerSha1: string | null;
  readonly headerSha256: string | null;
  /** Of the payload as it is in the file, compressed; `algorithm` is a name that `createHash` of Node knows. */
  readonly payload: { readonly algorithm: string; readonly digest: string } | null;
}

interface Entry {
  readonly type: number;
  readonly offset: number;
  readonly count: number;
}

interface Header {
  readonly file: OpenFile;
  readonly entries: ReadonlyMap<number, Entry>;
  readonly storeStart: number;
  readonly end: number;
}

/**
 * Reads the lead and the two headers of an rpm (format 3 to 6): of their values only those that `Rpm` has. Throws an
 * error with a reason in plain words if they are broken or cut short. The payload is not read.
 */
export function readRpm(file: OpenFile): Rpm {
  const lead = readAt(file, 0, LEAD_BYTES);
  if (lead.toString('hex', 0, 4) !== LEAD_MAGIC) throw new Error('it is not an rpm');
  if (lead.length < LEAD_BYTES) throw new Error('it ends in the middle of its lead');
  const signature = readHeader(file, LEAD_BYTES, 'signature header');
  const headerStart = Math.ceil(signature.end / 8) * 8;
  const main = readHeader(file, headerStart, 'header');
  return {
    name: textOf(main, TAG.name),
    epoch: numberOf(main, TAG.epoch),
    version: textOf(main, TAG.version),
    release: textOf(main, TAG.release),
    arch: textOf(main, TAG.arch),
    summary: textOf(main, TAG.summary),
    url: textOf(main, TAG.url),
    // As rpm itself decides: only what was built says from which source package.
    isSource: !main.entries.has(TAG.sourceRpm),
    headerStart,
    payloadStart: main.end,
    claims: claimsOf(signature, main),
  };
}

function claimsOf(signature: Header, main: Header): RpmClaims {
  const algorithm = DIGESTS[numberOf(main, TAG.payloadDigestAlgorithm) ?? 8];
  const digest = hexOf(textOf(main, TAG.payloadDigest));
  return {
    sizeBytes: numberOf(signature, SIGNATURE_TAG.longSize) ?? numberOf(signature, SIGNATURE_TAG.size),
    md5: binaryOf(signature, SIGNATURE_TAG.md5, 16),
    headerSha1: hexOf(textOf(signature, SIGNATURE_TAG.sha1)),
    headerSha256: hexOf(textOf(signature, SIGNATURE_TAG.sha256)),
    payload: algorithm === undefined || digest === null ? null : { algorithm, digest },
  };
}

function readHeader(file: OpenFile, start: number, what: string): Header {
  const intro = readAt(file, start, INTRO_BYTES);
  if (intro.length < INTRO_BYTES) throw new Error(`it ends before its ${what}`);
  if (intro.toString('hex', 0, 4) !== HEADER_MAGIC) throw new Error(`its ${what} is broken`);
  const entryCount = intro.readUInt32BE(8);
  const storeBytes = intro.readUInt32BE(12);
  if (entryCount > ENTRY_LIMIT || storeBytes > STORE_LIMIT_BYTES) throw new Error(`its ${what} is too large`);
  const storeStart = start + INTRO_BYTES + entryCount * ENTRY_BYTES;
  const end = storeStart + storeBytes;
  if (end > file.size) throw new Error(`it ends in the middle of its ${what}`);
  const index = readAt(file, start + INTRO_BYTES, entryCount * ENTRY_BYTES);
  return { file, entries: readEntries(index), storeStart, end };
}

function readEntries(index: Buffer): ReadonlyMap<number, Entry> {
  const entries = new Map<number, Entry>();
  // A tag that comes twice was added by an old rpm and counts in place of the first.
  for (let at = 0; at + ENTRY_BYTES <= index.length; at += ENTRY_BYTES) {
    const [type, offset] = [index.readUInt32BE(at + 4), index.readUInt32BE(at + 8)];
    entries.set(index.readUInt32BE(at), { type, offset, count: index.readUInt32BE(at + 12) });
  }
  return entries;
}

/** The bytes of the store at a value, at most `limitBytes` of them. Null without such a value. */
function valueOf(
  { file, entries, storeStart, end }: Header,
  tag: number,
  { types, limitBytes }: { readonly types: readonly number[]; readonly limitBytes: number },
): Buffer | null {
  const entry = entries.get(tag);
  if (entry === undefined || entry.count === 0 || !types.includes(entry.type)) return null;
  const start = storeStart + entry.offset;
  return start >= end ? null : readAt(file, start, Math.min(limitBytes, end - start));
}

/** A string, or the first of several: the untranslated one. */
function textOf(header: Header, tag: number): string | null {
  const types = [TYPE.string, TYPE.texts, TYPE.translated];
  const bytes = valueOf(header, tag, { types, limitBytes: TEXT_LIMIT_BYTES });
  const end = bytes?.indexOf(0) ?? -1;
  return bytes === null || end < 0 ? null : decodeText(bytes.subarray(0, end));
}

function numberOf(header: Header, tag: number): number | null {
  const isLong = header.entries.get(tag)?.type === TYPE.int64;
  const limitBytes = isLong ? 8 : 4;
  const bytes = valueOf(header, tag, { types: [TYPE.int32, TYPE.int64], limitBytes });
  if (bytes?.length !== limitBytes) return null;
  return isLong ? Number(bytes.readBigUInt64BE()) : bytes.readUInt32BE();
}

function binaryOf(header: Header, tag: number, length: number): string | null {
  if (header.entries.get(tag)?.count !== length) return null;
  const bytes = valueOf(header, tag, { types: [TYPE.binary], limitBytes: length });
  return bytes?.length === length ? bytes.toString('hex') : null;
}

function hexOf(text: string | null): string | null {
  return text !== null && /^[0-9a-f]+$/i.test(text) ? text.toLowerCase() : null;
}

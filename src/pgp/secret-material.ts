import { SECRET_LABEL, endsIn, secretFile, secretInBlock } from './secret-blocks.js';
import { inMemory, secretInPackets } from './secret-packets.js';
import type { Readable, Secret } from './secret-packets.js';

/** Looks for secrets in a file while it is read (threat T19). */
export interface SecretSearch {
  /** Takes the next bytes of the file. */
  readonly take: (bytes: Buffer) => void;
  /** The first secret in what was taken. */
  readonly found: () => Secret | null;
}

/** Part of the header line of a block. Searching for a short text that begins with a rare letter is fastest. */
interface Mark {
  readonly bytes: Buffer;
  /** How many bytes a character has. */
  readonly stride: 1 | 2;
}

const NARROW: Mark = { bytes: Buffer.from('BEGIN '), stride: 1 };
/** In UTF-16 of both byte orders. */
const WIDE: Mark = { bytes: Buffer.from('B\0E\0G'), stride: 2 };
/** No block in UTF-16 is so short that it fits between two samples: a key of 32 bytes takes 238. */
const SAMPLE_BYTES = 128;

/** More than a header line has, in UTF-16 too. */
const LINE_BYTES = 256;
/** What we look at around a header line: no key is longer, but an armored keyring may be. */
const BEFORE_CHARACTERS = 128;
const BLOCK_CHARACTERS = 64 * 1024;
const ARMOR_CHARACTERS = 4 * 1024 * 1024;
/** We look at so much first, and then at twice as much again and again, until the block ends: most have no more. */
const FIRST_CHARACTERS = 1024;
/** How the kinds of text files begin that are secret as a whole: the letters P, A to Z before a colon, and a bracket. */
const FIRST_OF_TEXT = /^(?:PuTTY-|[A-Z][A-Za-z-]*: |\(\d\d:)/;

/** Starts to look for secrets in a file: `file.read` is asked only for what looks like one. */
export function startSecretSearch(file: Readable): SecretSearch {
  let position = 0;
  let tail = Buffer.alloc(0);
  let found: Secret | null = null;
  const look = (bytes: Buffer, start: number) => {
    for (const { bytes: mark, stride } of isWide(bytes) ? [NARROW, WIDE] : [NARROW]) {
      for (let at = bytes.indexOf(mark); at !== -1 && found === null; at = bytes.indexOf(mark, at + 1)) {
        if (isLabel(bytes, at, stride)) found = secretAt(file, start + at, stride);
      }
    }
  };
  return {
    take: (bytes) => {
      if (found === null && position === 0) found = secretFromStart(file, bytes);
      if (found === null && position > 0) {
        look(Buffer.concat([tail, bytes.subarray(0, LINE_BYTES)]), position - tail.length);
      }
      if (found === null) look(bytes, position);
      position += bytes.length;
      // Copied: the caller reads the next bytes into the same memory.
      if (position < file.size)
        tail = Buffer.concat([tail, bytes.subarray(-LINE_BYTES)]).subarray(-LINE_BYTES);
    },
    found: () => found,
  };
}

/** The first secret in bytes that are all there. */
export function findSecret(bytes: Buffer): Secret | null {
  const search = startSecretSearch(inMemory(bytes));
  search.take(bytes);
  return search.found();
}

function secretFromStart(file: Readable, head: Buffer): Secret | null {
  const [first = 0] = head;
  if ((first & 0x80) !== 0) return secretInPackets(file);
  return FIRST_OF_TEXT.test(head.toString('latin1', 0, 32))
    ? secretFile(file.read(0, BLOCK_CHARACTERS).toString('latin1'))
    : null;
}

/** Whether some of it may be ASCII in UTF-16: to sample takes a fraction of the time of a second search. */
function isWide(bytes: Buffer): boolean {
  if (bytes.length <= 2 * LINE_BYTES) return true;
  for (let at = 0; at + 3 < bytes.length; at += SAMPLE_BYTES) {
    if (isUnit(bytes[at], bytes[at + 1]) && isUnit(bytes[at + 2], bytes[at + 3])) return true;
  }
  return false;
}

/** Two bytes of a character, or of two neighbours: one is zero, the other ASCII. */
function isUnit(a = 0, b = 0): boolean {
  return (a === 0 || b === 0) && a !== b && (a | b) < 0x80;
}

const DASHES = '-----';

/** Whether a mark is in the header line of a block that may be secret. */
function isLabel(bytes: Buffer, at: number, stride: number): boolean {
  const start = at - DASHES.length * stride;
  return start >= 0 && SECRET_LABEL.test(textIn(bytes.subarray(start, start + LINE_BYTES), stride));
}

/** Looks closer at the block with a mark at this position. */
function secretAt(file: Readable, position: number, stride: number): Secret | null {
  const characters = Math.min(BEFORE_CHARACTERS, Math.floor(position / stride));
  const start = position - characters * stride;
  const begin = characters - DASHES.length;
  let most = BLOCK_CHARACTERS;
  for (let behind = FIRST_CHARACTERS; ; behind *= 2) {
    const length = (characters + behind) * stride;
    const bytes = file.read(start, length);
    const text = textIn(bytes, stride);
    if (text.startsWith('PGP ', characters + 'BEGIN '.length)) most = ARMOR_CHARACTERS;
    const isAll = bytes.length < length || behind >= most;
    if (isAll || endsIn(text, begin)) return secretInBlock(text, begin);
  }
}

/** Every character, or every second byte: in UTF-16 of either byte order the others are zero, as a mark begins with its letter. */
function textIn(bytes: Buffer, stride: number): string {
  const narrow = stride === 1 ? bytes : Buffer.from(bytes.filter((_, index) => index % stride === 0));
  return narrow.toString('latin1');
}

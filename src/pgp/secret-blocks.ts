import { inMemory, secretInPackets } from './secret-packets.js';
import type { Secret } from './secret-packets.js';

/** The header line of a block that may be secret, without what may follow on the line. */
export const SECRET_LABEL = /^-----BEGIN (PGP [A-Z0-9 ,/]{3,40}|(?:[A-Z0-9]{1,20} ){0,2}PRIVATE KEY)-----/;

/** Where a block ends: a body has no other block in it, so that all blocks of a file are no longer than the file. */
const BLOCK_END = /-----(?:BEGIN|END)/;
/** Ends of lines, also as string literals write them; not of any length, as that takes a time which grows with its square. */
const LINE_ENDS = /\r\n?|\n|(?:\\{1,8}r)?\\{1,8}n|\\{1,8}r/;
const HEADER = /^[A-Za-z][A-Za-z0-9-]*:(?: |$)/;
/** The base64 of a line between quotes and the like; a checksum, which begins with `=`, is none. */
const BASE64 = /^[^A-Za-z0-9+/=]*([A-Za-z0-9+/]+={0,2})(.*)$/;
const ENCRYPTED = /^Proc-Type: *4,ENCRYPTED/;

/** Whether a block whose header line begins at `begin` in a text also ends in it. */
export function endsIn(text: string, begin: number): boolean {
  return endOfBlock(text, begin) !== undefined;
}

function endOfBlock(text: string, begin: number): number | undefined {
  const from = begin + '-----BEGIN'.length;
  const at = text.slice(from).search(BLOCK_END);
  return at === -1 ? undefined : from + at;
}

/**
 * What a block holds whose header line begins at `begin` in a text: PEM (RFC 7468), OpenSSH or OpenPGP armor. Each line may
 * have what precedes the header on its line, such as an indent or `> `. Null if the body is not what the header says: many
 * programs have such headers in them, and many manuals have examples with dots.
 */
export function secretInBlock(text: string, begin: number): Secret | null {
  const [line, label] = SECRET_LABEL.exec(text.slice(begin, begin + 80)) ?? [];
  if (line === undefined || label === undefined) return null;
  const prefix = text.slice(0, begin).split(LINE_ENDS).at(-1) ?? '';
  const body = readBody(text.slice(begin + line.length, endOfBlock(text, begin)), prefix);
  if (label.startsWith('PGP ')) return secretInPackets(inMemory(body.bytes));
  return isPrivateKey(body) ? 'a private key' : null;
}

interface Body {
  readonly bytes: Buffer;
  readonly isEncrypted: boolean;
  /** Whether every line is base64 and no more. */
  readonly isClean: boolean;
}

function readBody(text: string, prefix: string): Body {
  const runs: string[] = [];
  let isEncrypted = false;
  let isClean = true;
  for (const whole of text.split(LINE_ENDS)) {
    const line = (whole.startsWith(prefix) ? whole.slice(prefix.length) : whole).trim();
    if (HEADER.test(line)) {
      isEncrypted ||= ENCRYPTED.test(line);
      continue;
    }
    const [, run, more] = BASE64.exec(line.replaceAll(' ', '')) ?? [];
    // Nothing but quotes, plus signs and the like between two lines of a string.
    if (run === undefined || !/[A-Za-z0-9]/.test(run)) isClean &&= !line.includes('.');
    else {
      runs.push(run);
      isClean &&= more === '' || !/[\w.]/.test(more ?? '');
    }
  }
  return { bytes: Buffer.from(runs.join(''), 'base64'), isEncrypted, isClean };
}

/** The shortest encrypted key is longer; a cipher's block has 8 or 16 bytes. */
const ENCRYPTED_BYTES = 48;
const CIPHER_BLOCK_BYTES = 8;
const BRACE = 0x7b;

function isPrivateKey({ bytes, isEncrypted, isClean }: Body): boolean {
  if (isEncrypted) {
    return isClean && bytes.length >= ENCRYPTED_BYTES && bytes.length % CIPHER_BLOCK_BYTES === 0;
  }
  return isDerKey(bytes) || isOpenSshKey(bytes) || isSigstoreKey(bytes);
}

/** Cosign's key files: JSON with the key in it, which is encrypted. */
function isSigstoreKey(bytes: Buffer): boolean {
  if (bytes[0] !== BRACE) return false;
  try {
    const { kdf, ciphertext } = JSON.parse(bytes.toString()) as Readonly<Record<string, unknown>>;
    const isComplete = typeof kdf === 'object' && kdf !== null && typeof ciphertext === 'string';
    return isComplete && Buffer.from(ciphertext, 'base64').length >= ENCRYPTED_BYTES;
  } catch {
    return false;
  }
}

const DER = { integer: 0x02, octets: 0x04, oid: 0x06, sequence: 0x30 } as const;

/**
 * RSA, DSA (a version and numbers), EC (a version and octets: RFC 5915), PKCS #8 (a version and an algorithm: RFC 5958), or
 * PKCS #8 encrypted (an algorithm and octets).
 */
function isDerKey(der: Buffer): boolean {
  const outer = readDer(der, 0);
  if (outer?.tag !== DER.sequence) return false;
  const first = readDer(der, outer.start);
  const second = first === null ? null : readDer(der, first.end);
  if (first === null || second === null || second.end > outer.end) return false;
  if (first.tag === DER.integer) {
    const isVersion = first.end - first.start === 1 && (der[first.start] ?? 0) <= 1;
    const tags: readonly number[] = [DER.integer, DER.octets, DER.sequence];
    return isVersion && tags.includes(second.tag);
  }
  return first.tag === DER.sequence && der[first.start] === DER.oid && second.tag === DER.octets;
}

interface DerValue {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

/** Null if it is not whole. */
function readDer(der: Buffer, at: number): DerValue | null {
  const [tag, first] = der.subarray(at, at + 2);
  if (tag === undefined || first === undefined) return null;
  const octets = first < 0x80 ? 0 : first & 0x7f;
  if (octets > 4 || first === 0x80 || at + 2 + octets > der.length) return null;
  const start = at + 2 + octets;
  const length = octets === 0 ? first : der.readUIntBE(at + 2, octets);
  return start + length > der.length ? null : { tag, start, end: start + length };
}

const OPENSSH = 'openssh-key-v1\0';
/** Cipher, key derivation, its options. */
const OPENSSH_TEXTS = 3;
const OPENSSH_MOST_KEYS = 16;

/** OpenSSH's PROTOCOL.key: public keys, whose number precedes them, and then the private ones. */
function isOpenSshKey(bytes: Buffer): boolean {
  if (bytes.toString('latin1', 0, OPENSSH.length) !== OPENSSH) return false;
  const keysAt = skipTexts(bytes, OPENSSH.length, OPENSSH_TEXTS);
  if (keysAt === null || keysAt + 4 > bytes.length) return false;
  const count = bytes.readUInt32BE(keysAt);
  return count > 0 && count <= OPENSSH_MOST_KEYS && skipTexts(bytes, keysAt + 4, count + 1) !== null;
}

/** Texts with their lengths before them; null if they are not whole. */
function skipTexts(bytes: Buffer, start: number, count: number): number | null {
  let at = start;
  for (let index = 0; index < count; index += 1) {
    if (at + 4 > bytes.length) return null;
    at += 4 + bytes.readUInt32BE(at);
  }
  return at > bytes.length ? null : at;
}

/** How PuTTY's key files begin, and the private part of one. */
const PUTTY = /^PuTTY-User-Key-File-\d: [\s\S]*\nPrivate-Lines: \d+\r?\n[A-Za-z0-9+/]{16}/;
/** How a key of GnuPG's agent begins, with and without names around it. */
const AGENT =
  /^(?:(?:[A-Z][A-Za-z-]*: [^\n]*\n(?: [^\n]*\n)*)*Key: \(|\(\d\d:)(?:protected-)?private-key[ (]/;

/** What a file is that begins with this text, if it is one of the kinds that are secret as a whole. */
export function secretFile(text: string): Secret | null {
  return PUTTY.test(text) || AGENT.test(text) ? 'a private key' : null;
}

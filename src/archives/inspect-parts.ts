import { createHash } from 'node:crypto';
import type { ArMember } from './ar.js';
import { arMembers } from './ar.js';
import { formatOf, MAGIC_BYTES } from './contents.js';
import { fileChunks } from './decompress.js';
import type { OpenFile } from './decompress.js';
import { damage, unseen } from './fault.js';
import { checkStream, isStream } from './inspect-stream.js';
import { readAt } from './read-at.js';
import { readRpm } from './rpm.js';
import type { RpmClaims } from './rpm.js';
import { checkEnd } from './inspect-sizes.js';
import { checkContents, checkTarFile } from './inspect-tar.js';
import { isTarHeader } from './tar.js';

/** A part of a file. */
export interface Part {
  readonly name: string;
  readonly start: number;
  readonly size: number;
  /** Of its bytes; not if the file does not say. */
  readonly digest?: NonNullable<RpmClaims['payload']>;
}

/** Reads the digests and tar archives among the parts of a file, and unpacks compressed streams. Throws `damage` or `unseen`. */
export async function checkParts(file: OpenFile, parts: readonly Part[]): Promise<void> {
  for (const { name, start, size, digest } of parts) {
    const chunks = () => fileChunks(file, start, start + size);
    if (digest !== undefined && digestOf(chunks(), digest.algorithm) !== digest.digest)
      throw damage('its contents do not match their checksum');
    const format = formatOf(readAt(file, start, Math.min(size, MAGIC_BYTES)));
    try {
      // The archive around it says where it ends, so it may lack its end mark.
      if (format === 'tar') checkContents('', chunks());
      if (format === null || !isStream(format)) continue;
      await checkStream({ file, start, end: start + size, compression: format }, name);
    } catch (error) {
      throw error instanceof Error && error.cause === 'damaged'
        ? damage(`${name} in it: ${error.message}`)
        : error;
    }
  }
}

function digestOf(chunks: Iterable<Buffer>, algorithm: string): string {
  const hash = createHash(algorithm);
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

const DEBIAN = /\.(?:u?deb|ddeb)$/i;

/** Checks that an ar archive ends with its last member, and a Debian package is complete. Gives its archives. */
export function checkAr(file: OpenFile, fileName: string): readonly Part[] {
  const members: readonly ArMember[] = readable(() => [...arMembers(file)]);
  const hasMark = members[0]?.name === 'debian-binary';
  if (members.length === 0 || hasMark || DEBIAN.test(fileName)) {
    for (const needed of ['control.tar', 'data.tar']) {
      if (!members.some(({ name }) => name.startsWith(needed)))
        throw damage(`ends early: its ${needed} is missing`);
    }
    if (!hasMark) throw damage('its first member is not debian-binary');
  }
  return members.filter(({ name }) => /^(?:control|data)\.tar/.test(name));
}

/** Checks the headers of an rpm, and that it ends where they say. Gives what they have a digest of, and its payload. */
export function checkRpm(file: OpenFile): readonly Part[] {
  const { headerStart, payloadStart, claims } = readable(() => readRpm(file));
  if (claims.sizeBytes !== null) checkEnd(file, headerStart + claims.sizeBytes);
  const { headerSha1, headerSha256, md5, payload } = claims;
  const header = headerSha256 ?? headerSha1;
  if (header !== null) {
    const algorithm = headerSha256 === null ? 'sha1' : 'sha256';
    if (digestOf(fileChunks(file, headerStart, payloadStart), algorithm) !== header)
      throw damage('its header does not match its checksum');
  }
  const part = { name: 'the payload', start: payloadStart, size: file.size - payloadStart };
  if (md5 === null || (header !== null && payload !== null)) return [withDigest(part, payload)];
  // An old rpm has only this digest, of both.
  const both = { name: 'header and payload', start: headerStart, size: file.size - headerStart };
  return [withDigest(both, { algorithm: 'md5', digest: md5 }), withDigest(part, payload)];
}

function withDigest(part: Part, digest: RpmClaims['payload']): Part {
  return digest === null ? part : { ...part, digest };
}

const TAR_BLOCK = 512;

/** Checks a gem, which is a tar archive. Gives its compressed members. */
export function checkGem(file: OpenFile): readonly Part[] {
  checkTarFile(file);
  const parts: Part[] = [];
  for (let at = 0; at < file.size;) {
    const header = readAt(file, at, TAR_BLOCK);
    if (!isTarHeader(header, 0)) break;
    const name = header.toString('latin1', 0, 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(header.toString('latin1', 124, 136), 8);
    if (!Number.isSafeInteger(size)) break;
    if (name.endsWith('.gz')) parts.push({ name, start: at + TAR_BLOCK, size });
    at += TAR_BLOCK * (1 + Math.ceil(size / TAR_BLOCK));
  }
  return parts;
}

/** What the reader of a structure says. */
function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Error) || 'syscall' in error) throw error;
    const reason = error.message.replace(/^it (?=ends|is|has)/, '').replace(/^ends in/, 'ends early: in');
    throw /more than|too (?:large|long)/.test(reason) ? unseen(reason) : damage(reason);
  }
}

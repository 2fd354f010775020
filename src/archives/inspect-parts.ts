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
import { checkTarFile } from './inspect-tar.js';
import { isTarHeader } from './tar.js';

/** A part of a file. */
export interface Part {
  readonly name: string;
  readonly start: number;
  readonly size: number;
  /** Of its bytes; not if the file does not say. */
  readonly digest?: RpmClaims['payload'];
}

/** Unpacks those parts of a file that are compressed streams. Throws `damage` or `unseen`. */
export async function checkParts(file: OpenFile, parts: readonly Part[]): Promise<void> {
  for (const { name, start, size, digest } of parts) {
    if (digest !== undefined && digest !== null) checkDigest(fileChunks(file, start, start + size), digest);
    const format = formatOf(readAt(file, start, Math.min(size, MAGIC_BYTES)));
    if (format === null || !isStream(format)) continue;
    try {
      await checkStream({ file, start, end: start + size, compression: format }, name);
    } catch (error) {
      throw error instanceof Error && error.cause === 'damaged'
        ? damage(`${name} in it: ${error.message}`)
        : error;
    }
  }
}

function checkDigest(
  chunks: Iterable<Buffer>,
  { algorithm, digest }: NonNullable<RpmClaims['payload']>,
): void {
  const hash = createHash(algorithm);
  for (const chunk of chunks) hash.update(chunk);
  if (hash.digest('hex') !== digest) throw damage('its contents do not match their checksum');
}

/** Checks that an ar archive ends with its last member, and a Debian package is complete. Gives its archives. */
export function checkAr(file: OpenFile): readonly Part[] {
  const members: readonly ArMember[] = readable(() => [...arMembers(file)]);
  const isDebian = members.length === 0 || members[0]?.name === 'debian-binary';
  for (const needed of ['control.tar', 'data.tar']) {
    if (isDebian && !members.some(({ name }) => name.startsWith(needed))) {
      throw damage(`ends early: its ${needed} is missing`);
    }
  }
  return members.filter(({ name }) => /^(?:control|data)\.tar/.test(name));
}

/** Checks the headers of an rpm, and that it ends where they say. Gives its payload. */
export function checkRpm(file: OpenFile): readonly Part[] {
  const { headerStart, payloadStart, claims } = readable(() => readRpm(file));
  if (claims.sizeBytes !== null) checkEnd(file, headerStart + claims.sizeBytes);
  const part = { name: 'the payload', start: payloadStart, size: file.size - payloadStart };
  return [claims.payload === null ? part : { ...part, digest: claims.payload }];
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

import { createHash } from 'node:crypto';

/** The content of a file with a checksum. */
export interface Sealed {
  readonly body: Buffer;
  /** SHA-256 of the body, lower-case hex. */
  readonly checksum: string;
}

/** A line with the kind of file and the checksum of the rest, and the rest. */
export function seal(kind: string, ...parts: readonly Buffer[]): { bytes: Buffer; checksum: string } {
  const checksum = checksumOf(parts);
  return { bytes: Buffer.concat([Buffer.from(`${lineOf(kind, checksum)}\n`), ...parts]), checksum };
}

/** Null if the file is damaged, or of another kind. */
export function unseal(kind: string, bytes: Buffer): Sealed | null {
  const [line, body] = cutLine(bytes);
  const checksum = checksumOf([body]);
  return line === lineOf(kind, checksum) ? { body, checksum } : null;
}

/** The first line, which is ASCII, and the rest. */
export function cutLine(bytes: Buffer): readonly [string, Buffer] {
  const end = bytes.indexOf(0x0a);
  return [bytes.toString('latin1', 0, end), bytes.subarray(end + 1)];
}

function lineOf(kind: string, checksum: string): string {
  return `${kind} ${checksum}`;
}

function checksumOf(parts: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

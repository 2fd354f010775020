/** How many bytes several threads have read together. */
export type ByteCount = BigInt64Array<SharedArrayBuffer>;

export function newByteCount(): ByteCount {
  return new BigInt64Array(new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT));
}

export function countBytes(count: ByteCount | undefined, bytes: number): void {
  if (count !== undefined) Atomics.add(count, 0, BigInt(Math.round(bytes)));
}

export function bytesIn(count: ByteCount): number {
  return Number(Atomics.load(count, 0));
}

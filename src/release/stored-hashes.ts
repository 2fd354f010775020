import { inParallel } from '../consume/parallel.js';
import { HASH_ALONE } from '../model/inspection.js';
import type { Objects } from '../places/objects.js';
import type { ScannedFile } from '../places/scan.js';
import { countBytes } from '../workers/byte-count.js';
import type { ByteCount } from '../workers/byte-count.js';
import type { Digested } from '../workers/digest.js';
import type { DigestListener, Hashing } from '../workers/hash.js';

/** Starts to read files. */
export type StartHashing = (files: readonly ScannedFile[], onDigested: DigestListener) => Hashing;

export interface StoredHashesOptions {
  readonly objects: Objects;
  readonly counted: ByteCount;
  /** For the objects of which the store has no hash. */
  readonly read: StartHashing;
}

/** Takes the hashes that a store keeps (`Store-Hashes`), and reads the objects of which it has none. */
export function startWithStoredHashes(
  files: readonly ScannedFile[],
  { objects, counted, read }: StoredHashesOptions,
  onDigested: DigestListener,
): Hashing {
  const results = new Array<Digested>(files.length);
  const take = (digested: Digested, index: number) => {
    results[index] = digested;
    onDigested(digested, index);
  };
  const work = async (): Promise<readonly Digested[]> => {
    const unknown: number[] = [];
    await inParallel(Array.from(files.entries()), objects.concurrency, async ([index, file]) => {
      const sha256 = await objects.storedSha256(file);
      if (sha256 === null) unknown.push(index);
      else {
        const size = Number(file.identity.size);
        countBytes(counted, size);
        take({ kind: 'digested', size, sha256, md5: null, look: HASH_ALONE, secret: null }, index);
      }
    });
    const others = unknown.flatMap((index) => files[index] ?? []);
    await read(others, (digested, at) => take(digested, unknown[at] ?? 0)).finish();
    return results;
  };
  const all = work();
  // The caller may fail before it calls `finish`.
  all.catch(() => undefined);
  return { finish: async () => await all };
}

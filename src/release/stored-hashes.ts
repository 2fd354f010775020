import { inParallel } from '../consume/parallel.js';
import { HASH_ALONE } from '../model/inspection.js';
import type { Objects } from '../places/objects.js';
import type { ScannedFile } from '../places/scan.js';
import { countBytes } from '../workers/byte-count.js';
import type { Digested } from '../workers/digest.js';
import { startHashingFiles } from '../workers/hash-files.js';
import type { HashFilesOptions } from '../workers/hash-files.js';
import type { DigestListener, Hashing } from '../workers/hash.js';

/** Takes the hashes that a store keeps (`Store-Hashes`), and reads the objects of which it has none. */
export function startWithStoredHashes(
  files: readonly ScannedFile[],
  options: HashFilesOptions & { readonly objects: Objects },
  onDigested: DigestListener,
): Hashing {
  const { objects, counted } = options;
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
    await startHashingFiles(others, options, (digested, at) => take(digested, unknown[at] ?? 0)).finish();
    return results;
  };
  const all = work();
  // The caller may fail before it calls `finish`.
  all.catch(() => undefined);
  return { finish: async () => await all };
}

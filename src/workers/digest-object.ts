import { createHash } from 'node:crypto';
import { look } from '../archives/look.js';
import { readAt } from '../archives/read-at.js';
import { startSecretSearch } from '../pgp/secret-material.js';
import { countBytes } from './byte-count.js';
import { CHANGED, failed } from './digest.js';
import type { DigestOptions, Digested } from './digest.js';
import type { Loss, Part } from '../places/objects.js';
import { readOnce } from './object-reader.js';
import type { FetchPart, PartSource } from './object-reader.js';

const LOST: Readonly<Record<Loss, Digested>> = {
  gone: { kind: 'failed', code: 'GONE', message: 'is gone' },
  changed: CHANGED,
  failed: { kind: 'failed', code: 'UNREADABLE', message: 'cannot be read' },
};

export interface SizedObject {
  readonly path: string;
  readonly size: number;
}

/**
 * Hashes an object of a store, and looks through it, while it is fetched once. The store sees to it that all its parts
 * are of the same version. Never rejects.
 */
export async function digestObject(
  { path, size }: SizedObject,
  { fetch, spare }: PartSource<Part<Buffer>>,
  options: Omit<DigestOptions, 'directory'>,
): Promise<Digested> {
  const sha256 = createHash('sha256');
  const md5 = options.md5 ? createHash('md5') : null;
  const losses: Loss[] = [];
  // Readers of archives make do with what they can read; here they must not.
  const fetchOrThrow: FetchPart = (at, into) => {
    const part = losses[0] ?? fetch(at, into);
    if (typeof part !== 'string') return part;
    losses.push(part);
    throw Object.assign(new Error(`the object is ${part}`), { syscall: 'read' });
  };
  const { file, rest, close } = readOnce(size, { fetch: fetchOrThrow, spare }, (bytes) => {
    sha256.update(bytes);
    md5?.update(bytes);
    search?.take(bytes);
    countBytes(options.counted, bytes.length);
  });
  const search =
    options.secrets === true
      ? startSecretSearch({ size, read: (position, length) => readAt(file, position, length) })
      : null;
  try {
    const seen = await look(path, file, options);
    rest();
    const [loss] = losses;
    if (loss !== undefined) return LOST[loss];
    return {
      ...{ kind: 'digested', size, look: seen, secret: search?.found() ?? null },
      ...{ sha256: sha256.digest('hex'), md5: md5?.digest('hex') ?? null },
    };
  } catch (error) {
    const [loss] = losses;
    return loss === undefined ? failed(error) : LOST[loss];
  } finally {
    close();
  }
}

import type { Settings } from '../model/settings.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Published } from '../published/published.js';
import type { Run } from '../run.js';
import { makeCandidate } from './candidate.js';
import type { BuiltCandidate } from './candidate.js';
import { openCache } from './digest-cache.js';
import { findPredecessor } from './predecessor.js';

/** What the next database is made from. */
export interface InMemoryOptions {
  readonly run: Run;
  readonly settings: Settings;
  /** Whether to read every file whatever the cache says. */
  readonly rehash: boolean;
  /** Certificates of the keys that are to sign; asked for only when something changed. */
  readonly signing: () => Promise<readonly Certificate[]>;
  /** File path → why the maintainer lets its bytes change. */
  readonly allowed: ReadonlyMap<string, string>;
  /** Begins a history anew, whatever is published here. */
  readonly first: boolean;
  /** The published database in another place, a file or an address, which this directory carries on. */
  readonly previous: string | null;
}

/** The next database of a directory, for commands that write nothing. Throws what finding and making it throws. */
export async function buildInMemory(published: Published, options: InMemoryOptions): Promise<BuiltCandidate> {
  const { run, rehash } = options;
  const signing = await options.signing();
  const predecessor = await findPredecessor(published, { ...options, signing });
  const cache = openCache(run.stateFolder, { rehash, remember: false });
  return await makeCandidate(published.directory, predecessor, { ...options, signing, cache });
}

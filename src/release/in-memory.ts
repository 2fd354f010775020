import { absenceRule } from '../model/absence.js';
import type { Absent } from '../model/absence.js';
import type { Settings } from '../model/settings.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Published } from '../published/published.js';
import type { Run } from '../run.js';
import { makeCandidate } from './candidate.js';
import type { BuiltCandidate } from './candidate.js';
import { openCache } from './facts-cache.js';
import { readMadeEntries } from './entry-cache.js';
import type { LeastPredecessor } from './current-predecessor.js';
import { continuedNow } from './from-future.js';
import { findPredecessor } from './predecessor.js';
import { requireCertificates } from './preflight.js';

/** How the next database is made. */
export interface InMemoryOptions extends LeastPredecessor {
  readonly run: Run;
  readonly settings: Settings;
  /** Whether to read every file and ignore the cache. */
  readonly rehash: boolean;
  /** Gets the certificates of the keys that will sign; called only if something changed. */
  readonly signing: () => Promise<readonly Certificate[]>;
  /** File path → the maintainer's reason to let its bytes change. */
  readonly allowed: ReadonlyMap<string, string>;
  /** Files that may be listed although they are damaged, as typed; none if not given. */
  readonly allowDamaged?: readonly string[];
  /** Starts a new history and ignores the published database. */
  readonly first: boolean;
  /** The file or address of a database published elsewhere, which this directory continues. */
  readonly previous: string | null;
  /** The file or address of a second database, which is joined with it; null for none. */
  readonly adopt?: string | null;
  /** What the user typed about listed files that are not here; null leaves it to the settings. */
  readonly absent: Absent | null;
}

/** Makes the next database for commands that write nothing. Throws as `findPredecessor`, `continuedNow`, `makeCandidate`. */
export async function buildInMemory(published: Published, options: InMemoryOptions): Promise<BuiltCandidate> {
  const { run, rehash } = options;
  const signing = await options.signing();
  await requireCertificates(published, { certificates: signing, now: run.now });
  const found = await findPredecessor(published, { ...options, signing });
  const address = options.settings.Database ?? found.signed?.database.Packsign.Database ?? null;
  const predecessor = await continuedNow(found, { run, address, isSigning: true, isCheck: true });
  const renew = predecessor.signed !== found.signed;
  const absence = absenceRule(options.settings, options);
  const cache = openCache(run.stateFolder, { rehash, remember: false });
  const made = readMadeEntries(run.stateFolder);
  const given = { signing, cache, made, absence, renew };
  return await makeCandidate(published.directory, predecessor, { ...options, ...given });
}

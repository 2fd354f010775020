import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readBounded } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { databaseAddress, isAddress } from '../model/address.js';
import { KEYS_LIMIT_BYTES } from '../model/database.js';
import { KEYS_NAME } from '../model/layout.js';
import type { Settings } from '../model/settings.js';
import type { TrustEntry } from '../model/trust.js';
import { openNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import type { Certificate } from '../pgp/certificates.js';
import { fetchSource, readOfferedKeys } from '../consume/fetch.js';
import type { FetchedDatabase } from '../consume/fetch.js';
import { END_OF_TIME, readKeys, readPublished } from '../published/read.js';
import type { Published, Standing } from '../published/read.js';
import { DIRECT_NETWORK, findEntry, readArmored } from '../consume/sources.js';
import type { FetchOptions, Source } from '../consume/sources.js';

/** What the next database is built upon, and whose keys users have. */
export interface Predecessor {
  /** Null where a history begins. */
  readonly published: Published | null;
  /** SHA-256 of what is replaced, verified or not. */
  readonly previous: string | null;
  /** The certificates that are published. */
  readonly keys: readonly Certificate[];
  /** `keys.asc` of the other place that is carried on from, for a directory that has none; else null. */
  readonly lastKeys: Uint8Array | null;
}

export interface PredecessorOptions {
  readonly settings: Settings;
  /** Certificates of the keys that are to sign. */
  readonly signing: readonly Certificate[];
  readonly first: boolean;
  readonly previous: string | null;
  readonly remote?: Pick<FetchOptions, 'trust' | 'network'> | undefined;
  readonly standing: Standing | null;
}

/**
 * What the next database is built upon (cli contract: `--first`, `--previous`). Throws PREVIOUS_UNKNOWN, and what
 * `readPublished` and `carryOn` throw.
 */
export async function findPredecessor(directory: string, options: PredecessorOptions): Promise<Predecessor> {
  const { first, previous, settings, standing } = options;
  if (previous !== null) return await findPredecessorElsewhere(directory, { ...options, previous });
  const keys = await readKeys(join(directory, KEYS_NAME));
  if (first) return { published: null, previous: standing?.sha256 ?? null, keys, lastKeys: null };
  if (standing === null && settings.Database !== undefined) {
    throw new PacksignError(
      'PREVIOUS_UNKNOWN',
      `nothing is published here, but "Database" says ${settings.Database}`,
      { hint: `carry it on with --previous ${settings.Database}, or begin it with --first` },
    );
  }
  const published = await readPublished(directory, standing);
  return { published, previous: published?.sha256 ?? null, keys, lastKeys: null };
}

export type ElsewhereOptions = Omit<PredecessorOptions, 'first' | 'previous' | 'standing'> & {
  readonly previous: string;
};

/**
 * A database that is published in another place, checked before anything is built upon it. Throws PREVIOUS_INVALID,
 * FILE_UNREADABLE, NOT_PINNED, KEYS_MALFORMED, FOREIGN_DATABASE, TRUST_DAMAGED, NETWORK and the like.
 */
export async function findPredecessorElsewhere(
  directory: string,
  options: ElsewhereOptions,
): Promise<Predecessor> {
  const own = await readKeys(join(directory, KEYS_NAME));
  if (isAddress(options.previous)) return await fetchPredecessor(directory, { ...options, own });
  if (!existsSync(options.previous))
    throw new PacksignError('FILE_UNREADABLE', `there is no file ${options.previous}`);
  const elsewhere = dirname(options.previous);
  const published = await readPublished(elsewhere);
  const previous = published?.sha256 ?? null;
  if (own.length > 0) return { published, previous, keys: own, lastKeys: null };
  const path = join(elsewhere, KEYS_NAME);
  return { published, previous, keys: await readKeys(path), lastKeys: readBounded(path, KEYS_LIMIT_BYTES) };
}

interface Fetching extends ElsewhereOptions {
  /** What `keys.asc` of the directory holds. */
  readonly own: readonly Certificate[];
}

/** Never from a cache, and never on the word of its own server: that is how somebody else's history would begin here. */
async function fetchPredecessor(directory: string, options: Fetching): Promise<Predecessor> {
  const { own, previous: address, remote = { trust: { kind: 'none' }, network: DIRECT_NETWORK } } = options;
  const at = databaseAddress(address);
  const entry = findEntry(address, remote.trust);
  const source = await sourceFor(directory, at, { ...options, entry });
  const network = openNetwork(remote.network);
  try {
    const look = async (url: string) =>
      await fetchSource(
        network,
        { ...source, url },
        {
          ...{ trust: { kind: 'none' }, network: remote.network, now: END_OF_TIME, fresh: true, at },
          ...{ keysFile: null, fingerprints: [], threshold: null },
        },
      );
    let fetched = await look(at);
    const { Database } = options.settings;
    // It may be asked for at another address than its own, and it may be about to move.
    if (fetched.code === 'WRONG_DATABASE' && Database !== undefined) {
      fetched = await look(databaseAddress(Database));
    }
    const published = publishedOf(fetched);
    const offered = own.length > 0 ? null : await offeredKeys(network, fetched);
    return { published, previous: published.sha256, keys: own, lastKeys: null, ...offered };
  } finally {
    await network.close();
  }
}

/**
 * Whose signature counts: the keys that the directory publishes, those that the settings name, those that the user
 * pinned for this address, those that are to sign; the first that there are. Certificates may come from the
 * address, pins never.
 */
async function sourceFor(
  directory: string,
  url: string,
  { own, settings, signing, entry }: Fetching & { readonly entry: TrustEntry | null },
): Promise<Source> {
  const trusted = entry !== null && entry.fingerprints.length > 0 ? entry : null;
  const common = { url, entry, pinnedBy: 'option', fetchesKeys: true } as const;
  const pinned = (
    certificates: readonly Certificate[],
    fingerprints: readonly string[] = certificates.map(fingerprintOf),
  ) => ({ ...common, certificates, pins: { fingerprints, threshold: 'own' } }) as const;
  if (own.length > 0) return pinned(own);
  if (settings.Signers !== undefined && settings.Signers.length > 0) return pinned([], settings.Signers);
  if (trusted !== null) {
    const { fingerprints, threshold } = trusted;
    const certificates = await readArmored(trusted.certificates);
    return { ...common, certificates, pins: { fingerprints, threshold } };
  }
  if (signing.length > 0) return pinned(signing);
  throw new PacksignError('NOT_PINNED', `nothing here says whose keys sign ${url}`, {
    hint: `put the published ${KEYS_NAME} into ${directory}, or name the key that signs with --key`,
  });
}

function fingerprintOf({ fingerprint }: Certificate): string {
  return fingerprint;
}

function publishedOf({ trusted, bytes, sha256, signature, code, message, from }: FetchedDatabase): Published {
  if (trusted !== null && bytes !== null && sha256 !== null && signature !== null) {
    return { database: trusted, bytes, sha256, signature };
  }
  if (code === 'DATABASE_MISSING') {
    throw new PacksignError('FILE_UNREADABLE', message ?? `there is no database at ${from}`, {
      hint: 'if nothing was ever published there, begin with packsign build DIRECTORY --first',
    });
  }
  throw new PacksignError(
    'PREVIOUS_INVALID',
    `${from} is not what its signers published: ${message ?? ''}${code === null ? '' : ` (${code})`}`,
    {
      hint: 'nothing was built upon it; restore it from a backup, or find out whose it is with packsign verify DIRECTORY',
    },
  );
}

/** What users of the other place have, of those whom its signed database names. */
async function offeredKeys(
  network: Network,
  { from, fingerprints, trusted }: FetchedDatabase,
): Promise<Pick<Predecessor, 'keys' | 'lastKeys'>> {
  const named = new Set([...fingerprints, ...(trusted?.Packsign.Signers?.Fingerprints ?? [])]);
  const offered = await readOfferedKeys(network, from);
  const keys = offered.filter(({ fingerprint }) => named.has(fingerprint));
  if (keys.length === 0) return { keys, lastKeys: null };
  const { encodeCertificates } = await import('../pgp/certificates.js');
  return { keys, lastKeys: encodeCertificates(keys).armored };
}

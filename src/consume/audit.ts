import { withFiles } from '../disk/scratch.js';
import { PacksignError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { databaseAddress } from '../model/address.js';
import { thresholdOf } from '../model/database.js';
import { PAGE_NAME } from '../model/layout.js';
import { addressPlace } from '../places/address.js';
import { withNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import type { Place } from '../places/place.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Run } from '../run.js';
import type { SecondOpinion } from './second-opinions.js';
import { compareRemote } from './compare.js';
import type { Comparison } from './compare.js';
import { readOfferedKeys } from './current-keys.js';
import { fetchSource } from './fetch.js';
import type { FetchedDatabase } from './fetch.js';
import { orError } from './or-error.js';
import { withFindings } from './outcome.js';
import { pinsOf } from './pins.js';
import { sourceUnder } from './sources.js';

export interface AuditOptions {
  readonly run: Run;
  /** The PATH on which gpgv and sqv are looked for. */
  readonly searchPath: string;
}

/** What a newcomer gets from one address. */
export interface SiteReport extends Comparison, Pick<FetchedDatabase, 'code' | 'message' | 'sha256'> {
  readonly url: string;
  readonly status: FetchedDatabase['status'] | 'unreachable';
  readonly issued: Date | null;
  readonly expires: Date | null;
  /** How long ago it was issued. */
  readonly ageSeconds: number | null;
  /** How much older it is than the database at its own address. */
  readonly lagSeconds: number | null;
  /** What its server says about caching. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the programs that are installed on this machine. */
  readonly opinions: readonly SecondOpinion[];
}

export interface AuditResult {
  readonly database: string;
  /** Whether every address gives the same database and all of it is good. */
  readonly ok: boolean;
  /** The code of the first fault, of those that are more than an unreachable address if there are any. */
  readonly code: ErrorCode | null;
  /** The keys that a newcomer would pin: those on the trust page, else all of `keys.asc`. */
  readonly fingerprints: readonly string[];
  /** Whether the trust page shows a fingerprint of `keys.asc`; null if there is no page. */
  readonly pageShowsKeys: boolean | null;
  /** The database's own address first, then its mirrors. */
  readonly sites: readonly SiteReport[];
}

const PAGE_LIMIT_BYTES = 4 * 1024 * 1024;
const CACHE_HEADERS = /^(?:age|cache-control|content-type|date|etag|expires|last-modified|via|x-cache)$/;

/**
 * Looks at a published database as a newcomer does, who knows only its address: pins the keys on its trust page,
 * verifies it here and with gpgv and sqv, and reads every file from every mirror. For maintainers: if all of it fits
 * together, that does not say whose it is. Throws KEYS_MALFORMED, NETWORK and the like, USAGE.
 */
export async function audit(address: string, options: AuditOptions): Promise<AuditResult> {
  const url = databaseAddress(address);
  return await withNetwork(options.run.network, async (network) => {
    const place = addressPlace(network, url);
    const offered = await readOfferedKeys(place);
    const page = await readPage(place);
    const shown = offered.filter(({ fingerprint }) => page?.includes(fingerprint) === true);
    const certificates = shown.length > 0 ? shown : offered;
    const look = { url, certificates, options };
    const own = await lookAt(network, url, { ...look, own: null });
    const sites = [own.report];
    for (const mirror of own.fetched?.trusted?.Packsign.Mirrors ?? []) {
      sites.push((await lookAt(network, mirror, { ...look, own: own.report })).report);
    }
    const pageShowsKeys = page === null ? null : shown.length > 0;
    const faults = sites.flatMap((site) => faultOf(site) ?? []);
    // What was refused says more than what could not be reached.
    const fault = faults.find((one) => !one.startsWith('NETWORK')) ?? faults[0] ?? null;
    const code = pageShowsKeys === false ? 'FINGERPRINT_MISSING' : fault;
    const { fingerprints } = pinsOf(certificates);
    return { database: url, ok: code === null, code, fingerprints, pageShowsKeys, sites };
  });
}

function faultOf({ code, lagSeconds, opinions }: SiteReport): ErrorCode | null {
  if (code !== null) return code;
  if (opinions.some(({ good }) => !good)) return 'SIGNATURE_INVALID';
  return lagSeconds === null || lagSeconds === 0 ? null : 'DATABASE_ROLLED_BACK';
}

/** The text of the trust page without blanks, since it shows fingerprints in groups. Null if there is no page. */
async function readPage(place: Place): Promise<string | null> {
  const read = await place.readBeside(PAGE_NAME, { limitBytes: PAGE_LIMIT_BYTES, tooLarge: 'NETWORK' });
  if (read.kind !== 'found') return null;
  return (
    read.bytes
      .toString('latin1')
      // A tag without an end is one to the end of the page, and is not looked for again from each `<` in it.
      .replace(/<[^>]*(?:>|$)|&nbsp;|\s+/g, '')
      .toUpperCase()
  );
}

interface Look {
  readonly url: string;
  readonly certificates: readonly Certificate[];
  readonly options: AuditOptions;
  /** The report on the database's own address; null while that is being made. */
  readonly own: SiteReport | null;
}

interface Looked {
  readonly report: SiteReport;
  readonly fetched: FetchedDatabase | null;
}

async function lookAt(network: Network, from: string, look: Look): Promise<Looked> {
  const looked = await orError(() => lookClosely(network, databaseAddress(from), look));
  if (!(looked instanceof PacksignError)) return looked;
  const { code, message } = looked;
  return { fetched: null, report: { ...NOTHING, url: from, status: 'unreachable', code, message } };
}

const NOTHING = {
  ...{ sha256: null, issued: null, expires: null, ageSeconds: null, lagSeconds: null },
  ...{ headers: {}, opinions: [], files: { checked: 0, ok: 0 }, findings: [] },
} as const;

async function lookClosely(
  network: Network,
  from: string,
  { url, certificates, options, own }: Look,
): Promise<Looked> {
  const source = sourceUnder(url, certificates);
  const run: Run = { ...options.run, trust: { kind: 'none' } };
  const fetched = await fetchSource(network, source, { run, at: from });
  const { status, code, message, sha256, trusted } = fetched;
  const headers = await headersOf(network, from);
  const base = { url: from, status, code, message, sha256, headers };
  if (trusted === null) return { fetched, report: { ...NOTHING, ...base } };
  const { Issued: issued, Expires: expires = null } = trusted.Packsign;
  const threshold = thresholdOf(trusted);
  const opinions = await askOthers(fetched, certificates, { ...options, threshold });
  const compared = await compareRemote(network, fetched, {
    run,
    again: () => fetchSource(network, source, { run, at: from, fresh: true }),
  });
  const report: SiteReport = {
    ...base,
    ...withFindings({ status, code, message }, compared.findings),
    ...compared,
    ...{ issued, expires, opinions },
    ageSeconds: secondsBetween(issued, run.now),
    lagSeconds: own?.issued == null ? null : secondsBetween(issued, own.issued),
  };
  return { fetched, report };
}

function secondsBetween(from: Date, to: Date): number {
  return Math.round((to.getTime() - from.getTime()) / 1000);
}

async function headersOf(network: Network, from: string): Promise<Readonly<Record<string, string>>> {
  const reply = await network.retrying(() => network.get(from));
  if (reply.kind !== 'found') return {};
  reply.cancel();
  return Object.fromEntries(Object.entries(reply.headers).filter(([name]) => CACHE_HEADERS.test(name)));
}

async function askOthers(
  { bytes, signature }: FetchedDatabase,
  certificates: readonly Certificate[],
  { threshold, searchPath }: AuditOptions & { threshold: number },
): Promise<readonly SecondOpinion[]> {
  if (bytes === null || signature === null) return [];
  const { encodeCertificates } = await import('../pgp/certificates.js');
  const { secondOpinions } = await import('./second-opinions.js');
  const { armored, binary } = encodeCertificates(certificates);
  const { fingerprints } = pinsOf(certificates);
  return await withFiles({ keyring: binary, armored, signature, database: bytes }, (home, files) =>
    secondOpinions({ files, home, searchPath, threshold, fingerprints }),
  );
}

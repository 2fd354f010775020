import { PacksignError } from '../errors.js';
import type { FileEntry } from '../model/file-entry.js';
import type { Finding } from '../model/finding.js';
import { shellWord } from '../model/shell.js';
import { withNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import type { Suspect } from './report.js';
import { fetchThrough, noticesOf } from './fetch.js';
import type { FetchedDatabase } from './fetch.js';
import { withFindings } from './outcome.js';
import { damagedEntry, trustedIn } from './sources.js';
import { findFile, notFound, requireFileNames } from './choose-file.js';
import { offersFor, offersOf } from './offers.js';
import { download } from './download.js';
import type { Choice, DownloadedFile, GetOptions } from './download.js';

export interface GetResult extends Pick<
  FetchedDatabase,
  'name' | 'status' | 'code' | 'sha256' | 'notices' | 'notify'
> {
  /** The address of the database. */
  readonly database: string;
  readonly issued: Date | null;
  readonly packages: readonly DownloadedFile[];
  /** Whether every file is there, as it was signed. */
  readonly ok: boolean;
  /** Files that differ from what was signed, or are missing; if there are any, `get` has failed, and `status` is `refused`. */
  readonly findings: readonly Finding[];
}

/**
 * Downloads packages: `NAME`, `NAME==VERSION`, or the path of a file. A file gets its name only once its
 * size and SHA-256 are those that were signed (docs/FORMAT.md §8 step 11). Files with other bytes are in
 * `findings`. Throws PACKAGE_NOT_FOUND, AMBIGUOUS, FILE_EXISTS, FILE_UNWRITABLE, the code of a database that is
 * not good enough, PLATFORM_MISSING, and what `fetchDatabase` throws.
 */
export async function get(names: readonly string[], options: GetOptions): Promise<GetResult> {
  return await withNetwork(options.run.network, async (network) => {
    const { database, chosen, notices } = await choose(network, names, options);
    requireFileNames(chosen);
    const { packages, findings } = await download(network, { database, chosen }, options);
    if (findings.length > 0) options.onSuspect?.(suspectOf(database, findings));
    const { url, name, sha256, notify, trusted } = database;
    const { status, code } = withFindings(database, findings);
    const issued = trusted?.Packsign.Issued ?? null;
    const answer = { ok: findings.length === 0, database: url, name, status, code, sha256, issued };
    return { ...answer, packages, notices, findings, notify };
  });
}

export function suspectOf(database: FetchedDatabase, findings: readonly Finding[]): Suspect {
  return { ...database, ...withFindings(database, findings), database: database.url, findings };
}

/** Finds the one database that has all of the packages. Throws NOT_TRUSTED, AMBIGUOUS, PACKAGE_NOT_FOUND. */
async function choose(
  network: Network,
  names: readonly string[],
  options: GetOptions,
): Promise<Choice & { readonly notices: readonly string[] }> {
  const { entries, damaged } =
    options.from === null ? trustedIn(options.run.trust) : { entries: [{ name: options.from }], damaged: [] };
  const targets = entries.map(({ name }) => name);
  const failures = damaged.map((entry) => damagedEntry(entry, options.run.trust));
  if (targets.length === 0 && failures.length === 0) {
    throw new PacksignError('NOT_TRUSTED', 'no database is trusted yet', {
      hint: 'packsign trust add URL --keys FILE, or name one with --from URL',
    });
  }
  const choices: (Choice & { readonly notices: readonly string[] })[] = [];
  const searched: FetchedDatabase[] = [];
  for (const target of targets) {
    try {
      const database = await fetchThrough(network, target, options);
      searched.push(database);
      const files = filesOf(database, options);
      const finding = { ...options, place: placeOf(database) };
      const found = await Promise.all(names.map(async (name) => findFile(name, files, finding)));
      choices.push({
        database,
        chosen: found.map(({ file }) => file),
        notices: found.flatMap(({ notices }) => notices),
      });
    } catch (error) {
      if (!(error instanceof PacksignError)) throw error;
      failures.push(error);
    }
  }
  const [choice] = choices;
  if (choice === undefined) {
    const failure = failures.find(({ code }) => code !== 'PACKAGE_NOT_FOUND') ?? failures[0];
    throw failure === undefined ? new Error('no database') : withOffers(failure, searched, names);
  }
  if (choices.length === 1) {
    const notices = [...noticesOf(choice.database), ...choice.notices, ...failures.flatMap(unasked)];
    return { ...choice, notices };
  }
  const places = choices.map(({ database }) => placeOf(database));
  throw new PacksignError('AMBIGUOUS', ['several trusted databases have it:', ...places].join('\n  '), {
    hint: `say which: packsign get ${names.join(' ')} --from ${shellWord(placeOf(choice.database))}`,
  });
}

/** Tells who looks for a file in vain of databases that may have it: those that the searched ones vouch for. */
function withOffers(
  failure: PacksignError,
  searched: readonly FetchedDatabase[],
  names: readonly string[],
): PacksignError {
  const known = new Set(searched.map(({ url }) => url));
  const offers = searched.flatMap((database) => {
    const urls = database.trusted === null ? [] : offersOf(database.trusted);
    return urls.filter((url) => !known.has(url)).map((url) => ({ url, database }));
  });
  const [meant] = offers
    .filter(({ url, database }) => names.some((name) => offersFor([url], database.url, name).length > 0))
    .toSorted((a, b) => b.url.length - a.url.length);
  const offer = meant ?? offers[0];
  if (failure.code !== 'PACKAGE_NOT_FOUND' || offer === undefined) return failure;
  const [via, url] = [shellWord(placeOf(offer.database)), shellWord(offer.url)];
  const isMeant = offers.length === 1 || meant !== undefined;
  const command = isMeant
    ? `packsign trust add ${url} --via ${via}`
    : `packsign trust refresh ${via} names them`;
  const others = isMeant ? url : `${offers.length} other databases`;
  const hint = `${via} vouches for ${others}, which may have it: ${command}`;
  return new PacksignError(failure.code, failure.message, {
    hint: `${failure.hint ?? ''}; ${hint}`,
    cause: failure,
  });
}

/** The name of a database in the trust store, or its address. */
function placeOf({ name, url }: FetchedDatabase): string {
  return name ?? url;
}

/** Tells the user of a database that could not be asked or was not good enough: it may have the package too. */
function unasked({ code, message }: PacksignError): string[] {
  return code === 'PACKAGE_NOT_FOUND' ? [] : [`one trusted database was not searched: ${message} (${code})`];
}

/** The files that may be downloaded. Throws the code of a database that is not good enough. */
function filesOf(
  database: FetchedDatabase,
  options: Pick<GetOptions, 'allowStale' | 'allowUnauthenticated' | 'onSuspect'>,
): ReadonlyMap<string, FileEntry> {
  const { status, code, message, url, trusted, notify } = database;
  if (trusted !== null && (status === 'authentic' || options.allowStale)) return trusted.Files;
  if (status === 'unauthenticated' && options.allowUnauthenticated) {
    throw new PacksignError('USAGE', 'the hashes of an unauthenticated database prove nothing', {
      hint: `download the files with another program, or trust the database: packsign trust add ${url} --keys FILE`,
    });
  }
  options.onSuspect?.(suspectOf(database, []));
  const tell = notify === null ? '' : `; tell its maintainer: ${notify} (--report FILE writes what to send)`;
  throw new PacksignError(code ?? 'NOT_PINNED', `${url} is ${status}: ${message ?? ''}`, {
    hint:
      status === 'unauthenticated'
        ? `first trust it by its key: packsign trust add ${url} --keys FILE`
        : status === 'stale'
          ? `wait for a newer database, or accept this one with --allow-stale${tell}`
          : `do not use it${tell}`,
  });
}

export interface FetchFileOptions extends Omit<
  GetOptions,
  'from' | 'allowUnauthenticated' | 'allowPre' | 'platform'
> {
  /** Path in the database. */
  readonly path: string;
}

/**
 * Downloads one file of a database that was fetched, as `get` does. Throws FILE_ALTERED, FILE_MISSING,
 * PACKAGE_NOT_FOUND, the code of a database that is not good enough, and what `get` throws.
 */
export async function fetchFile(
  database: FetchedDatabase,
  options: FetchFileOptions,
): Promise<DownloadedFile> {
  const { path } = options;
  const all = { ...options, from: null, allowUnauthenticated: false, allowPre: false, platform: null };
  const known = filesOf(database, all);
  const entry = known.get(path);
  if (entry === undefined) throw notFound(path, { named: [], known, place: placeOf(database) });
  const choice = { database, chosen: [{ path, entry }] };
  const { packages, findings } = await withNetwork(options.run.network, (network) =>
    download(network, choice, all),
  );
  const [one] = packages;
  if (one !== undefined) return one;
  throw fileError(findings, database.notify);
}

/** The error of `get` for files that differ from what was signed, or are missing. */
export function fileError(findings: readonly Finding[], notify: string | null): PacksignError {
  const isAltered = findings.some(({ kind }) => kind === 'altered');
  const lines = findings.flatMap(({ kind, path, expected, found }) => [
    `${path} is ${kind === 'altered' ? 'not what was signed' : 'missing everywhere'}`,
    `  expected ${expected ?? ''}`,
    ...(found === null ? [] : [`  found    ${found}`]),
  ]);
  const tell = `tell its maintainer${notify === null ? '' : `: ${notify}`} (--report FILE writes what to send)`;
  return new PacksignError(isAltered ? 'FILE_ALTERED' : 'FILE_MISSING', lines.join('\n'), {
    hint: isAltered ? `do not use it; ${tell}` : tell,
  });
}

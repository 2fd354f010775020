import { isDeepStrictEqual } from 'node:util';
import type { CacheStore } from '../disk/cache.js';
import { takeLock } from '../disk/lock.js';
import { PacksignError } from '../errors.js';
import type { Database } from '../model/database.js';
import type { Difference } from '../model/diff.js';
import type { Warning } from '../model/finding.js';
import { refreshDate, refuseMassRemoval } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import type { Certificate } from '../pgp/certificates.js';
import { prepareUpon } from './prepare.js';
import type { Base, Prepared } from './prepare.js';
import { publishDatabase, repairPublication } from './publish.js';
import type { Publication } from './publish.js';
import { readPublished, readPublishedKeys, readStanding } from './published.js';
import type { Published } from './published.js';
import { release } from './release.js';
import type { ReleaseOptions } from './release.js';
import type { Settled } from './settle.js';

/** Something that came of a turn, for people and scripts. */
export interface News {
  readonly event: 'signed' | 'refreshed' | 'unchanged' | 'held' | 'refused' | 'error';
  readonly code: string | null;
  /** Archive paths that it is about, sorted. */
  readonly paths: readonly string[];
  readonly message: string | null;
  /** What to type next. */
  readonly hint: string | null;
  /** Worth knowing, nothing that keeps an archive out. */
  readonly warnings: readonly Warning[];
}

export interface Turn {
  readonly news: readonly News[];
  /** `Issued` of the database that is published now. */
  readonly issued: Date | null;
  /** Whether the same may go well a little later. */
  readonly again: boolean;
}

export interface TurnOptions extends Omit<ReleaseOptions, 'now'> {
  /** Reads the settings as they are now. Throws SETTINGS_INVALID, FILE_UNREADABLE. */
  readonly settings: () => Settings;
  readonly cache: CacheStore;
  readonly stateFolder: string;
  readonly clock: () => Date;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface Turns {
  readonly take: (settled: Settled) => Promise<Turn>;
  /** The settings that turns go by. */
  readonly settings: () => Settings;
  /** When the published database wants to be signed anew; null when never. */
  readonly refreshDate: () => Date | null;
}

/** What one published directory looked like last, so that it can go on after it was removed. */
interface Last {
  readonly published: Published;
  readonly keys: Publication['keys'] & { readonly certificates: readonly Certificate[] };
}

interface Memory {
  last: Last | null;
  /** The settings that a person started with or signed. */
  accepted: Settings;
}

type Context = TurnOptions & { readonly directory: string; readonly memory: Memory };

/** Turns over one directory: each builds, signs and publishes what may be published without a person. */
export function makeTurns(directory: string, options: TurnOptions): Turns {
  const memory: Memory = { last: null, accepted: options.settings() };
  const context = { ...options, directory, memory };
  return {
    take: (settled) => takeTurn(settled, context),
    settings: () => memory.accepted,
    refreshDate: () => (memory.last === null ? null : refreshDate(memory.last.published.database)),
  };
}

async function takeTurn(settled: Settled, context: Context): Promise<Turn> {
  const { memory } = context;
  const news: News[] = [];
  let again = false;
  try {
    if (settled.kind === 'unreadable') throw settled.error;
    const unlock = takeLock(context.stateFolder);
    try {
      await turn(settled, context, news);
    } finally {
      unlock();
    }
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    news.push(newsOf(error));
    again = error.exitStatus === 2 && settled.kind === 'seen' && error.code !== 'NO_ARCHIVES';
  }
  return { news, issued: memory.last?.published.database.Packsign.Issued ?? null, again };
}

async function turn(settled: Settled & { kind: 'seen' }, context: Context, news: News[]): Promise<void> {
  const { directory, memory } = context;
  const now = context.clock();
  repairPublication(directory, { now });
  const isLost = memory.last !== null && readStanding(directory) === null;
  if (!isLost) memory.last = await readLast(directory, memory);
  const base = baseOf(memory.last);
  news.push(...considerSettings(context));
  const prepared = await prepareHeld(settled, { context, base, now, news });
  const { published } = base;
  // Nothing has settled yet that a database could list.
  if (prepared.database.Archives.size === 0 && settled.unsettled.size > 0) return;
  if (published !== null && prepared.unchanged && !prepared.refreshDue) {
    if (isLost && memory.last !== null) putBack(directory, memory.last, { now });
    if (settled.changed || isLost) news.push(nothingNew(isLost));
    return;
  }
  const released = await release(
    directory,
    { ...prepared, others: settled.scan.others, gathered: null, lastKeys: memory.last?.keys.armored ?? null },
    { ...context, now },
  );
  if (released.publication !== null) memory.last = await remember(released.publication, prepared.database);
  news.push(signedNews(prepared, released.published ? null : released.missing));
}

/** Reads what is published, or trusts memory where the very bytes are known. Throws PREVIOUS_INVALID. */
async function readLast(directory: string, { last }: Memory): Promise<Last | null> {
  const standing = readStanding(directory);
  if (standing !== null && standing.sha256 === last?.published.sha256 && standing.signature !== null)
    return last;
  const published = await readPublished(directory);
  if (published === null) return null;
  if (last !== null && published.database.Packsign.Issued < last.published.database.Packsign.Issued) {
    throw new PacksignError(
      'PREVIOUS_INVALID',
      'the database here is older than the one that was published last',
      {
        hint: 'put the newer one back; to go on from the old one, start packsign watch again',
      },
    );
  }
  return { published, keys: await readPublishedKeys(directory) };
}

function baseOf(last: Last | null): Base {
  return {
    published: last?.published ?? null,
    previous: last?.published.sha256 ?? null,
    keys: last?.keys.certificates ?? [],
  };
}

async function remember(publication: Publication, database: Database): Promise<Last> {
  const { readCertificates } = await import('../pgp/certificates.js');
  const certificates = await readCertificates(publication.keys.armored);
  return { published: { ...publication, database }, keys: { ...publication.keys, certificates } };
}

/** The last publication again, byte for byte, in a directory that was made anew. */
function putBack(directory: string, { published, keys }: Last, { now }: { now: Date }): void {
  publishDatabase(directory, { ...published, keys }, { now });
}

/** Changed settings wait until a person has signed with them; meanwhile the accepted ones hold. */
function considerSettings({ settings, memory }: Context): News[] {
  let current: Settings;
  try {
    current = settings();
  } catch (error) {
    if (error instanceof PacksignError) return [newsOf(error)];
    throw error;
  }
  if (isDeepStrictEqual(current, memory.accepted)) return [];
  if (memory.last !== null) return [settingsHeld()];
  memory.accepted = current;
  return [];
}

interface Preparing {
  readonly context: Context;
  readonly base: Base;
  readonly now: Date;
  readonly news: News[];
}

/** Prepares with everything held that a person has to decide, and says so. */
async function prepareHeld(
  { scan, unsettled }: Settled & { kind: 'seen' },
  { context, base, now, news }: Preparing,
): Promise<Prepared> {
  const { directory, memory, allowRemoved } = context;
  const options = {
    ...context,
    settings: memory.accepted,
    now,
    signing: context.signers.map(({ certificate }) => certificate),
    allowed: new Map<string, string>(),
    first: false,
    previous: null,
    unattended: { scan, unsettled },
  };
  let prepared = await prepareUpon(base, directory, options);
  if (base.published !== null && settingsDiffer(prepared.difference)) {
    const published = base.published.database;
    if (!news.some(({ code }) => code === 'SETTINGS_CHANGED')) news.push(settingsHeld());
    const settings = frozen(memory.accepted, published);
    prepared = await prepareUpon(base, directory, {
      ...options,
      settings,
      unattended: { scan, unsettled, frozen: true },
    });
  }
  news.push(...heldNews(prepared.held));
  if (!allowRemoved) refuseMassRemoval(base.published?.database ?? null, prepared.database);
  return prepared;
}

/** Whether what is published already would be described otherwise: somebody changed the settings. */
function settingsDiffer({ settings, metadata, executable }: Difference): boolean {
  // A first database may have been built before anybody was known; that they are now is no change of mind.
  const changed = settings.filter(
    ({ key, before }) => before !== null || !['Maintainer', 'Signers'].includes(key),
  );
  return changed.length > 0 || metadata.length > 0 || executable.some(({ before }) => before !== null);
}

/** Settings under which what is published stays as it is. */
function frozen(settings: Settings, { Maintainer, Description, Packsign }: Database): Settings {
  const {
    Maintainer: _1,
    Database: _2,
    Notify: _3,
    Mirrors: _4,
    Trusts: _5,
    Signers: _6,
    Threshold: _7,
    ...rest
  } = settings;
  return {
    ...rest,
    Description,
    ...(Maintainer === undefined ? {} : { Maintainer }),
    ...(Packsign.Database === undefined ? {} : { Database: Packsign.Database }),
    ...(Packsign.Notify === undefined ? {} : { Notify: Packsign.Notify }),
    ...(Packsign.Mirrors === undefined ? {} : { Mirrors: Packsign.Mirrors }),
    ...(Packsign.Trusts === undefined ? {} : { Trusts: Packsign.Trusts }),
  };
}

function newsOf(error: PacksignError): News {
  const isWaiting = ['NO_ARCHIVES', 'CLOCK_BEHIND'].includes(error.code);
  const event = isWaiting ? 'held' : error.exitStatus === 1 ? 'refused' : 'error';
  return { ...SILENT, event, code: error.code, message: error.message, hint: error.hint };
}

const SILENT = { code: null, paths: [], message: null, hint: null, warnings: [] } as const;

function settingsHeld(): News {
  return {
    ...SILENT,
    event: 'held',
    code: 'SETTINGS_CHANGED',
    message: 'packsign.json was changed; what it changes waits until a person signs it',
    hint: 'packsign diff shows what it changes; then packsign build and packsign sign',
  };
}

const HELD_HINTS: Readonly<Record<string, string>> = {
  BYTES_CHANGED:
    'give the new bytes a new version and name, or say why: packsign build --allow-changed PATH --reason TEXT --key KEY',
  NAME_MISMATCH: 'give it "Name" and "Version" in packsign.json, then packsign build and packsign sign',
};

/** One piece of news for each reason, whatever the number of archives. */
function heldNews(held: readonly Warning[]): News[] {
  return Array.from(new Set(held.map(({ code }) => code))).map((code) => {
    const same = held.filter((warning) => warning.code === code);
    return {
      ...SILENT,
      event: code === 'BYTES_CHANGED' ? 'refused' : 'held',
      code,
      paths: same.flatMap(({ path }) => (path === null ? [] : [path])).sort(),
      message: same[0]?.message ?? null,
      hint: HELD_HINTS[code] ?? null,
    };
  });
}

function nothingNew(isLost: boolean): News {
  return { ...SILENT, event: 'unchanged', message: isLost ? 'put back what was published last' : null };
}

function signedNews({ difference, unchanged, warnings }: Prepared, missing: number | null): News {
  const paths = [
    ...difference.added,
    ...difference.withdrawn,
    ...difference.changed.map(({ path }) => path),
  ].sort();
  if (missing !== null) {
    const message = `${missing} more signatures are needed before it is published`;
    return {
      ...SILENT,
      event: 'held',
      code: 'SIGNATURES_MISSING',
      paths,
      message,
      hint: 'packsign sign --key KEY',
    };
  }
  const added = new Set(difference.added);
  return {
    ...SILENT,
    event: unchanged ? 'refreshed' : 'signed',
    paths,
    warnings: warnings.filter(({ path }) => path !== null && added.has(path)),
  };
}

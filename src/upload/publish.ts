import { join } from 'node:path';
import { makeFolder, writeHint } from '../disk/files.js';
import { withFiles } from '../disk/scratch.js';
import { PacksignError } from '../errors.js';
import { DATABASE_NAME, KEYS_NAME, SIGNATURES_FOLDER, signaturePath } from '../model/layout.js';
import type { Coverage } from '../model/coverage.js';
import type { Warning } from '../model/finding.js';
import { formatInstant } from '../model/time.js';
import type { Stored } from '../model/listing.js';
import { DATABASE_LIMITS } from '../places/place.js';
import { openCache } from '../release/facts-cache.js';
import { identityOfObject } from '../stores/list.js';
import { pause } from '../run.js';
import { noteSent } from '../release/sent.js';
import { sha256Of } from '../verify/verify-database.js';
import { findAt, requireContinued } from './continues.js';
import type { Found, Predecessor } from './continues.js';
import { readJournal, writeJournal } from './journal.js';
import type { Journal } from './journal.js';
import { openRemote } from './open.js';
import type { RemoteOptions } from './open.js';
import { readOutbound } from './outbound.js';
import type { Outbound, OutboundOptions } from './outbound.js';
import { absentItems, doubtfulOf, othersOf, planOf } from './plan.js';
import type { Plan } from './plan.js';
import { readBack } from './read-back.js';
import type { ReadBack } from './read-back.js';
import { bytesOf, raced } from './remote.js';
import type { Outgoing, Remote } from './remote.js';

export interface PublishOptions extends OutboundOptions, RemoteOptions {
  /** Where readers fetch what lies at the destination; null reads it back the way it was written. */
  readonly url: string | null;
  /** How old a file that is gone has to be before it is removed, in milliseconds; null removes nothing. */
  readonly keepOldMs: number | null;
  /** How long to wait for caches that still have the database of before, in milliseconds. */
  readonly patienceMs: number;
  /**
   * Joins a database that the directory does not continue, and signs: gets the path of its file, with its signature and
   * keys beside it. Null refuses such a database.
   */
  readonly adopt: ((database: string) => Promise<unknown>) | null;
}

/** What was done at one destination. */
export interface PublishedTo {
  readonly destination: string;
  readonly status: 'published' | 'unchanged' | 'checked';
  /** SHA-256 of the database that is there now. */
  readonly sha256: string;
  readonly issued: Date;
  readonly files: number;
  /** Files that were written, and their bytes. */
  readonly written: number;
  readonly bytes: number;
  readonly removed: number;
  readonly coverage: Coverage;
  /** What the publication in the directory lacks. */
  readonly warnings: readonly Warning[];
  /** Where it was read back, and how many files. */
  readonly readBack: ReadBack;
}

/** Another machine may win as often as that before we give up. */
const ROUNDS = 5;

/**
 * Publishes a signed directory to a destination: whole or not at all, in the order of docs/FORMAT.md §1, never backwards;
 * then reads it back as a reader would. Whatever ends it, the next call goes on. Throws USAGE, what `readOutbound` throws,
 * DESTINATION_NEWER, DESTINATION_FORKED, DESTINATION_FOREIGN, DESTINATION_RACED, DESTINATION_FAILED, DESTINATION_DIFFERS,
 * FILE_MISSING, LOCKED.
 */
export async function publish(
  directory: string,
  destination: string,
  options: PublishOptions,
): Promise<PublishedTo> {
  const remote = openRemote(destination, directory, options);
  try {
    const doubt = (paths: readonly string[]) => {
      const journal = readJournal(options.run.stateFolder, remote.name);
      writeJournal(options.run.stateFolder, { ...journal, sent: { ...journal.sent, ...allUnknown(paths) } });
    };
    const look = async (done: Done) =>
      [done, await readBack(done.outbound, { ...options, remote, doubt, sent: done.sent })] as const;
    const work = () => rounds(directory, remote, options);
    // What is read back the way it was written is read before somebody else may publish, but no cache keeps others out.
    const [done, checked] = options.isCheck
      ? await look(await wholeOf(directory, remote, options))
      : options.url === null
        ? await remote.alone(async () => await look(await work()))
        : await look(await remote.alone(work));
    const { signed } = done.outbound;
    noteSent(options.run.stateFolder, destination, signed.content.sha256());
    return {
      ...{ destination, sha256: signed.content.sha256(), issued: signed.database.Packsign.Issued },
      status: options.isCheck ? 'checked' : done.sent.length + done.removed === 0 ? 'unchanged' : 'published',
      files: signed.database.Files.size,
      written: options.isCheck ? 0 : done.sent.length,
      bytes: options.isCheck ? 0 : bytesOf(done.sent),
      removed: done.removed,
      coverage: done.outbound.coverage,
      warnings: done.outbound.warnings,
      readBack: checked,
    };
  } finally {
    options.run.progress(null);
    remote.close();
  }
}

/** What a publication would do, and in which order. Writes nothing. */
export async function planPublication(
  directory: string,
  destination: string,
  options: PublishOptions,
): Promise<Plan> {
  const remote = openRemote(destination, directory, options);
  try {
    return (await prepare(await readOutbound(directory, options), remote, options)).plan;
  } finally {
    remote.close();
  }
}

/** Everything, as if it had been sent just now. */
async function wholeOf(directory: string, remote: Remote, options: PublishOptions): Promise<Done> {
  const outbound = await readOutbound(directory, options);
  const elsewhere = absentItems(outbound);
  const listing = elsewhere.length === 0 ? null : await remote.list();
  const lacking = elsewhere.find(({ path, size }) => listing?.get(path)?.size !== size);
  if (lacking !== undefined) throw lacks(remote, lacking.path, directory);
  const items = [...outbound.listed, ...elsewhere, ...othersOf(outbound)];
  return { outbound, removed: 0, sent: items.map((item) => ({ ...item, over: 'anything' })) };
}

interface Done {
  readonly outbound: Outbound;
  readonly sent: readonly Outgoing[];
  readonly removed: number;
}

/** Builds upon what others publish meanwhile. */
async function rounds(directory: string, remote: Remote, options: PublishOptions): Promise<Done> {
  let outbound = await readOutbound(directory, options);
  for (let round = 1; ; round += 1) {
    try {
      return await carryOut(await prepare(outbound, remote, options), remote, options);
    } catch (error) {
      const code = error instanceof PacksignError ? error.code : null;
      const isBehind = code === 'DESTINATION_NEWER' || code === 'DESTINATION_FORKED';
      if (round >= ROUNDS || !(code === 'DESTINATION_RACED' || (isBehind && options.adopt !== null)))
        throw error;
      if (isBehind) {
        await adoptFrom(remote, options);
        outbound = await readOutbound(directory, options);
      }
    }
  }
}

/** Joins the database at the destination, which `build` reads from a folder. */
async function adoptFrom({ place }: Remote, { adopt }: PublishOptions): Promise<void> {
  const found = await findAt(place);
  if (found === null) return;
  await withFiles({ [DATABASE_NAME]: found.bytes }, async (folder, paths) => {
    makeFolder(join(folder, SIGNATURES_FOLDER));
    if (found.signature !== null) writeHint(join(folder, signaturePath(found.sha256)), found.signature);
    if (found.keys !== null) writeHint(join(folder, KEYS_NAME), found.keys);
    await adopt?.(paths[DATABASE_NAME]);
  });
}

/** The journal with what was read at the destination in place of what it says of that. */
function withFound(journal: Journal, found: Found | null): Journal {
  if (found === null) return journal;
  const hashOf = (bytes: Buffer | null) => (bytes === null ? UNKNOWN : sha256Of(bytes));
  const read = { [KEYS_NAME]: hashOf(found.keys), [signaturePath(found.sha256)]: hashOf(found.signature) };
  const { sent, others } = journal;
  return { ...journal, sent: { ...sent, ...onlyIn(sent, read) }, others: { ...others, ...read } };
}

function onlyIn(
  record: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(other).filter(([path]) => path in record));
}

interface Prepared {
  readonly outbound: Outbound;
  readonly found: Found | null;
  readonly journal: Journal;
  readonly plan: Plan;
}

async function prepare(outbound: Outbound, remote: Remote, options: PublishOptions): Promise<Prepared> {
  const { destination, name, place } = remote;
  const journal = readJournal(options.run.stateFolder, name);
  const found = await findAt(place);
  const before: Predecessor | null =
    found === null
      ? null
      : await requireContinued(outbound, found, { destination, last: journal.last, now: options.run.now });
  const cache = openCache(options.run.stateFolder, { rehash: options.isCheck, remember: false });
  const known = {
    ...{ before, journal: withFound(journal, found), listing: await remote.list(found?.etag) },
    isHashed: (path: string, stored: Stored, sha256: string) =>
      stored.etag !== null && cache.find({ path, identity: identityOfObject(stored) })?.sha256 === sha256,
  };
  const doubtful = doubtfulOf(outbound, known).map((item) => ({ ...item, over: 'anything' as const }));
  const { earlyKeys } = await import('./early-keys.js');
  const plan = planOf(outbound, {
    ...known,
    differing: new Set(await remote.differing(doubtful, outbound.directory)),
    earlyKeys: await earlyKeys(outbound, before),
    ...{ keepOldMs: options.keepOldMs, now: options.run.now },
  });
  return { outbound, found, journal, plan };
}

/** Does the steps of a plan. What was done is in the journal after each step, for the next run. */
async function carryOut(prepared: Prepared, remote: Remote, { run }: PublishOptions): Promise<Done> {
  const { outbound, found, plan } = prepared;
  const { stateFolder } = run;
  requireComplete(plan, outbound, remote);
  let journal = beginning(prepared, run.now);
  const note = (change: Partial<Journal>) => {
    journal = { ...journal, ...change };
    writeJournal(stateFolder, journal);
  };
  const sent: Outgoing[] = [];
  const all = plan.steps.flatMap(({ writes }) => writes);
  const bytes = bytesOf(all);
  const files = { count: all.length, done: () => sent.length };
  let done: number | null = null;
  const onBytes = (count: number) => {
    // Before that, rsync may ask for a password.
    if (done === null) run.progress({ doing: 'uploading', bytes, done: () => done ?? 0, files });
    done = (done ?? 0) + count;
  };
  // Only once: between a replaced file and the database, readers wait.
  let isStillSame = false;
  for (const step of plan.steps) {
    await pause(run);
    if (step.name === 'replaced files' || step.name === 'database') {
      if (!isStillSame) await requireUnchanged(found, remote);
      isStillSame = true;
    }
    const written: Record<string, string> = {};
    // A killed run may have replaced them or not.
    note({ sent: { ...journal.sent, ...allUnknown(step.writes.map(({ path }) => path)) } });
    try {
      await remote.write(step.writes, {
        directory: outbound.directory,
        onBytes,
        onWritten: (file) => {
          sent.push(file);
          written[file.path] = file.sha256;
        },
      });
    } finally {
      note({ sent: { ...journal.sent, ...written } });
    }
    await remote.remove(step.removes);
    if (step.name === 'database') note({ last: outbound.database.sha256 });
  }
  run.progress(null);
  // What is put back under a database that stays is younger than that.
  const isSame = !plan.steps.some(({ name }) => name === 'database');
  const putBack = isSame ? { ...journal.others, ...hashesOf(sent) } : {};
  const others = { ...putBack, ...hashesOf(othersOf(outbound)) };
  const removed = plan.steps.flatMap(({ removes }) => removes);
  note({ others, sent: {}, last: outbound.database.sha256, missed: without(journal.missed, removed) });
  // Key files may be sent twice.
  const last = new Map(sent.map((file) => [file.path, file]));
  return { outbound, sent: Array.from(last.values()), removed: removed.length };
}

function hashesOf(items: readonly Pick<Outgoing, 'path' | 'sha256'>[]): Readonly<Record<string, string>> {
  return Object.fromEntries(items.map(({ path, sha256 }) => [path, sha256]));
}

function lacks({ destination }: Remote, path: string, directory: string): PacksignError {
  return new PacksignError('DESTINATION_DIFFERS', `${path} is listed, and is not at ${destination}`, {
    hint: `it is not in ${directory} either: put it back there and publish, or build again with --absent withdraw`,
  });
}

/** Throws FILE_MISSING. */
function requireComplete({ lost }: Plan, { directory }: Outbound, { destination }: Remote): void {
  if (lost.length === 0) return;
  const more = lost.length > 1 ? `, and ${lost.length - 1} more` : '';
  throw new PacksignError(
    'FILE_MISSING',
    `${lost[0] ?? ''} is listed, but is neither in ${directory} nor at ${destination}${more}: nothing was published`,
    { hint: 'put it back, or build again with --absent withdraw' },
  );
}

/** The journal with what is missed from now on. */
function beginning({ journal, plan, found }: Prepared, now: Date): Journal {
  const missed = plan.missed.map((path) => [path, journal.missed[path] ?? formatInstant(now)] as const);
  const begun = { ...journal, last: found?.sha256 ?? null, missed: Object.fromEntries(missed) };
  if (journal.last === begun.last) return begun;
  // Somebody else has published there since. We no longer know the bytes of our files, but may still remove them.
  return { ...begun, sent: {}, others: allUnknown(Object.keys(journal.others)) };
}

/** In place of a hash that we cannot know. */
const UNKNOWN = '';

function allUnknown(paths: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(paths.map((path) => [path, UNKNOWN]));
}

function without(record: Readonly<Record<string, string>>, paths: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(record).filter(([path]) => !paths.includes(path)));
}

/** Before readers see anything else under the database: whether it is still the one that ours continues. Throws DESTINATION_RACED. */
async function requireUnchanged(found: Found | null, { place, destination }: Remote): Promise<void> {
  const now = await place.readDatabase({ ...DATABASE_LIMITS, fresh: true, etag: found?.etag ?? null });
  if (now.kind === 'unchanged') return;
  if ((now.kind === 'found' ? sha256Of(now.bytes) : undefined) === found?.sha256) return;
  throw raced(destination);
}

import { closeSync, lstatSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { READ_FLAGS, readAt } from '../disk/files.js';
import { identityOf } from '../disk/identities.js';
import type { FileIdentity } from '../disk/identities.js';
import { PacksignError, reasonOf, systemCode } from '../errors.js';
import type { ClockEvidence } from '../model/clock.js';
import { showName } from '../model/coverage.js';
import { signaturePath } from '../model/layout.js';
import { orElse, orNull } from '../model/or-null.js';
import { compareText } from '../model/package.js';
import { findSecret } from '../pgp/secret-material.js';
import type { Secret } from '../pgp/secret-packets.js';
import type { Scan } from '../places/scan.js';
import type { Published } from '../published/published.js';
import { isPublishedName } from '../published/read.js';
import type { Run } from '../run.js';
import { isStill, searchOpen } from '../workers/digest.js';
import { isRacy } from './facts-cache.js';
import { searchObjects } from './search-objects.js';
import { openSearchedFiles } from './searched-files.js';
import type { SearchedFiles } from './searched-files.js';
import { typedPath } from './typed-path.js';

/** What a directory holds besides the files that were looked through while they were hashed, and what these hold. */
export interface Searchable extends Pick<Scan, 'others' | 'misnamed'> {
  /** Path → the secret in it. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** The file that was changed last; null or absent if that is not known. */
  readonly newest?: ClockEvidence['newest'];
}

export interface SecretsOptions {
  readonly run: Run;
  /** Paths that may hold a secret: published keys for tests. */
  readonly allowSecrets?: readonly string[] | undefined;
  /** Whether we may write down which files we looked through. */
  readonly remember: boolean;
}

/**
 * Refuses a directory that holds a secret: an OpenPGP secret key, another private key, or a revocation certificate, in any
 * file whatever its name and size, in any folder but the working state (threat T19); in a bucket, as far as `searchObjects`
 * looks. Links are not followed. Warns of files that cannot be read, and of allowed ones that hold none. Throws
 * SECRET_IN_DIRECTORY.
 */
export async function refuseSecrets(
  published: Published,
  searchable: Searchable,
  { run, allowSecrets = [], remember }: SecretsOptions,
): Promise<void> {
  const secrets = new Map(searchable.secrets);
  const store = openSearchedFiles(published.stateFolder);
  const { objects } = run;
  if (objects !== null) {
    for (const [path, secret] of await searchObjects(searchable.others, objects, store))
      secrets.set(path, secret);
  }
  const search = {
    published,
    store,
    startedMs: run.clock().getTime(),
    block: Buffer.allocUnsafe(BLOCK_BYTES),
  };
  for (const file of filesOf(published.directory, searchable)) {
    const found = await searchOther(search, file);
    if (typeof found === 'string') secrets.set(file.path, found);
    else if (found !== null)
      run.warn({ code: 'UNREADABLE', path: file.path, message: `${NOT_SEARCHED}: ${found.reason}` });
  }
  if (remember) store.save();
  const allowed = allowSecrets.map((given) => ({
    given,
    path: typedPath(given, published, (path) => secrets.has(path)),
  }));
  for (const { given, path } of allowed) {
    if (path !== null && secrets.has(path)) continue;
    const reason = path === null ? 'there is no such file in the directory' : 'there is no secret in it';
    run.warn({ code: 'NO_SECRET', path: path ?? given, message: `allowed, but ${reason}` });
  }
  for (const { path } of allowed) if (path !== null) secrets.delete(path);
  if (secrets.size > 0) throw refusal(secrets, objects?.address ?? null);
}

const NOT_SEARCHED = 'cannot be read, and was not searched for secret keys';
const NAMED_LIMIT = 20;

function refusal(secrets: ReadonlyMap<string, Secret>, bucket: string | null): PacksignError {
  const sorted = Array.from(secrets).sort(([a], [b]) => compareText(a, b));
  const named = sorted.slice(0, NAMED_LIMIT).map(([path, secret]) => `${path} (${secret})`);
  if (sorted.length > NAMED_LIMIT) named.push(`${sorted.length - NAMED_LIMIT} more`);
  const message = `there are secrets in ${bucket ?? 'the directory'}: ${named.join(', ')}`;
  const move =
    bucket === null
      ? 'move them to a place that is never published'
      : 'remove them there, and revoke the keys if others can read the bucket';
  return new PacksignError('SECRET_IN_DIRECTORY', message, {
    hint: `${move}; for a key that only tests use: --allow-secret PATH`,
  });
}

interface OtherFile {
  /** As we show it. */
  readonly path: string;
  /** As the system knows it. */
  readonly file: string | Buffer;
}

function* filesOf(directory: string, { others, misnamed, secrets }: Searchable): Generator<OtherFile> {
  for (const path of others) if (!secrets.has(path)) yield { path, file: join(directory, path) };
  for (const raw of misnamed) yield* filesBelow(directory, raw);
}

/** The files of a folder whose name, or path, is no UTF-8; or the file itself. */
function* filesBelow(directory: string, raw: Buffer): Generator<OtherFile> {
  const file = Buffer.concat([Buffer.from(`${directory}/`), raw]);
  for (const name of namesIn(file)) {
    yield* filesBelow(directory, Buffer.concat([raw, Buffer.from('/'), name]));
  }
  yield { path: showName(raw), file };
}

/** None if it is no folder that can be read. */
function namesIn(folder: Buffer): readonly Buffer[] {
  const read = () => (lstatSync(folder).isDirectory() ? readdirSync(folder, { encoding: 'buffer' }) : []);
  return orElse(read, []);
}

interface Search {
  readonly published: Published;
  readonly store: SearchedFiles;
  /** The clock's time before any file was looked at. */
  readonly startedMs: number;
  readonly block: Buffer;
}

/** The secret in a file; null if there is none, or no such file; a reason if it cannot be read. */
async function searchOther(
  search: Search,
  other: OtherFile,
): Promise<Secret | null | { readonly reason: string }> {
  const { published, store, startedMs } = search;
  try {
    const stats = lstatSync(other.file, { bigint: true });
    if (stats.isDirectory()) readdirSync(other.file);
    if (!stats.isFile()) return null;
    const known = bytesOf(published, other.path);
    // Not worth remembering: to look through what is in memory takes a millisecond for 20 MB.
    if (known !== null) return findSecret(known);
    const identity = identityOf(stats);
    if (store.has(identity)) return null;
    const found = await searchFile(search, other.file, identity);
    if (found === null && !isRacy({ identity }, startedMs)) store.add(identity);
    return found;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) return null;
    return { reason: reasonOf(error) };
  }
}

/** Published files are read once, through the value; null for others, and if they are too large for it. */
function bytesOf(published: Published, path: string): Buffer | null {
  return orNull(() => {
    if (isPublishedName(path)) return published.bytes(path);
    const sha256 = published.sha256();
    return sha256 !== null && path === signaturePath(sha256) ? published.signature() : null;
  });
}

const BLOCK_BYTES = 256 * 1024;
/** After so many bytes, signals and events get their turn. */
const PAUSE_BYTES = 8 * 1024 * 1024;

/** Reads the file with this identity piece by piece. Throws what the system says, also if it became another file. */
async function searchFile(
  { block }: Search,
  file: string | Buffer,
  identity: FileIdentity,
): Promise<Secret | null> {
  const fd = openSync(file, READ_FLAGS);
  try {
    const search = searchOpen(fd, Number(identity.size));
    let position = 0;
    while (search.found() === null) {
      const bytes = readAt(fd, position, block);
      if (bytes.length === 0) break;
      search.take(bytes);
      position += bytes.length;
      if (position % PAUSE_BYTES === 0) await setImmediate();
    }
    if (search.found() === null && !isStill(fd, identity)) throw new Error('it changed meanwhile');
    return search.found();
  } finally {
    closeSync(fd);
  }
}

import { join } from 'node:path';
import { readBounded } from '../disk/files.js';
import { identityBehind } from '../disk/identities.js';
import { PacksignError } from '../errors.js';
import { DATABASE_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import { coverageOf } from '../model/coverage.js';
import type { Coverage } from '../model/coverage.js';
import type { FileEntry } from '../model/file-entry.js';
import type { Warning } from '../model/finding.js';
import {
  ASSETS_FOLDER,
  CHECKSUMS_NAMES,
  DATABASE_NAME,
  KEYRING_NAME,
  KEYS_NAME,
  PAGE_NAME,
  SIGNATURES_FOLDER,
  SIGNATURE_COPY_NAME,
  isOwnPath,
  signaturePath,
} from '../model/layout.js';
import { isCompanion } from '../model/release-names.js';
import type { Settings } from '../model/settings.js';
import { shellWord } from '../model/shell.js';
import { formatInstant } from '../model/time.js';
import type { Certificate } from '../pgp/certificates.js';
import { ownChecksums } from '../places/own-checksums.js';
import { globsOf, scanDirectory } from '../places/scan.js';
import type { Scan, ScannedFile } from '../places/scan.js';
import type { SignedDatabase } from '../published/published.js';
import { readPublished } from '../published/read.js';
import { openCache } from '../release/facts-cache.js';
import { refuseSecrets } from '../release/secrets.js';
import { seenPublication } from '../release/seen-publication.js';
import { ofFuture } from '../release/status.js';
import type { Run } from '../run.js';
import { sha256Of } from '../verify/verify-database.js';
import { digestListed } from '../workers/digest-listed.js';
import { hashFiles } from '../workers/hash.js';

/** A file of the directory, or bytes that belong at a path of it. */
export interface Item {
  /** Relative to the database. */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** Null for the file that lies at this path. */
  readonly bytes: Uint8Array | null;
}

/** A signed directory, as it goes out. */
export interface Outbound {
  readonly directory: string;
  readonly signed: SignedDatabase;
  readonly certificates: readonly Certificate[];
  /** The listed files that lie here. */
  readonly listed: readonly Item[];
  /** The paths of those that do not: they have to lie at the destination. */
  readonly absent: readonly string[];
  readonly keys: readonly Item[];
  /** Signatures of databases and checksums, the current one among them. */
  readonly signatures: readonly Item[];
  readonly database: Item;
  /** The copy of the signature, and checksums. */
  readonly copies: readonly Item[];
  /** What accompanies listed files, and what is not covered if it goes along. */
  readonly companions: readonly Item[];
  readonly page: readonly Item[];
  readonly coverage: Coverage;
  /** What the publication in the directory lacks. */
  readonly warnings: readonly Warning[];
}

export interface OutboundOptions {
  readonly settings: Settings;
  readonly run: Run;
  /** Whether files that nothing covers go along. */
  readonly withUncovered: boolean;
  readonly allowSecrets: readonly string[];
  /** Whether the listed files were looked at just now, so that they need not be read before they are sent. */
  readonly isJustBuilt: boolean;
  /** Whether to write nothing, and read everything, here and there. */
  readonly isCheck: boolean;
}

const PAGE_LIMIT_BYTES = 16 * 1024 * 1024;

/**
 * Reads a signed directory, and checks it: what goes out verifies here first, and holds no secret. Throws NOT_PUBLISHED,
 * PREVIOUS_INVALID, FOREIGN_DATABASE, DATABASE_STALE, DATABASE_FROM_FUTURE, FILE_ALTERED, SECRET_IN_DIRECTORY, DIRECTORY_UNREADABLE.
 */
export async function readOutbound(directory: string, options: OutboundOptions): Promise<Outbound> {
  const { run } = options;
  const { published, warnings } = await seenPublication(
    readPublished(directory, run.stateFolder),
    options.settings,
  );
  const signed = await published.verified();
  if (signed === null) throw notPublished(directory);
  requireFresh(signed, { directory, now: run.now });
  const { Files } = signed.database;
  const scan = scanDirectory(directory, {
    globs: { ...globsOf(options.settings), checksums: true },
    isListed: (path) => Files.has(path),
  });
  const seen = new Map(scan.files.map((file) => [file.path, file]));
  const absent = options.isJustBuilt
    ? absentIn(directory, signed, seen)
    : await absentAfterReading(directory, signed, { ...options, seen });
  const isAbsent = new Set(absent);
  const item = (path: string, limitBytes: number) =>
    itemOf(path, readBounded(join(directory, path), limitBytes));
  const own = (...names: readonly Parameters<typeof published.bytes>[0][]) =>
    names.flatMap((name) => itemOf(name, published.bytes(name)));
  const others = otherFiles(scan, signed, { ...options, directory });
  const assets = others.own.filter((path) => path === PAGE_NAME || path.startsWith(`${ASSETS_FOLDER}/`));
  const current = signaturePath(signed.content.sha256());
  // The scan has found regular files alone: behind a link, something else may lie.
  const kept = others.own.filter((path) => path.startsWith(`${SIGNATURES_FOLDER}/`) && path !== current);
  const copies = others.own.filter((path) => CHECKSUMS_NAMES.includes(path));
  const companions = await digested(directory, others.companions, run);
  const sent = [...others.companions.map(({ path }) => path), ...assets, ...kept, ...copies];
  await refuseSecrets(
    published,
    { others: sent, misnamed: [], secrets: new Map() },
    { run, allowSecrets: options.allowSecrets, remember: false },
  );
  return {
    ...{ directory, signed, companions, absent, coverage: others.coverage, warnings },
    certificates: await published.certificates(),
    listed: Array.from(Files).flatMap(([path, { Size: size, SHA256: sha256 }]) =>
      isAbsent.has(path) ? [] : [{ path, size, sha256, bytes: null }],
    ),
    keys: own(KEYS_NAME, KEYRING_NAME),
    signatures: [
      ...itemOf(current, signed.signature),
      ...kept.flatMap((path) => item(path, SIGNATURE_LIMIT_BYTES)).filter(isSignature),
    ],
    database: databaseItem(signed),
    copies: [...own(SIGNATURE_COPY_NAME), ...copies.flatMap((path) => item(path, DATABASE_LIMIT_BYTES))],
    page: assets.flatMap((path) => item(path, PAGE_LIMIT_BYTES)),
  };
}

/** Readers look for signatures in that folder, and for nothing else. */
function isSignature({ bytes }: Item): boolean {
  return Buffer.from(bytes ?? []).toString('latin1', 0, SIGNATURE_BEGINS.length) === SIGNATURE_BEGINS;
}

const SIGNATURE_BEGINS = '-----BEGIN PGP SIGNATURE-----';

function notPublished(directory: string): PacksignError {
  return new PacksignError('NOT_PUBLISHED', `nothing is signed in ${directory}`, {
    hint: `sign it first: packsign build ${shellWord(directory)} --key FILE`,
  });
}

function requireFresh(
  { database }: SignedDatabase,
  { directory, now }: { readonly directory: string; readonly now: Date },
): void {
  const fault = ofFuture(database, now);
  if (fault !== null) throw fault;
  const { Expires } = database.Packsign;
  if (Expires === undefined || Expires > now) return;
  const message = `the database in ${directory} expired at ${formatInstant(Expires)}: readers would warn of it`;
  const hint = `sign it again: packsign build ${shellWord(directory)} --key FILE`;
  throw new PacksignError('DATABASE_STALE', message, { hint });
}

function absentIn(directory: string, { database }: SignedDatabase, seen: Seen): readonly string[] {
  return Array.from(database.Files.keys()).filter(
    (path) => !seen.has(path) && identityBehind(join(directory, path)) === null,
  );
}

/** What a scan has found, by path. */
type Seen = ReadonlyMap<string, ScannedFile>;

/**
 * Does not read files that have not changed since a build read them: whatever is sent is hashed on its way out. Throws
 * FILE_ALTERED.
 */
async function absentAfterReading(
  directory: string,
  { database: { Files } }: SignedDatabase,
  { run, isCheck, seen }: Pick<OutboundOptions, 'run' | 'isCheck'> & { readonly seen: Seen },
): Promise<readonly string[]> {
  const cache = openCache(run.stateFolder, { rehash: isCheck, remember: false });
  const isKnown = (file: ScannedFile, { SHA256 }: FileEntry) => cache.find(file)?.sha256 === SHA256;
  const found = await digestListed(directory, Files, { ...run, isKnown, seen });
  const altered = Array.from(Files).flatMap(([path, { Size, SHA256 }]) => {
    const file = found.get(path);
    const isGood = file?.kind === 'digested' && file.size === Size && file.sha256 === SHA256;
    return isGood || file === undefined || file.kind === 'missing' ? [] : [path];
  });
  if (altered.length > 0) throw alteredError(directory, altered);
  return Array.from(Files.keys()).filter((path) => (found.get(path)?.kind ?? 'missing') === 'missing');
}

function alteredError(directory: string, altered: readonly string[]): PacksignError {
  const [first] = altered;
  const more = altered.length > 1 ? `, and ${altered.length - 1} more` : '';
  return new PacksignError(
    'FILE_ALTERED',
    `${first ?? ''} in ${directory} has other bytes than were signed${more}: nothing was published`,
    { hint: `see all of it: packsign verify ${shellWord(directory)}` },
  );
}

interface Others {
  readonly coverage: Coverage;
  readonly companions: readonly ScannedFile[];
  /** Paths of packsign's own files. */
  readonly own: readonly string[];
}

/** The files beside the listed ones that go along. */
function otherFiles(
  scan: Scan,
  { database: { Files } }: SignedDatabase,
  { directory, withUncovered, run: { objects } }: OutboundOptions & { readonly directory: string },
): Others {
  const isListed = (path: string) => Files.has(path);
  const { others } = scan;
  // Of files that lie in a bucket, those that do not are packsign's own.
  const rest = objects === null ? scan.rest : [];
  const paths = rest
    .filter(({ path, reason }) => reason === 'kind' && !isListed(path))
    .map(({ path }) => path)
    .filter((path) => withUncovered || isCompanion(path, isListed));
  const named = new Set(paths);
  const sums = ownChecksums(directory);
  return {
    coverage: coverageOf(rest, isListed),
    companions: paths.flatMap((path) => {
      const identity = identityBehind(join(directory, path));
      return identity === null ? [] : [{ path, identity }];
    }),
    own: others.filter((path) => !named.has(path) && (isOwnPath(path) || sums.includes(path))),
  };
}

async function digested(
  directory: string,
  files: readonly ScannedFile[],
  run: Run,
): Promise<readonly Item[]> {
  const results = await hashFiles(files, { directory, md5: false, metadata: false, inspect: 'none' }, run);
  return results.map((result, index) => {
    const path = files[index]?.path ?? '';
    if (result.kind === 'digested') return { path, size: result.size, sha256: result.sha256, bytes: null };
    throw new PacksignError('FILE_UNREADABLE', `${join(directory, path)} ${result.message}`);
  });
}

function databaseItem({ content }: SignedDatabase): Item {
  const { bytes } = content;
  return { path: DATABASE_NAME, bytes, size: bytes.length, sha256: content.sha256() };
}

/** None if there is no such file. */
export function itemOf(path: string, bytes: Uint8Array | null): readonly Item[] {
  return bytes === null ? [] : [{ path, bytes, size: bytes.length, sha256: sha256Of(bytes) }];
}

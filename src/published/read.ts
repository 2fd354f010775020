import { dirname, join } from 'node:path';
import { readBounded } from '../disk/files.js';
import { identityBehind, isSameIdentity } from '../disk/identities.js';
import type { FileIdentity } from '../disk/identities.js';
import { noFolder, obstacleTo } from '../disk/obstacle.js';
import { readOwn } from '../disk/own-file.js';
import { PacksignError } from '../errors.js';
import { KEYS_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import {
  DATABASE_NAME,
  KEYS_NAME,
  PENDING_REVOCATIONS_NAME,
  SIGNATURES_FOLDER,
  WRITTEN_NAMES,
  signaturePath,
} from '../model/layout.js';
import { once } from '../model/once.js';
import type { Certificate } from '../pgp/certificates.js';
import { contentOf } from '../pgp/content.js';
import type { Content } from '../pgp/content.js';
import { inFile } from '../pgp/origin.js';
import { PUBLISHED_LIMITS_BYTES } from './published.js';
import type { Published, PublishedName } from './published.js';
import { requireVerified } from './verified.js';

/** Whether a path in the directory is one of the published files with a fixed name. */
export function isPublishedName(path: string): path is PublishedName {
  return WRITTEN_NAMES.includes(path);
}

/** A published directory, without reading anything yet. */
export function readPublished(directory: string, stateFolder: string): Published {
  return publishedOf({ directory, stateFolder }, {});
}

/** The identity of the published database's file. */
export function identifyDatabase(directory: string): FileIdentity | null {
  return identityBehind(join(directory, DATABASE_NAME));
}

/** Whether database, signature and keys have the same bytes. */
export function isSamePublication(a: Published, b: Published): boolean {
  return (
    a.sha256() === b.sha256() &&
    isSameBytes(a.signature(), b.signature()) &&
    isSameBytes(a.bytes(KEYS_NAME), b.bytes(KEYS_NAME))
  );
}

/** The certificates of a file, or those of some primary keys; null if there is no such file. Throws KEYS_MALFORMED. */
export async function readCertificateFile(
  path: string,
  only: ReadonlySet<string> | null = null,
): Promise<readonly Certificate[] | null> {
  const bytes = readBounded(path, KEYS_LIMIT_BYTES);
  return bytes === null ? null : await inFile(path, () => certificatesIn(bytes, only));
}

/** A signature whose folder is a file is not lost: nothing could bring it back. Throws FILE_UNREADABLE. */
function requireNoObstacle(directory: string, path: string): void {
  if (dirname(path) !== SIGNATURES_FOLDER) return;
  const obstacle = obstacleTo(join(directory, SIGNATURES_FOLDER));
  if (obstacle !== null) throw noFolder(obstacle, 'FILE_UNREADABLE');
}

/** A file, with what we make of its bytes at most once. */
interface Loaded {
  readonly bytes: Buffer;
  readonly content: Content;
  readonly certificates: () => Promise<readonly Certificate[]>;
}

/** `known`: hashed already, if it has these bytes. */
function loaded(bytes: Buffer, known?: Content): Loaded {
  const content = known?.bytes === bytes ? known : contentOf(bytes);
  return { bytes, content, certificates: once(() => certificatesIn(bytes)) };
}

type Files = Map<string, Loaded | null>;

interface Known {
  /** By path. */
  readonly files?: Files;
  /** The files of an earlier value, which may have changed since. */
  readonly earlier?: Files;
  /** The file that the database in either of them came from. */
  readonly identity?: FileIdentity | null;
  readonly verified?: Published['verified'] | null;
}

/** The files that decide whether the database verifies. */
const EVIDENCE = new RegExp(`^(?:${DATABASE_NAME}|${KEYS_NAME}|${SIGNATURES_FOLDER}/.*)$`);

function publishedOf(place: Pick<Published, 'directory' | 'stateFolder'>, known: Known): Published {
  const { files = new Map<string, Loaded | null>(), earlier } = known;
  let { identity = null } = known;
  const folderOf = (path: string) =>
    path === PENDING_REVOCATIONS_NAME ? place.stateFolder : place.directory;
  const load = (path: string, limitBytes: number): Loaded | null => {
    const before = earlier?.get(path) ?? null;
    // Keep no outdated database in memory.
    earlier?.delete(path);
    const isDatabase = path === DATABASE_NAME;
    const start = isDatabase ? identifyDatabase(place.directory) : null;
    if (before !== null && isDatabase && isSameFile(identity, start)) return before;
    const bytes = readOwn(join(folderOf(path), path), limitBytes, before?.bytes ?? null);
    if (isDatabase) identity = isSameFile(start, identifyDatabase(place.directory)) ? start : null;
    if (bytes === null) {
      requireNoObstacle(place.directory, path);
      return null;
    }
    return bytes === before?.bytes ? before : loaded(bytes);
  };
  const read = (path: string, limitBytes: number): Loaded | null => {
    if (!files.has(path)) files.set(path, load(path, limitBytes));
    return files.get(path) ?? null;
  };
  const file = (name: PublishedName) => read(name, PUBLISHED_LIMITS_BYTES[name]);
  const content = () => file(DATABASE_NAME)?.content ?? null;
  const sha256 = () => content()?.sha256() ?? null;
  const certificates = (name: PublishedName) => certificatesOf(file(name), join(folderOf(name), name));
  const published: Published = {
    ...place,
    ...{ content, sha256 },
    bytes: (name) => file(name)?.bytes ?? null,
    identity: () => {
      file(DATABASE_NAME);
      return identity;
    },
    signature: () => {
      const name = sha256();
      return name === null ? null : (read(signaturePath(name), SIGNATURE_LIMIT_BYTES)?.bytes ?? null);
    },
    certificates: () => certificates(KEYS_NAME),
    pendingRevocations: () => certificates(PENDING_REVOCATIONS_NAME),
    verified: known.verified ?? once(() => requireVerified(published)),
    again: () => publishedOf(place, { earlier: new Map(files), identity }),
    with: (changes, signed) => {
      const changed = Object.entries(changes).map(
        ([path, bytes]) => [path, bytes === null ? null : loaded(bufferOf(bytes), signed?.content)] as const,
      );
      const isOther = DATABASE_NAME in changes;
      const isSameEvidence = !changed.some(([path]) => EVIDENCE.test(path));
      return publishedOf(place, {
        files: new Map([...files, ...changed]),
        identity: isOther ? null : identity,
        verified:
          signed === undefined ? (isSameEvidence ? published.verified : null) : () => Promise.resolve(signed),
      });
    },
  };
  return published;
}

/** Throws KEYS_MALFORMED, with the file in which there are none. */
async function certificatesOf(file: Loaded | null, path: string): Promise<readonly Certificate[]> {
  try {
    return await inFile(path, async () => (await file?.certificates()) ?? []);
  } catch (error) {
    if (!(error instanceof PacksignError) || error.code !== 'KEYS_MALFORMED') throw error;
    const hint = error.hint ?? 'restore it from a backup or the published site';
    throw new PacksignError(error.code, error.message, { hint, cause: error });
  }
}

/** A view of the same memory. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function isSameFile(a: FileIdentity | null, b: FileIdentity | null): boolean {
  return a !== null && b !== null && isSameIdentity(a, b);
}

function isSameBytes(a: Buffer | null, b: Buffer | null): boolean {
  return a === b || (a !== null && b !== null && a.equals(b));
}

/** The certificates in bytes, or those of some primary keys. Loads what reads them. Throws KEYS_MALFORMED. */
export async function certificatesIn(
  bytes: Uint8Array,
  only: ReadonlySet<string> | null = null,
): Promise<readonly Certificate[]> {
  const { readCertificates } = await import('../pgp/certificates.js');
  return await readCertificates(bytes, { only });
}

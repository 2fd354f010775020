import { join } from 'node:path';
import { readBounded } from '../disk/files.js';
import { identityBehind, isSameIdentity } from '../disk/identities.js';
import type { FileIdentity } from '../disk/identities.js';
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
import { PUBLISHED_LIMITS_BYTES } from './published.js';
import type { FileChanges, Published, PublishedName } from './published.js';
import { requireVerified } from './verified.js';

/** Whether a path in the directory is one of the published files with a fixed name. */
export function isPublishedName(path: string): path is PublishedName {
  return WRITTEN_NAMES.includes(path);
}

/** What the caller may know about a directory before reading it. */
export interface KnownBefore {
  /** The hash of the database, if its file has not changed since. */
  readonly sha256?: string | null;
  /** An earlier value of the same directory: the database comes from there if its file has not changed. */
  readonly before?: Published | null;
}

/** A published directory, without reading anything yet. */
export function readPublished(
  directory: string,
  stateFolder: string,
  { sha256 = null, before = null }: KnownBefore = {},
): Published {
  const place = { directory, stateFolder };
  const files = new Map<string, Buffer | null>();
  const identity = before?.identity() ?? null;
  if (before === null || identity === null || !isSameFile(identity, identifyDatabase(directory))) {
    return publishedOf(place, { files, sha256 });
  }
  files.set(DATABASE_NAME, before.bytes(DATABASE_NAME));
  return publishedOf(place, { files, identity, content: before.content() });
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

/** The certificates of a file that the user named; none if there is no such file. Throws KEYS_MALFORMED. */
export async function readCertificateFile(path: string): Promise<readonly Certificate[]> {
  return await certificatesIn(readBounded(path, KEYS_LIMIT_BYTES));
}

interface Known {
  /** By path. */
  readonly files: Map<string, Buffer | null>;
  readonly sha256?: string | null;
  readonly identity?: FileIdentity | null;
  readonly content?: Content | null;
  readonly verified?: Published['verified'] | null;
}

/** The files that decide whether the database verifies. */
const EVIDENCE = new RegExp(`^(?:${DATABASE_NAME}|${KEYS_NAME}|${SIGNATURES_FOLDER}/.*)$`);

function publishedOf(place: Pick<Published, 'directory' | 'stateFolder'>, known: Known): Published {
  const { files } = known;
  let { identity = null } = known;
  const read = (path: string, limitBytes: number): Buffer | null => {
    const bytes = files.get(path);
    if (bytes !== undefined) return bytes;
    const start = path === DATABASE_NAME ? identifyDatabase(place.directory) : null;
    const folder = path === PENDING_REVOCATIONS_NAME ? place.stateFolder : place.directory;
    const fresh = readBounded(join(folder, path), limitBytes);
    if (start !== null) identity = isSameFile(start, identifyDatabase(place.directory)) ? start : null;
    files.set(path, fresh);
    return fresh;
  };
  const bytes = (name: PublishedName) => read(name, PUBLISHED_LIMITS_BYTES[name]);
  const content = once(() => {
    const database = bytes(DATABASE_NAME);
    return database === null ? null : (known.content ?? contentOf(database));
  });
  const sha256 = () =>
    files.has(DATABASE_NAME) ? (content()?.sha256() ?? null) : (known.sha256 ?? content()?.sha256() ?? null);
  const published: Published = {
    ...place,
    ...{ bytes, content, sha256 },
    identity: () => {
      bytes(DATABASE_NAME);
      return identity;
    },
    signature: () => {
      const name = sha256();
      return name === null ? null : read(signaturePath(name), SIGNATURE_LIMIT_BYTES);
    },
    certificates: once(() => certificatesIn(bytes(KEYS_NAME))),
    pendingRevocations: once(() => certificatesIn(bytes(PENDING_REVOCATIONS_NAME))),
    verified: known.verified ?? once(() => requireVerified(published)),
    with: (changes, signed) => {
      const paths = Object.keys(changes);
      const isOther = paths.includes(DATABASE_NAME);
      const isSameEvidence = !paths.some((path) => EVIDENCE.test(path));
      return publishedOf(place, {
        files: new Map([...files, ...buffersOf(changes)]),
        sha256: isOther ? null : (known.sha256 ?? null),
        identity: isOther ? null : identity,
        content: signed?.content ?? (files.has(DATABASE_NAME) && !isOther ? content() : null),
        verified:
          signed === undefined ? (isSameEvidence ? published.verified : null) : () => Promise.resolve(signed),
      });
    },
  };
  return published;
}

function buffersOf(changes: FileChanges): (readonly [string, Buffer | null])[] {
  return Object.entries(changes).map(([path, bytes]) => [path, bytes === null ? null : bufferOf(bytes)]);
}

/** A view of the same memory. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function isSameFile(a: FileIdentity, b: FileIdentity | null): boolean {
  return b !== null && isSameIdentity(a, b);
}

function isSameBytes(a: Buffer | null, b: Buffer | null): boolean {
  return a === b || (a !== null && b !== null && a.equals(b));
}

async function certificatesIn(bytes: Buffer | null): Promise<readonly Certificate[]> {
  if (bytes === null) return [];
  const { readCertificates } = await import('../pgp/certificates.js');
  return await readCertificates(bytes);
}

import {
  DATABASE_LIMIT_BYTES,
  DATABASE_NAME,
  KEYS_LIMIT_BYTES,
  KEYS_NAME,
  SIGNATURE_LIMIT_BYTES,
  digestFile,
  lookUp,
  sha256Of,
  signaturePath,
  verifyDatabase,
} from '../../verify.js';
import type { TrustedDatabase, Verdict } from '../../verify.js';
import { namedAddress } from '../../model/address.js';
import { Buffer } from './buffer.js';
import { messageOf, unreadable } from './messages.js';
import type { Answer, FileRequest, Request, Verified } from './messages.js';
import { piecesOf, piecesOfFile } from './pieces.js';

// Does the slow work of the trust page off the thread that responds to the reader: fetching, hashing, OpenPGP, reading
// the database.

interface Trusted {
  readonly database: TrustedDatabase;
  readonly stale: boolean;
}

let trusted: Promise<Trusted | null> = Promise.resolve(null);

self.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  if (data.kind === 'verify') {
    trusted = verify(data).then(({ answer, found }) => {
      post(answer);
      return found;
    });
  } else {
    check(data).then(post, (error: unknown) => post(unreadable(data, error)));
  }
});

function post(answer: Answer): void {
  (self as unknown as { postMessage: (message: Answer) => void }).postMessage(answer);
}

interface Outcome {
  readonly answer: Verified;
  readonly found: Trusted | null;
}

async function verify(request: Request & { kind: 'verify' }): Promise<Outcome> {
  try {
    const { base, fingerprints, threshold } = request;
    const keys = await fetchBytes(new URL(KEYS_NAME, base), { limitBytes: KEYS_LIMIT_BYTES, again: false });
    if (keys === null) return unavailable(`there is no ${KEYS_NAME} beside this page`);
    const fetched = await fetchSigned(base);
    if (fetched === null) return unavailable(`there is no ${DATABASE_NAME} beside this page`);
    const { bytes, signature } = fetched;
    // We do not compare addresses: the server of a copy serves this page too, and the page says where it is from.
    const now = new Date();
    const verdict = await verifyDatabase(bytes, signature, { keys, fingerprints, threshold, now });
    const { database, status } = verdict;
    const found = database === null ? null : { database, stale: status === 'stale' };
    return { answer: answerOf(verdict), found };
  } catch (error) {
    return unavailable(messageOf(error));
  }
}

function unavailable(message: string): Outcome {
  return { answer: { kind: 'unavailable', message }, found: null };
}

function answerOf(verdict: Verdict): Verified {
  const { status, code, message, sha256, database, signatures } = verdict;
  const { Issued: issued = null, Database: own = '' } = database?.Packsign ?? {};
  const signedAt = signatures.flatMap((one) => (one.counts && one.signedAt !== null ? [one.signedAt] : []));
  const address = namedAddress(own);
  return { kind: 'verdict', status, code, message, sha256, issued, address, signedAt };
}

interface Fetched {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array | null;
}

const ATTEMPTS = 3;

/** The database and the signature of exactly its bytes. Without that signature, fetches both again, past caches. */
async function fetchSigned(base: string): Promise<Fetched | null> {
  for (let attempt = 1; ; attempt += 1) {
    const again = attempt > 1;
    const bytes = await fetchBytes(new URL(DATABASE_NAME, base), { limitBytes: DATABASE_LIMIT_BYTES, again });
    if (bytes === null) return null;
    const address = new URL(signaturePath(sha256Of(bytes)), base);
    const signature = await fetchBytes(address, { limitBytes: SIGNATURE_LIMIT_BYTES, again });
    if (signature !== null || attempt === ATTEMPTS) return { bytes, signature };
  }
}

/** Null if there is no such file. */
async function fetchBytes(
  url: URL,
  { limitBytes, again }: { limitBytes: number; again: boolean },
): Promise<Uint8Array | null> {
  const name = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
  const response = await fetch(url, { cache: again ? 'reload' : 'no-cache', redirect: 'follow' });
  if (response.status === 404 || response.status === 410) return null;
  if (!response.ok) throw new Error(`the server answers ${response.status} when asked for ${name}`);
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of piecesOf(response.body)) {
    length += piece.length;
    if (length > limitBytes) throw new Error(`${name} is larger than ${limitBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function check({ id, file, path }: FileRequest): Promise<Answer> {
  const tell = (done: number) => post({ kind: 'progress', id, done, of: file.size });
  const { size, sha256 } = await digestFile(piecesOfFile(file, tell));
  const found = await trusted;
  const { name } = file;
  const lookup = found === null ? null : lookUp(found.database, { name, size, sha256 }, path ?? undefined);
  return { kind: 'checked', id, name, size, sha256, lookup, stale: found?.stale === true };
}

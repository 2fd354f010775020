import { createHash } from 'node:crypto';
import { PacksignError, exitStatusOf } from '../errors.js';
import { addressesBeside } from '../model/address.js';
import type { FileEntry } from '../model/file-entry.js';
import { encodingName, networkError } from '../net/failure.js';
import type { Network } from '../net/transport.js';

/** Where the bytes of a file go. */
export interface Sink {
  readonly length: () => number;
  readonly sha256: () => Promise<string>;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly restart: () => void;
}

/** The outcome for one file, over all places that were asked. */
export type Streamed =
  /** The sink holds the bytes that were signed. */
  | { readonly kind: 'good'; readonly from: string }
  /** A place sent other bytes; the sink holds the last of them. */
  | { readonly kind: 'altered'; readonly from: string; readonly found: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly error: PacksignError };

export interface WantedFile {
  readonly path: string;
  readonly entry: FileEntry;
}

/**
 * Streams a file from the first place that gives the right bytes, at most `Size` + 1 of them from each
 * (docs/FORMAT.md §8 step 11). If the sink holds bytes already, the download resumes there, and starts anew if they prove wrong.
 * `places`: addresses of databases; the file is looked for beside each.
 */
export async function streamFile(
  network: Network,
  wanted: WantedFile,
  { places, sink }: { readonly places: readonly string[]; readonly sink: Sink },
): Promise<Streamed> {
  const answers: Streamed[] = [];
  const addresses = places.flatMap((place) => addressesBeside(place, wanted.path));
  for (const address of addresses) {
    const hadBytes = sink.length() > 0;
    let answer = await streamFrom(network, address, { wanted, sink });
    if (answer.kind === 'altered' && hadBytes) {
      // The bytes that an earlier run left may be the wrong ones.
      sink.restart();
      answer = await streamFrom(network, address, { wanted, sink });
    }
    if (answer.kind === 'good') return answer;
    if (answer.kind === 'altered' && address !== addresses.at(-1)) sink.restart();
    answers.push(answer);
  }
  // The worst answer first: other bytes are worse than none.
  const of = (kind: Streamed['kind']) => answers.find((answer) => answer.kind === kind);
  return of('altered') ?? of('failed') ?? { kind: 'missing' };
}

/** So much more has to come before the attempts are counted anew. */
const PROGRESS_BYTES = 64 * 1024;

interface Streaming {
  readonly wanted: WantedFile;
  readonly sink: Sink;
}

async function streamFrom(network: Network, from: string, streaming: Streaming): Promise<Streamed> {
  try {
    const progress = () => Math.floor(streaming.sink.length() / PROGRESS_BYTES);
    return await network.retrying(() => streamOnce(network, from, streaming), progress);
  } catch (error) {
    if (error instanceof PacksignError && exitStatusOf(error) === 2 && error.code !== 'FILE_UNWRITABLE') {
      return { kind: 'failed', error };
    }
    throw error;
  }
}

async function streamOnce(network: Network, from: string, { wanted, sink }: Streaming): Promise<Streamed> {
  const { Size, SHA256 } = wanted.entry;
  if (sink.length() > Size) sink.restart();
  let altered = (found: string): Streamed => ({ kind: 'altered', from, found });
  if (sink.length() === 0 || sink.length() < Size) {
    const reply = await network.get(from, { from: sink.length() });
    if (reply.kind !== 'found') return { kind: 'missing' };
    const encoding = (reply.headers['content-encoding'] ?? '').trim();
    // Other bytes under this header may be the right ones, compressed on the way.
    if (!/^(?:identity)?$/i.test(encoding)) {
      altered = () => ({ kind: 'failed', error: compressed(from, encoding) });
    }
    if (reply.length !== null && reply.length !== Size) {
      reply.cancel();
      return altered(`${reply.length} bytes`);
    }
    if (reply.from !== sink.length()) sink.restart();
    for await (const bytes of reply.body) {
      if (sink.length() + bytes.length > Size) return altered(`more than ${Size} bytes`);
      await sink.write(bytes);
    }
    if (sink.length() < Size && !reply.isWhole) throw endedEarly(from, sink.length(), Size);
  }
  const sha256 = await sink.sha256();
  return sha256 === SHA256 ? { kind: 'good', from } : altered(`sha256 ${sha256}, ${sink.length()} bytes`);
}

function compressed(from: string, encoding: string): PacksignError {
  return networkError(
    `${from} is sent compressed (Content-Encoding: ${encodingName(encoding)}), though packsign asks for the file as it is`,
    'tell the operator of the server; another mirror may serve it as it is',
  );
}

function endedEarly(from: string, bytes: number, ofBytes: number): PacksignError {
  return networkError(`${from} ended after ${bytes} of ${ofBytes} bytes`, 'try again', { isFinal: false });
}

/** A sink that only hashes. `onBytes` gets how many bytes came; fewer than none, when it begins anew. */
export function hashingSink(onBytes: (count: number) => void): Sink {
  let hash = createHash('sha256');
  let length = 0;
  return {
    length: () => length,
    sha256: () => Promise.resolve(hash.copy().digest('hex')),
    write: (bytes) => {
      hash.update(bytes);
      length += bytes.length;
      onBytes(bytes.length);
      return Promise.resolve();
    },
    restart: () => {
      hash = createHash('sha256');
      onBytes(-length);
      length = 0;
    },
  };
}

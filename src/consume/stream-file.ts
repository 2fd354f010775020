import { createHash } from 'node:crypto';
import { PacksignError } from '../errors.js';
import { besideAddress } from '../model/address.js';
import type { FileEntry } from '../model/file-entry.js';
import type { Network } from '../net/transport.js';

/** Where the bytes of a file go. */
export interface Sink {
  readonly length: () => number;
  readonly sha256: () => string;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly restart: () => Promise<void>;
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
  for (const place of places) {
    const hadBytes = sink.length() > 0;
    let answer = await streamFrom(network, besideAddress(place, wanted.path), { wanted, sink });
    if (answer.kind === 'altered' && hadBytes) {
      // The bytes that an earlier run left may be the wrong ones.
      await sink.restart();
      answer = await streamFrom(network, besideAddress(place, wanted.path), { wanted, sink });
    }
    if (answer.kind === 'good') return answer;
    if (answer.kind === 'altered' && place !== places.at(-1)) await sink.restart();
    answers.push(answer);
  }
  // The worst answer first: other bytes are worse than none.
  const of = (kind: Streamed['kind']) => answers.find((answer) => answer.kind === kind);
  return of('altered') ?? of('failed') ?? { kind: 'missing' };
}

interface Streaming {
  readonly wanted: WantedFile;
  readonly sink: Sink;
}

async function streamFrom(network: Network, from: string, streaming: Streaming): Promise<Streamed> {
  try {
    return await network.retrying(() => streamOnce(network, from, streaming));
  } catch (error) {
    if (error instanceof PacksignError && error.exitStatus === 2 && error.code !== 'FILE_UNWRITABLE') {
      return { kind: 'failed', error };
    }
    throw error;
  }
}

async function streamOnce(network: Network, from: string, { wanted, sink }: Streaming): Promise<Streamed> {
  const { Size } = wanted.entry;
  if (sink.length() > Size) await sink.restart();
  if (sink.length() === 0 || sink.length() < Size) {
    const reply = await network.get(from, { from: sink.length() });
    if (reply.kind !== 'found') return { kind: 'missing' };
    if (reply.length !== null && reply.length !== Size) {
      reply.cancel();
      return { kind: 'altered', from, found: `${reply.length} bytes` };
    }
    if (reply.from !== sink.length()) await sink.restart();
    for await (const bytes of reply.body) {
      if (sink.length() + bytes.length > Size)
        return { kind: 'altered', from, found: `more than ${Size} bytes` };
      await sink.write(bytes);
    }
  }
  if (sink.length() < Size) return { kind: 'altered', from, found: `${sink.length()} bytes` };
  const sha256 = sink.sha256();
  return sha256 === wanted.entry.SHA256
    ? { kind: 'good', from }
    : { kind: 'altered', from, found: `sha256 ${sha256}, ${sink.length()} bytes` };
}

/** A sink that only hashes. */
export function hashingSink(): Sink {
  let hash = createHash('sha256');
  let length = 0;
  return {
    length: () => length,
    sha256: () => hash.copy().digest('hex'),
    write: (bytes) => {
      hash.update(bytes);
      length += bytes.length;
      return Promise.resolve();
    },
    restart: () => {
      hash = createHash('sha256');
      length = 0;
      return Promise.resolve();
    },
  };
}

import type { Loss, Part } from '../places/objects.js';
import { PIECE_BYTES } from './object-reader.js';
import type { FetchPart } from './object-reader.js';

/** Memory that one thread shares with the main one, which fetches for it while it waits. */
export interface ObjectChannel {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly room: Uint8Array<SharedArrayBuffer>;
}

/** A thread asks for a part of an object. */
export interface PartRequest {
  readonly channel: number;
  /** Its place among the objects. */
  readonly object: number;
  readonly at: number;
  readonly length: number;
}

/** The two numbers of `control`: the state, and how many bytes are there. */
const STATE = 0;
const LENGTH = 1;
const WAITING = 0;
const HERE = 1;
const LOSSES: readonly Loss[] = ['gone', 'changed', 'failed'];

export function openChannel(): ObjectChannel {
  return {
    control: new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)),
    room: new Uint8Array(new SharedArrayBuffer(PIECE_BYTES)),
  };
}

/** The thread's side: asks for parts of an object, and sleeps until each is there. */
export function fetcherOf(
  { control, room }: ObjectChannel,
  of: Pick<PartRequest, 'channel' | 'object'>,
  post: (request: PartRequest) => void,
): FetchPart<Part<Buffer>> {
  return (at, into) => {
    Atomics.store(control, STATE, WAITING);
    post({ ...of, at, length: into.length });
    Atomics.wait(control, STATE, WAITING);
    const state = Atomics.load(control, STATE);
    if (state !== HERE) return LOSSES[state - HERE - 1] ?? 'failed';
    const bytes = into.subarray(0, control[LENGTH]);
    bytes.set(room.subarray(0, bytes.length));
    return bytes;
  };
}

/** The main thread's side: gives a thread what it waits for. */
export function answer({ control, room }: ObjectChannel, part: Part): void {
  if (typeof part !== 'string') {
    room.set(part);
    control[LENGTH] = part.length;
  }
  Atomics.store(control, STATE, typeof part === 'string' ? HERE + 1 + LOSSES.indexOf(part) : HERE);
  Atomics.notify(control, STATE);
}

// Without it, the row "Full build and signature, MD5 and SHA-256" of `npm run bench` takes 1.5 times the processor time for
// 16 archives of 128 MiB.
import { BLOCK_BYTES, LANES, SLOT_BYTES, lanesModule, slotAt, stateWordAt } from './lanes-module.js';
import type { LanesExports } from './lanes-module.js';

export { LANES };

/** MD5 of up to `LANES` messages at once, several times as fast as one after the other. */
export interface Lanes {
  /** Put the next bytes of a message here, as many as fit. */
  readonly slot: (lane: number) => Buffer;
  /** Begins new messages in all lanes. */
  readonly start: () => void;
  /** Hashes the contents of the slots, one part for each lane in use. */
  readonly update: (parts: readonly Filled[]) => void;
  /** The MD5 of a message after its last part, in hexadecimal. */
  readonly digest: (lane: number) => string;
}

/** The contents of a slot: whole blocks of 64 bytes, unless it is the last part of its message. */
export interface Filled {
  readonly length: number;
  readonly isLast: boolean;
}

type State = readonly number[];

/** RFC 1321, 3.3. */
const INITIAL: State = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];

interface WebAssemblyOfNode {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: LanesExports };
}

/** Null if the platform has no WebAssembly, none with vectors, or not enough address space. */
export function openLanes(): Lanes | null {
  try {
    const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyOfNode }).WebAssembly;
    return lanesIn(new Instance(new Module(lanesModule())).exports);
  } catch {
    return null;
  }
}

function lanesIn({ memory, advance }: LanesExports): Lanes {
  const words = new Uint32Array(memory.buffer);
  const lanes = Array.from({ length: LANES }, (_, lane) => lane);
  const totals = lanes.map(() => 0);
  const stateOf = (lane: number) => INITIAL.map((_, word) => words[stateWordAt(lane, word)] ?? 0);
  const setState = (lane: number, state: State) => {
    for (const [word, value] of state.entries()) words[stateWordAt(lane, word)] = value;
  };
  /** How many blocks a slot holds, after adding the padding at the message's end (RFC 1321, 3.1 and 3.2). */
  const blocksOf = (lane: number, { length, isLast }: Filled): number => {
    const total = (totals[lane] ?? 0) + length;
    totals[lane] = total;
    if (!isLast) return length / BLOCK_BYTES;
    const blocks = Math.floor((length + 8) / BLOCK_BYTES) + 1;
    const padding = Buffer.from(memory.buffer, slotAt(lane) + length, blocks * BLOCK_BYTES - length);
    padding.fill(0)[0] = 0x80;
    padding.writeBigUInt64LE(BigInt(total) * 8n, padding.length - 8);
    return blocks;
  };
  return {
    slot: (lane) => Buffer.from(memory.buffer, slotAt(lane), SLOT_BYTES),
    start: () => {
      totals.fill(0);
      for (const lane of lanes) setState(lane, INITIAL);
    },
    update: (parts) => {
      const blocks = parts.map((part, lane) => blocksOf(lane, part));
      const states = parts.map((_, lane) => stateOf(lane));
      let done = 0;
      // All advance together. Restore the state of each lane that went beyond its part.
      for (const until of [...new Set(blocks)].sort((a, b) => a - b)) {
        if (until > done) advance(done * BLOCK_BYTES, until - done);
        for (const [lane, count] of blocks.entries()) if (count === until) states[lane] = stateOf(lane);
        done = until;
      }
      for (const [lane, state] of states.entries()) setState(lane, state);
    },
    digest: (lane) => {
      const bytes = Buffer.alloc(INITIAL.length * 4);
      for (const [word, value] of stateOf(lane).entries()) bytes.writeUInt32LE(value, word * 4);
      return bytes.toString('hex');
    },
  };
}

import { damage, unseen } from './fault.js';

const INPUT_BYTES = 64 * 1024;
const OUTPUT_BYTES = 128 * 1024;
const CUT = 'ends early: the rest of the zstd data is missing';
/** Errors are numbers from the end of the unsigned range (zstd_errors.h). */
const FIRST_ERROR = 2 ** 32 - 120;
const UNKNOWN_FORMAT = 10;
const WINDOW_TOO_LARGE = 16;
const WRONG_CHECKSUM = 22;
const DICTIONARY_WRONG = 32;
const OUT_OF_MEMORY = 64;

/** What we use of the decoder in WebAssembly. Numbers are places in its memory, of 32 bits. */
interface Decoder {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly malloc: (bytes: number) => number;
  readonly ZSTD_createDCtx: () => number;
  readonly ZSTD_decompressStream: (context: number, output: number, input: number) => number;
}

/** What the package hands to its hook. */
interface Loaded {
  readonly module: object;
}

declare const WebAssembly: {
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

let loaded: Promise<object> | null = null;

/**
 * The package's own functions hide errors, so we call the decoder itself, as its hook shows it. Each stream gets an
 * instance of its own: the memory of one never shrinks.
 */
async function createDecoder(): Promise<Decoder> {
  loaded ??= load();
  const imports = { env: { emscripten_notify_memory_growth: () => undefined } };
  return new WebAssembly.Instance(await loaded, imports).exports as Decoder;
}

async function load(): Promise<object> {
  const { ZSTDDecoder } = await import('zstddec/stream');
  const decoder = new ZSTDDecoder();
  const results: Loaded[] = [];
  Object.assign(decoder, { _init: (result: Loaded) => results.push(result) });
  await decoder.init();
  const [result] = results;
  if (result === undefined) throw new Error('zstddec has changed');
  return result.module;
}

/**
 * Unpacks zstd (RFC 8878), one frame or several, also skippable ones, in pieces of at most 128 KiB, each its own buffer.
 * Throws `damage` for wrong, missing or further bytes, and `unseen` for a window of more than 128 MiB. A caller that stops
 * early stops the reading of `chunks`.
 */
export async function* unzstd(chunks: Iterable<Buffer>): AsyncGenerator<Buffer> {
  const { memory, malloc, ZSTD_createDCtx, ZSTD_decompressStream } = await createDecoder();
  const [context, source, target] = [ZSTD_createDCtx(), malloc(INPUT_BYTES), malloc(OUTPUT_BYTES)];
  const [input, output] = [malloc(12), malloc(12)];
  // The memory is another one after it has grown.
  const write = (at: number, values: readonly number[]) => {
    new Uint32Array(memory.buffer, at, values.length).set(values);
  };
  const positionOf = (at: number) => new DataView(memory.buffer).getUint32(at + 8, true);
  let last = 0;
  let hasBytes = false;
  for (const part of inParts(chunks)) {
    hasBytes = true;
    new Uint8Array(memory.buffer, source, part.length).set(part);
    write(input, [source, part.length, 0]);
    let bytes: number;
    do {
      write(output, [target, OUTPUT_BYTES, 0]);
      last = ZSTD_decompressStream(context, output, input) >>> 0;
      if (last >= FIRST_ERROR) throw faultOf(2 ** 32 - last);
      bytes = positionOf(output);
      if (bytes > 0) yield Buffer.from(new Uint8Array(memory.buffer, target, bytes));
    } while (positionOf(input) < part.length || (last !== 0 && bytes === OUTPUT_BYTES));
  }
  if (last !== 0 || !hasBytes) throw damage(CUT);
}

function* inParts(chunks: Iterable<Buffer>): Generator<Buffer> {
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += INPUT_BYTES) yield chunk.subarray(at, at + INPUT_BYTES);
  }
}

function faultOf(code: number): Error {
  switch (code) {
    case WINDOW_TOO_LARGE:
    case OUT_OF_MEMORY:
      return unseen('needs more than 128 MiB of memory to unpack');
    case DICTIONARY_WRONG:
      return unseen('needs a dictionary to unpack');
    case UNKNOWN_FORMAT:
      return damage('has other data after the end of the zstd data');
    case WRONG_CHECKSUM:
      return damage('its contents do not match their checksum');
    default:
      return damage('its zstd data is damaged');
  }
}

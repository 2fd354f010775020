import { createSha256 } from './crypto.js';
import { unreadable } from './messages.js';
import type { FileAnswer, FileRequest } from './messages.js';
import { piecesOfFile } from './pieces.js';

/**
 * Hashes a file in the page itself where no worker can compare it with a verified database: on plain http, and in a page
 * that was opened from a file. The result says nothing about signatures.
 */
export function hashHere(request: FileRequest, hear: (answer: FileAnswer) => void): void {
  hash(request, hear).then(hear, (error: unknown) => hear(unreadable(request, error)));
}

/** This thread also responds to the reader, so it pauses after this time. */
const WORK_MS = 30;
const STEP_BYTES = 0x40000;

async function hash(
  { id, file, path }: FileRequest,
  hear: (answer: FileAnswer) => void,
): Promise<FileAnswer> {
  const state = createSha256();
  const tell = (done: number) => hear({ kind: 'progress', id, done, of: file.size });
  let restedMs = performance.now();
  for await (const piece of piecesOfFile(file, tell)) {
    for (let at = 0; at < piece.length; at += STEP_BYTES) {
      state.update(piece.subarray(at, at + STEP_BYTES));
      if (performance.now() - restedMs < WORK_MS) continue;
      await new Promise((resolve) => setTimeout(resolve, 0));
      restedMs = performance.now();
    }
  }
  return { kind: 'hashed', id, name: file.name, sha256: state.digest('hex'), path };
}

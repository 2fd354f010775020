import { createSha256 } from './crypto.js';
import type { FileAnswer, FileRequest } from './messages.js';
import { piecesOfFile } from './pieces.js';

/**
 * Hashes a file in the page itself, piece by piece, where no worker can hold it against a database that was
 * verified: on plain http, and in a page that was opened from a file. What comes of it says nothing of signatures.
 */
export function hashHere(request: FileRequest, hear: (answer: FileAnswer) => void): void {
  const { id, file } = request;
  hash(request, hear).then(hear, (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    hear({ kind: 'unreadable', id, name: file.name, message });
  });
}

/** The thread that hashes also answers the reader: it looks up now and then, where pieces come faster than it works. */
const WORK_MS = 30;
const STEP_BYTES = 0x40000;

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

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
      await rest();
      restedMs = performance.now();
    }
  }
  return { kind: 'hashed', id, name: file.name, sha256: state.digest('hex'), path };
}

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

async function hash(
  { id, file, path }: FileRequest,
  hear: (answer: FileAnswer) => void,
): Promise<FileAnswer> {
  const state = createSha256();
  const tell = (done: number) => hear({ kind: 'progress', id, done, of: file.size });
  for await (const piece of piecesOfFile(file, tell)) state.update(piece);
  return { kind: 'hashed', id, name: file.name, sha256: state.digest('hex'), path };
}

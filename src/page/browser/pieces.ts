/** The pieces of a stream. Some browsers cannot iterate a stream. */
export async function* piecesOf(
  stream: ReadableStream<Uint8Array> | null,
): AsyncGenerator<Uint8Array, void, void> {
  if (stream === null) return;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

const PROGRESS_MS = 200;

/** The pieces of a file; reports now and then how many bytes are done. */
export async function* piecesOfFile(
  file: File,
  onProgress: (done: number) => void,
): AsyncGenerator<Uint8Array, void, void> {
  let done = 0;
  let saidMs = performance.now();
  for await (const piece of piecesOf(file.stream())) {
    yield piece;
    done += piece.length;
    if (performance.now() - saidMs < PROGRESS_MS) continue;
    saidMs = performance.now();
    onProgress(done);
  }
}

// Passes connections on to a server, in a thread of its own, and counts the bytes of both directions.
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';

/** Gives the port at which to reach the server, and the bytes that went `[to, from]` it so far. */
export async function countTraffic(serverPort) {
  const counts = new BigUint64Array(new SharedArrayBuffer(16));
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { serverPort, counts } });
  const [port] = await once(worker, 'message');
  return { port, bytes: () => Array.from(counts, Number), stop: () => worker.terminate() };
}

if (!isMainThread) {
  const { serverPort, counts } = workerData;
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    pass(client, upstream, 0);
    pass(upstream, client, 1);
  });
  const pass = (from, to, index) => {
    from.on('data', (bytes) => Atomics.add(counts, index, BigInt(bytes.length)));
    from.on('error', () => to.destroy());
    from.pipe(to);
  };
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
}

// The least that Node needs for parts of a build, without packsign: what no program in Node is faster than.
// node bench/least.mjs status FOLDER · archives FOLDER · signature SECRET-KEY-FILE
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, lstatSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker, isMainThread, workerData } from 'node:worker_threads';
import { gunzipSync } from 'node:zlib';

const BLOCK_BYTES = 256 * 1024;
/** What is larger is not unpacked: packsign looks at its ends. */
const SMALL_BYTES = 128 * 1024;

const PARTS = {
  status: (folder) => statusOf(archivesIn(folder)),
  archives: (folder) => {
    const paths = archivesIn(folder);
    const count = availableParallelism();
    const shareOf = (index) => paths.filter((_, at) => at % count === index);
    for (let index = 1; index < count; index += 1)
      new Worker(new URL(import.meta.url), { workerData: shareOf(index) });
    statusOf(paths);
    readAll(shareOf(0));
  },
  signature: async (file) => {
    const { createMessage, readPrivateKey, readSignature, sign, verify } = createRequire(import.meta.url)(
      'openpgp',
    );
    const key = await readPrivateKey({ armoredKey: readFileSync(file, 'utf8') });
    const message = await createMessage({ binary: Buffer.alloc(1000) });
    const binarySignature = await sign({ message, signingKeys: key, detached: true, format: 'binary' });
    const signature = await readSignature({ binarySignature });
    const { signatures } = await verify({ message, signature, verificationKeys: key.toPublic() });
    await signatures[0].verified;
  },
};

function archivesIn(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.tar.gz'))
    .map((name) => join(folder, name));
}

function statusOf(paths) {
  for (const path of paths) lstatSync(path, { bigint: true });
}

/** Opens, reads, hashes and closes each, and unpacks the small ones. */
function readAll(paths) {
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  for (const path of paths) {
    const fd = openSync(path, 'r');
    const { size } = fstatSync(fd);
    const hash = createHash('sha256');
    for (let length; (length = readSync(fd, block)) > 0;) hash.update(block.subarray(0, length));
    closeSync(fd);
    hash.digest('hex');
    if (size <= SMALL_BYTES) gunzipSync(block.subarray(0, size));
  }
}

if (isMainThread) {
  const [part, given] = process.argv.slice(2);
  await PARTS[part](given);
} else readAll(workerData);

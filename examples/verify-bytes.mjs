// Decides on a database whose bytes a program has already, with the part of packsign that reads no files and asks no
// network: what runs here runs in a browser too.
//
//   node verify-bytes.mjs packages.plist maintainer.asc demo-1.0.tar.gz
//
// Exit status 0 only where the database is authentic and lists these very bytes.
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { digestFile, lookUp, sha256Of, signaturePath, verifyOffline } from 'packsign/verify';

const [file, keys, archive] = process.argv.slice(2);
if (archive === undefined) throw new Error('usage: verify-bytes.mjs DATABASE KEYS ARCHIVE');

const bytes = await readFile(file);
// The signature is found by the hash of the bytes, so that the two always belong together.
const signature = await readFile(join(dirname(file), signaturePath(sha256Of(bytes)))).catch(() => null);
const verdict = await verifyOffline(bytes, signature, {
  keys: await readFile(keys),
  // All keys in the file are trusted; a program that knows fingerprints names them.
  fingerprints: null,
  now: new Date(),
});
console.log(`${verdict.status}${verdict.code === null ? '' : ` ${verdict.code}: ${verdict.message}`}`);
process.exitCode = 1;
if (verdict.database !== null) {
  const digest = await digestFile(createReadStream(archive));
  const found = lookUp(verdict.database, { name: basename(archive), ...digest });
  console.log(`${archive} is ${found.kind}`);
  if (verdict.status === 'authentic' && found.kind === 'listed') process.exitCode = 0;
}

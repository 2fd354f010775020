// Verifies a database whose bytes a program has already, with the part of packsign that uses no files and no network:
// this code runs in a browser too.
//
//   node verify-bytes.mjs packages.plist maintainer.asc demo-1.0.tar.gz
//
// The exit status is 0 only if the database is authentic and lists exactly these bytes under this name.
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { digestFile, lookUp, sha256Of, signaturePath, verifyDatabase } from 'packsign/verify';

const [file, keys, download] = process.argv.slice(2);
if (download === undefined) throw new Error('usage: verify-bytes.mjs DATABASE KEYS FILE');

const bytes = await readFile(file);
// Find the signature by the hash of the bytes, so that the two always belong together.
const signature = await readFile(join(dirname(file), signaturePath(sha256Of(bytes)))).catch(() => null);
const verdict = await verifyDatabase(bytes, signature, {
  keys: await readFile(keys),
  // Trusts all keys in the file; a program that knows fingerprints gives them here.
  fingerprints: null,
  now: new Date(),
});
console.log(`${verdict.status}${verdict.code === null ? '' : ` ${verdict.code}: ${verdict.message}`}`);
process.exitCode = 1;
if (verdict.database !== null) {
  const digest = await digestFile(createReadStream(download));
  const found = lookUp(verdict.database, { name: basename(download), ...digest });
  console.log(`${download} is ${found.kind}`);
  if (verdict.status === 'authentic' && found.kind === 'listed') process.exitCode = 0;
}

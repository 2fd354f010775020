// Trusts a database by the maintainer's public key, and downloads a package after checking its signed hash.
//
//   node trust-and-get.mjs https://example.org/dist maintainer.asc demo downloads
//
// The folder `trust` beside the downloads keeps the trusted key and the last accepted database, so that later runs
// refuse an older or a substituted database.
import { join } from 'node:path';
import {
  PacksignError,
  exitStatusOf,
  fetchDatabase,
  fetchFile,
  makeRun,
  trustAdd,
  trustList,
} from 'packsign';

const [address, keys, name, folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: trust-and-get.mjs ADDRESS KEYS PACKAGE FOLDER');

const store = { kind: 'store', folder: join(folder, 'trust'), cacheFolder: join(folder, 'cache') };
const run = makeRun({ clock: () => new Date(), trust: store });
const noPins = { keysFile: null, fingerprints: [], threshold: null };

try {
  if ((await trustList(store)).length === 0) {
    const pinned = await trustAdd(address, {
      run,
      keys,
      fingerprints: [],
      blindly: false,
      via: null,
      threshold: null,
      name: null,
      // A program with a window shows the fingerprints and asks here.
      confirm: async ({ keys }) => keys.length > 0,
    });
    console.log(`pinned ${pinned.keys.map(({ fingerprint }) => fingerprint).join(', ')}`);
  }
  const database = await fetchDatabase(address, { ...noPins, run });
  console.log(`${database.status} ${database.code ?? ''}`.trim());
  const [path = ''] = Array.from(database.trusted?.Files ?? []).find(([, { Name }]) => Name === name) ?? [];
  // Throws the code of a refused database, PACKAGE_NOT_FOUND, FILE_ALTERED.
  const file = await fetchFile(database, {
    ...noPins,
    run,
    path,
    output: folder,
    allowStale: false,
    keepUnverified: false,
  });
  console.log(`${file.file} is what was signed`);
} catch (error) {
  if (!(error instanceof PacksignError)) throw error;
  console.log(`${error.code}: ${error.message}`);
  process.exitCode = exitStatusOf(error);
}

// Trusts a database by the maintainer's public key, and downloads a package that is what was signed.
//
//   node trust-and-get.mjs https://example.org/dist maintainer.asc demo downloads
//
// What is trusted, and what was last accepted from there, is kept in the folder `trust` beside the downloads: an
// older or a substituted database is refused from then on.
import { join } from 'node:path';
import { DIRECT_NETWORK, PacksignError, fetchFile, fetchDatabase, trustAdd, trustList } from 'packsign';

const [address, keys, name, folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: trust-and-get.mjs ADDRESS KEYS PACKAGE FOLDER');

const store = { kind: 'store', folder: join(folder, 'trust'), cacheFolder: join(folder, 'cache') };
const common = { network: DIRECT_NETWORK, now: new Date() };
const noPins = { keysFile: null, fingerprints: [], threshold: null };

try {
  if ((await trustList(store)).length === 0) {
    const pinned = await trustAdd(address, {
      ...common,
      store,
      keys,
      fingerprints: [],
      blindly: false,
      via: null,
      threshold: null,
      name: null,
      // A program with a window asks here, and shows the fingerprints.
      confirm: async ({ keys }) => keys.length > 0,
    });
    console.log(`pinned ${pinned.keys.map(({ fingerprint }) => fingerprint).join(', ')}`);
  }
  const database = await fetchDatabase(address, { ...common, ...noPins, trust: store });
  console.log(`${database.status} ${database.code ?? ''}`.trim());
  const [path = ''] =
    Array.from(database.trusted?.Archives ?? []).find(([, { Name }]) => Name === name) ?? [];
  // Throws the code of a database that was refused, PACKAGE_NOT_FOUND, ARCHIVE_ALTERED.
  const file = await fetchFile(database, {
    ...common,
    ...noPins,
    trust: store,
    path,
    output: folder,
    allowStale: false,
    keepUnverified: false,
  });
  console.log(`${file.file} is what was signed`);
} catch (error) {
  if (!(error instanceof PacksignError)) throw error;
  console.log(`${error.code}: ${error.message}`);
  process.exitCode = error.exitStatus;
}

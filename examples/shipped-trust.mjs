// Checks for a new database with the trust that a program ships: a file made by `packsign trust export`.
//
//   node shipped-trust.mjs trust.json example.org-dist
//
// It never writes to that file. The exit status is 0 only if the database is authentic.
import { fetchDatabase, formatInstant, makeRun } from 'packsign';

const [file, name] = process.argv.slice(2);
if (name === undefined) throw new Error('usage: shipped-trust.mjs FILE NAME');

const { ok, status, message, trusted, notify } = await fetchDatabase(name, {
  run: makeRun({ clock: () => new Date(), trust: { kind: 'bundle', file } }),
  keysFile: null,
  fingerprints: [],
  threshold: null,
});
console.log(`${status}${message === null ? '' : `: ${message}`}`);
if (trusted !== null) {
  console.log(`issued ${formatInstant(trusted.Packsign.Issued)} by ${trusted.Maintainer ?? 'nobody'}`);
  for (const [path, { SHA256, Yanked }] of trusted.Files) {
    console.log(`${SHA256}  ${path}${Yanked === undefined ? '' : `  (withdrawn: ${Yanked})`}`);
  }
}
if (!ok && notify !== null) console.log(`tell ${notify}`);
process.exitCode = ok ? 0 : 1;

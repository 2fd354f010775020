// npm run bench:scale: where time, memory and bytes go in a directory of many small files, for its maintainer and for a
// reader. Prints the table of docs/SCALE.md.
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { ROOT } from '../scripts/tools.mjs';
import { CORPORA } from './corpora.mjs';
import { measure, median } from './measure.mjs';
import { countTraffic } from './traffic.mjs';

const USAGE = `npm run bench:scale -- [options]     after npm run build
  --files N    how many files, a hundred in a folder; may be repeated (default: 10000, 100000, 250000)
  --runs N     runs of each line; the median counts (default: 3), of memory the most
  --packages   files that PackMan lists too: their names have no platform`;

const { values: options } = parseArgs({
  options: {
    files: { type: 'string', multiple: true, default: ['10000', '100000', '250000'] },
    runs: { type: 'string', default: '3' },
    packages: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const PROGRAM = join(ROOT, 'dist/bin/packsign.js');
const WORK = join(CORPORA, 'scale');
const FILE_BYTES = 100;
const ENV = {
  ...{ PATH: process.env.PATH, LANG: 'C.UTF-8', NO_COLOR: '1' },
  ...{ HOME: WORK, XDG_STATE_HOME: join(WORK, 'notes'), XDG_CONFIG_HOME: join(WORK, 'config') },
  XDG_CACHE_HOME: join(WORK, 'cache'),
};
const packsign = (words) => `node '${PROGRAM}' ${words} --quiet`;
const BUILD = packsign('build dist --key key.asc');

if (options.help) console.log(USAGE);
else await run();

async function run() {
  const runs = Number(options.runs);
  const before = loadavg()[0];
  const columns = [];
  for (const count of options.files.map(Number)) columns.push({ count, ...(await measureAll(count, runs)) });
  const rows = Object.keys(columns[0].figures);
  console.log(`| | ${columns.map(({ count }) => `${number(count)} files`).join(' | ')} |`);
  console.log(`|---|${'---:|'.repeat(columns.length)}`);
  for (const row of rows)
    console.log(`| ${row} | ${columns.map(({ figures }) => figures[row]).join(' | ')} |`);
  console.log(
    `\n${availableParallelism()} cores, Node ${process.versions.node}, ${runs} runs, load average ${before.toFixed(1)} before and ${loadavg()[0].toFixed(1)} after`,
  );
}

/** The name of a file, as of a release for one platform. */
function nameOf(index) {
  const folder = `p${String(Math.floor(index / 100)).padStart(4, '0')}`;
  const platform = options.packages ? '' : '-linux-amd64';
  return `${folder}/tool${String(index).padStart(6, '0')}-1.${index % 10}.0${platform}.zip`;
}

/** An empty zip with a comment, which makes it as long as it has to be, and unlike all others. */
function fileOf(index) {
  const bytes = Buffer.alloc(FILE_BYTES, 46);
  bytes.write('PK\x05\x06');
  bytes.fill(0, 4, 20);
  bytes.writeUInt16LE(FILE_BYTES - 22, 20);
  bytes.write(nameOf(index), 22);
  return bytes;
}

function addFile(index) {
  const path = join(WORK, 'dist', nameOf(index));
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, fileOf(index));
}

async function measureAll(count, runs) {
  rmSync(WORK, { recursive: true, force: true });
  mkdirSync(join(WORK, 'dist'), { recursive: true });
  const first = count - runs;
  for (let index = 0; index < first; index += 1) addFile(index);
  const at = { folder: WORK, env: ENV };
  const times = (line, prepare = () => undefined) => {
    const taken = Array.from({ length: runs }, (_, round) => {
      prepare(round);
      process.stderr.write('.');
      return measure(line, at);
    });
    const of = (figure) => median(taken.map((one) => one[figure]));
    return `${of('seconds').toFixed(1)} s, ${of('cpu').toFixed(1)} s, ${Math.max(...taken.map(({ mib }) => mib)).toFixed(0)} MiB`;
  };
  measure(
    packsign('key generate --user-id "Bench <bench@example.org>" --no-passphrase --output key.asc'),
    at,
  );
  const clear = () =>
    measure('rm -rf notes dist/packages.plist* dist/keys.* dist/signatures dist/.packsign', at);
  const figures = {};
  figures['`build`, everything new'] = times(BUILD, clear);
  figures['`build`, nothing changed'] = times(BUILD);
  figures['`build`, one file added'] = times(BUILD, (round) => addFile(first + round));
  figures['`verify`, every file read'] = times(packsign('verify dist --keys dist/keys.asc'));
  await asReader(figures, { times, at, name: nameOf(0) });
  const bytes = readFileSync(join(WORK, 'dist/packages.plist'));
  figures['the database'] = megabytes(bytes.length);
  figures['for each file'] = `${number(bytes.length / count)} bytes`;
  figures['the database with gzip -6'] = megabytes(gzipSync(bytes, { level: 6 }).length);
  rmSync(WORK, { recursive: true, force: true });
  return { figures };
}

/** What a reader does who fetches from packsign's own server: with nothing kept, and with a copy that is current. */
async function asReader(figures, { times, at, name }) {
  const server = spawn(process.execPath, [PROGRAM, 'serve', 'dist', '--json'], { cwd: WORK, env: ENV });
  const [line] = await once(createInterface(server.stdout), 'line');
  const traffic = await countTraffic(Number(new URL(JSON.parse(line).url).port));
  const get = packsign(`get ${name} --from here --output got`);
  const counted = (words, line, prepare) => {
    figures[`${words}`] = times(line, prepare);
    prepare();
    const before = traffic.bytes();
    measure(line, at);
    const [up, down] = traffic.bytes().map((bytes, index) => number(bytes - before[index]));
    figures[`${words}: bytes sent, received`] = `${up}, ${down}`;
  };
  try {
    measure(packsign(`trust add http://127.0.0.1:${traffic.port} --keys dist/keys.asc --name here`), at);
    counted('`list`, nothing kept', packsign('list here'), () => measure('rm -rf cache', at));
    counted('`list`, nothing new', packsign('list here'), () => undefined);
    counted('`get` of one file, nothing kept', get, () => measure('rm -rf cache got', at));
    counted('`get` of one file, nothing new', get, () => measure('rm -rf got', at));
  } finally {
    server.kill();
    await traffic.stop();
  }
}

function number(value) {
  return String(Math.round(value)).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}

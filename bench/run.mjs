// npm run bench: measures packsign beside other tools that do such work, on this machine, in turn.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, compile, installIfNeeded } from '../scripts/tools.mjs';
import { contenders } from './contenders.mjs';
import { CORPORA, SIZES, stageArchive, prepareCorpus, removeAdded } from './corpora.mjs';
import { limitLines, measureLimits } from './limits.mjs';
import { isInstalled, measure } from './measure.mjs';
import { headText, printTable, writeSection } from './report.mjs';
import { measureWatch } from './watching.mjs';

const JOBS = {
  sha256: { title: 'Full build and signature, SHA-256 only', sizes: ['small', 'many', 'large', 'most'] },
  whole: {
    title: 'Full build and signature, SHA-256 only, `"Inspect": "whole"`',
    sizes: ['small', 'many', 'large'],
  },
  both: { title: 'Full build and signature, MD5 and SHA-256', sizes: ['small', 'many', 'large'] },
  added: { title: 'One archive added, SHA-256 only', sizes: ['small', 'many'] },
  unchanged: { title: 'Nothing changed, SHA-256 only', sizes: ['small', 'many', 'large', 'most'] },
  verify: { title: 'Verify the signature and every archive', sizes: ['small', 'many', 'large'] },
  watch: { title: 'Watch: from rename to a signed index on disk', sizes: ['small', 'many'] },
  help: { title: 'Start: `--help`', sizes: ['small'] },
};

const USAGE = `npm run bench -- [options]
  --size NAME    one of ${Object.keys(SIZES).join(', ')}; may be repeated (default: all)
  --row NAME     one of ${Object.keys(JOBS).join(', ')}; may be repeated (default: all)
  --peer NAME    besides packsign only this one; may be repeated (default: all that are installed)
  --against FILE another compiled dist/bin/packsign.js, in place of the peers
  --runs N       runs of each (default: 5)
  --landings N   archives that land while watched (default: 20)
  --list         say what would be measured, and which tools are missing
With all rows and all peers the figures are also written to docs/PERFORMANCE.md.`;

const { values: options } = parseArgs({
  options: {
    size: { type: 'string', multiple: true },
    row: { type: 'string', multiple: true },
    peer: { type: 'string', multiple: true },
    against: { type: 'string' },
    runs: { type: 'string', default: '5' },
    landings: { type: 'string', default: '20' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const runs = Number(options.runs);
const landings = Number(options.landings);
const sizes = options.size ?? Object.keys(SIZES);
const rows = options.row ?? Object.keys(JOBS);
const program = join(CORPORA, 'program/dist/bin/packsign.js');
const peers = options.against === undefined ? (options.peer ?? null) : [];
const chosen = contenders(program, options.against ?? null).filter(
  ({ peer }) => peer === 'packsign' || peers === null || peers.includes(peer),
);
const missing = new Set(
  chosen
    .flatMap(({ needs, watch }) => [...needs, ...(watch?.needs ?? [])])
    .filter((tool) => !isInstalled(tool)),
);

if (options.help) console.log(USAGE);
else if (options.list) list();
else if (!areKnown()) process.exitCode = 2;
else await run();

function areKnown() {
  const known = contenders(program, null).map(({ peer }) => peer);
  const unknown = [
    ...sizes.filter((size) => SIZES[size] === undefined),
    ...rows.filter((row) => JOBS[row] === undefined),
    ...(options.peer ?? []).filter((peer) => !known.includes(peer)),
    ...[options.runs, options.landings].filter((count) => !/^[1-9]\d{0,3}$/.test(count)),
  ];
  if (unknown.length > 0) console.error(`not known: ${unknown.join(', ')}\n${USAGE}`);
  return unknown.length === 0;
}

function list() {
  for (const size of sizes) {
    console.log(`${size}: ${SIZES[size].title}`);
    for (const row of rows.filter((name) => JOBS[name].sizes.includes(size))) {
      console.log(
        `  ${row}: ${takingPart(row)
          .map(({ name }) => name)
          .join(' · ')}`,
      );
    }
  }
  console.log(
    missing.size === 0 ? 'no tool is missing' : `not installed, left out: ${[...missing].join(', ')}`,
  );
}

function takingPart(row) {
  return chosen.filter(({ needs, jobs, watch }) => {
    const tools = row === 'watch' ? [...needs, ...(watch?.needs ?? [])] : needs;
    return (row === 'watch' ? watch : jobs[row]) !== undefined && !tools.some((tool) => missing.has(tool));
  });
}

async function run() {
  installIfNeeded();
  snapshot();
  const work = join(CORPORA, 'work');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  // The path of gpg-agent's socket must be short.
  const gnupg = mkdtempSync(join(tmpdir(), 'bench-'));
  const env = {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    NO_COLOR: '1',
    HOME: work,
    XDG_STATE_HOME: join(work, 'notes'),
    GNUPGHOME: gnupg,
  };
  // Also after an interrupt: the agent would keep running.
  process.on('exit', () => {
    spawnSync('gpgconf', ['--kill', 'gpg-agent'], { env, stdio: 'ignore' });
    rmSync(gnupg, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));
  makeKeys(work, env);
  for (const size of sizes) await runSize(size, { work, env });
}

/** Copies the program, so that compiling meanwhile does not change it. */
function snapshot() {
  const status = compile();
  if (status !== 0) process.exit(status);
  const target = join(CORPORA, 'program');
  rmSync(target, { recursive: true, force: true });
  for (const name of ['dist', 'package.json', 'templates'])
    cpSync(join(ROOT, name), join(target, name), { recursive: true });
  // Compiled code counts only at the path that it was made for.
  spawnSync(process.execPath, [join(target, 'dist/bin/compile-code.js')], { stdio: 'inherit' });
}

function makeKeys(work, env) {
  const user = 'Bench <bench@example.org>';
  measure(`node '${program}' key generate --user-id '${user}' --no-passphrase --output key.asc --quiet`, {
    folder: work,
    env,
  });
  if (isInstalled('gpg')) {
    measure(`gpg --batch --quiet --passphrase '' --quick-generate-key '${user}' ed25519 sign never`, {
      folder: work,
      env,
    });
  }
}

async function runSize(size, { work, env }) {
  const corpus = prepareCorpus(size);
  const rounds = size === 'most' ? Math.min(runs, 3) : runs;
  const loadBefore = loadavg()[0];
  const limits = measureLimits({ corpus, size, folder: work, env, rounds });
  const tables = [];
  for (const row of rows.filter((name) => JOBS[name].sizes.includes(size))) {
    const parties = takingPart(row).map((contender, index) => {
      const folder = join(work, `${size}-${row}-${index}`);
      mkdirSync(folder, { recursive: true });
      return { contender, at: { size, corpus, folder }, figures: [] };
    });
    process.stderr.write(`\n${size}: ${JOBS[row].title} `);
    if (row === 'watch') await runWatch(parties, { size, env });
    else runJob(row, parties, { size, env, rounds });
    for (const { at } of parties) rmSync(at.folder, { recursive: true, force: true });
    removeAdded(size);
    const table = { row, title: JOBS[row].title, parties };
    tables.push(table);
    printTable(table);
  }
  const facts = {
    cores: availableParallelism(),
    loadBefore,
    loadAfter: loadavg()[0],
    rounds,
    landings,
    missing: [...missing],
  };
  const section = { size, title: SIZES[size].title, tables, limits: limitLines(limits), facts };
  console.log(`\n${headText(section)}`);
  if (options.row === undefined && options.peer === undefined && options.against === undefined)
    writeSection(section);
}

/** A B A B …: each contender keeps its own state from one run to the next, except between two packsigns. */
function runJob(row, parties, { size, env, rounds }) {
  const apart = options.against !== undefined;
  const isKept = ({ contender }) => !apart && contender.jobs[row].setUp !== undefined;
  const prepare = ({ contender, at }) => {
    const { clear, setUp } = contender.jobs[row];
    measure(clear(at), { folder: at.folder, env });
    if (setUp !== undefined) measure(setUp(at), { folder: at.folder, env });
  };
  let arrived = 0;
  let added;
  for (const party of parties.filter(isKept)) prepare(party);
  for (let round = 1; round <= rounds; round += 1) {
    if (row === 'added' && !apart) added = stageArchive(size, (arrived += 1))();
    for (const party of parties) {
      if (!isKept(party)) prepare(party);
      if (row === 'added' && apart) added = stageArchive(size, (arrived += 1))();
      const { contender, at, figures } = party;
      figures.push(measure(contender.jobs[row].run({ ...at, added }), { folder: at.folder, env }));
    }
    process.stderr.write('.');
  }
}

async function runWatch(parties, { size, env }) {
  let arrived = 0;
  for (const { contender, at, figures } of parties) {
    const { watch } = contender;
    measure(watch.clear(at), { folder: at.folder, env });
    if (watch.setUp !== undefined) measure(watch.setUp(at), { folder: at.folder, env });
    const stage = () => {
      const land = stageArchive(size, (arrived += 1));
      return () => land()[contender.kind];
    };
    const taken = await measureWatch(watch, at, { env, landings, stage });
    figures.push(...taken.map((ms) => ({ seconds: ms / 1000 })));
    process.stderr.write('.');
  }
}

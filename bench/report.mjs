// Prints tables for people on the terminal, and writes them to docs/PERFORMANCE.md between the marks of each corpus.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../scripts/tools.mjs';
import { median } from './measure.mjs';

const FILE = join(ROOT, 'docs/PERFORMANCE.md');

/** Prints a table as soon as it is known, so that an interrupted run keeps its results so far. */
export function printTable(table) {
  console.log(`\n\n${tableLines(table).join('\n\n')}`);
}

export function writeSection(section) {
  const [begin, end] = [`<!-- bench ${section.size} -->`, `<!-- /bench ${section.size} -->`];
  const text = existsSync(FILE) ? readFileSync(FILE, 'utf8') : '';
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  const block = `${begin}\n\n${sectionText(section)}\n\n${end}`;
  const whole =
    from === -1 || to === -1
      ? `${text.trimEnd()}\n\n${block}\n`
      : `${text.slice(0, from)}${block}${text.slice(to + end.length)}`;
  writeFileSync(FILE, whole);
}

/** The text above the tables. */
export function headText({ size, title, limits, facts }) {
  const left = facts.missing.length === 0 ? [] : [`Not installed, left out: ${facts.missing.join(', ')}.`];
  return [
    `## ${title}`,
    `\`npm run bench -- --size ${size} --runs ${facts.rounds} --landings ${facts.landings}\`, ${new Date().toISOString().slice(0, 10)}: ${machine(facts)}. ` +
      `Load average ${facts.loadBefore.toFixed(1)} before and ${facts.loadAfter.toFixed(1)} after.`,
    ...left,
    `Limits of this machine: ${limits.join(' · ')}.`,
  ].join('\n\n');
}

function sectionText(section) {
  return [headText(section), ...section.tables.flatMap(tableLines)].join('\n\n');
}

function machine({ cores }) {
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const flags = /^flags\s*:(.*)$/m.exec(info)?.[1]?.split(' ') ?? [];
  const known = ['sha_ni', 'avx2'].filter((flag) => flags.includes(flag));
  return [`${cores} cores`, `Node ${process.versions.node}`, ...known].join(', ');
}

function tableLines({ row, title, parties }) {
  return [`### ${title}`, (row === 'watch' ? watchTable : jobTable)(row, parties).join('\n')];
}

function jobTable(row, parties) {
  const results = parties.map(({ contender, figures }) => ({
    name: row === 'help' ? contender.peer : (contender.jobs[row].name ?? contender.name),
    work: contender.jobs[row].work,
    seconds: median(figures.map(({ seconds }) => seconds)),
    cpu: median(figures.map(({ cpu }) => cpu)),
    mib: figures.some(({ mib }) => mib === null) ? null : Math.max(...figures.map(({ mib }) => mib)),
  }));
  const own = results[0].seconds;
  return [
    '| tool | seconds | packsign takes | CPU s | peak MiB | besides digests and signature |',
    '| --- | ---: | ---: | ---: | ---: | --- |',
    ...results.map(
      ({ name, work, seconds, cpu, mib }) =>
        `| ${name} | ${seconds.toFixed(3)} | ${(own / seconds).toFixed(2)} × | ${cpu.toFixed(2)} | ${mib === null ? '–' : mib.toFixed(0)} | ${work} |`,
    ),
  ];
}

function watchTable(_, parties) {
  const results = parties.map(({ contender, figures }) => ({
    name: contender.watch.name ?? contender.name,
    work: contender.watch.work,
    all: figures.map(({ seconds }) => seconds * 1000),
  }));
  const own = median(results[0].all);
  return [
    `| watcher | median ms | worst of ${results[0].all.length} | packsign takes | what is done |`,
    '| --- | ---: | ---: | ---: | --- |',
    ...results.map(
      ({ name, work, all }) =>
        `| ${name} | ${median(all).toFixed(0)} | ${Math.max(...all).toFixed(0)} | ${(own / median(all)).toFixed(2)} × | ${work} |`,
    ),
  ];
}

// Writes the man pages to dist/man, from what the help is made from. The build calls it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { wordsOf } from '../dist/src/cli/command.js';
import { COMMANDS } from '../dist/src/cli/commands/all.js';
import { spellings } from '../dist/src/cli/mistake.js';
import { COMMON_OPTIONS } from '../dist/src/cli/options.js';
import { ROOT } from './tools.mjs';

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
/** The same sources give the same bytes, so this is not the date of the build; it changes with a release. */
const DATE = '2026-11-27';
const FOLDER = join(ROOT, 'dist/man');
const DEFAULT_GROUP = 'OPTIONS';
const EXIT_STATUS = [
  ['0', 'It is done, or verified.'],
  ['1', 'packsign says no: something is not authentic, or needs attention.'],
  ['2', 'It could not be done, or the command line is wrong.'],
  ['70', 'A bug in packsign.'],
];
const COMMON = {
  ...COMMON_OPTIONS,
  help: { describe: 'show the usual options; with --all, every one', type: 'boolean' },
  version: { describe: 'show the version', type: 'boolean' },
};

/** Text that roff prints as it is, in lines of up to 78 bytes: none begins with a request, and a dash can be pasted. */
function paragraph(text) {
  return roff(text)
    .replace(/(?=.{79})(.{1,78}) /g, '$1\n')
    .replace(/^(?=[.'])/gm, '\\&');
}

function roff(text) {
  return text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/'/g, '\\(aq')
    .replace(/[^ -~]/gu, (sign) => `\\[u${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`);
}

const bold = (text) => `\\fB${roff(text)}\\fR`;
const italic = (text) => `\\fI${roff(text)}\\fR`;
const item = (term, text) => `.TP\n${term}\n${paragraph(text)}\n`;
const pageOf = (listed) => ['packsign', ...wordsOf(listed)].join('-');

function optionItem([name, option]) {
  const { describe, choices, takes, array, default: value } = option;
  const placeholder = choices === undefined ? (takes ?? '') : choices.join('|');
  const names = spellings([name, option]).map((one) => bold(`--${one}`));
  const term = `${names.join(', ')}${option.type === 'boolean' ? '' : ` ${italic(placeholder)}`}`;
  const more = [value === undefined ? '' : ` (default: ${value})`, array === true ? '; may be repeated' : ''];
  return item(term, describe + more.join(''));
}

/** A section for each group, in the order of the help. */
function optionSections(options) {
  const groups = new Map();
  for (const entry of Object.entries(options)) {
    groups.set(groupOf(entry), [...(groups.get(groupOf(entry)) ?? []), entry]);
  }
  return Array.from(
    groups,
    ([group, entries]) => `.SH ${roff(group)}\n${entries.map(optionItem).join('')}`,
  ).join('');
}

function groupOf([, { group = DEFAULT_GROUP }]) {
  return group.replace(/[:,].*$/, '').toUpperCase();
}

function argumentSection(positionals) {
  const items = Object.entries(positionals).map(([name, { describe, default: value }]) =>
    item(italic(name), describe + (value === undefined ? '' : ` (default: ${value})`)),
  );
  return items.length === 0 ? '' : `.SH ARGUMENTS\n${items.join('')}`;
}

function exampleSection(examples) {
  return `.SH EXAMPLES\n${examples.map(([line, meaning]) => item(bold(line), meaning)).join('')}`;
}

function ending(related) {
  const statuses = EXIT_STATUS.map(([status, meaning]) => item(bold(status), meaning)).join('');
  const pages = related.map((page) => `.BR ${roff(page)} (1)`).join(' ,\n');
  return `.SH EXIT STATUS\n${statuses}.SH SEE ALSO\n${pages}\n`;
}

function head(page, summary) {
  return `.TH ${page.toUpperCase().replace(/-/g, '\\-')} 1 "${DATE}" "packsign ${version}" "packsign"\n.SH NAME\n${roff(page)} \\- ${roff(summary)}\n`;
}

function synopsis({ usage }) {
  const words = usage.split(' ').map((word) => (/^[a-z]/.test(word) ? bold(word) : roff(word)));
  return `.SH SYNOPSIS\n${bold('packsign')} ${words.join(' ')} [options]\n`;
}

async function commandPage(listed) {
  const { examples, positionals = {}, options } = await listed.load();
  const family = COMMANDS.filter((other) => other !== listed && wordsOf(other)[0] === wordsOf(listed)[0]);
  return [
    head(pageOf(listed), listed.summary),
    synopsis(listed),
    argumentSection(positionals),
    optionSections(options),
    `.SH OPTIONS OF EVERY COMMAND\n${Object.entries(COMMON).map(optionItem).join('')}`,
    exampleSection(examples),
    ending(['packsign', ...family.map(pageOf)]),
  ].join('');
}

function overviewPage() {
  const items = COMMANDS.map((listed) => item(bold(wordsOf(listed).join(' ')), listed.summary)).join('');
  return [
    head('packsign', 'sign a directory of release files, and check what others signed'),
    `.SH SYNOPSIS\n${bold('packsign')} ${italic('COMMAND')} [arguments] [options]\n`,
    `.SH DESCRIPTION\n${paragraph('packsign hashes every file of a directory, writes the database packages.plist, and signs that one file with an OpenPGP key. Users verify what they download against it. Without a command it says what state the current directory is in.')}\n`,
    `.SH COMMANDS\n${items}`,
    `.SH OPTIONS OF EVERY COMMAND\n${Object.entries(COMMON).map(optionItem).join('')}`,
    ending(COMMANDS.map(pageOf)),
  ].join('');
}

mkdirSync(FOLDER, { recursive: true });
writeFileSync(join(FOLDER, 'packsign.1'), overviewPage());
for (const listed of COMMANDS) writeFileSync(join(FOLDER, `${pageOf(listed)}.1`), await commandPage(listed));

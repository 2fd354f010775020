import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/all.js';
import MANIFEST from '../../package.json' with { type: 'json' };
import { needTools } from '../tools.js';

const FOLDER = 'dist/man';
const pages = readdirSync(FOLDER);
const nameOf = (usage: string) => `packsign-${usage.replace(/ [[<].*$/, '').replaceAll(' ', '-')}.1`;
const wanted = ['packsign.1', ...COMMANDS.map(({ usage }) => nameOf(usage))].sort();

test('there is a page for each command, and npm installs each', () => {
  expect(pages.toSorted()).toEqual(wanted);
  expect(MANIFEST.man).toEqual(pages.toSorted().map((page) => `./${FOLDER}/${page}`));
});

describe.each(pages)('%s', (page) => {
  const file = `${FOLDER}/${page}`;

  test.for([
    ['mandoc', ['-T', 'lint', file]],
    ['groff', ['-ww', '-man', '-Tutf8', '-z', file]],
  ] as const)('%s has nothing to warn of', ([program, args], context) => {
    needTools(context, program);
    const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8' });
    expect([status, stdout, stderr]).toEqual([0, '', '']);
  });
});

test.each(COMMANDS)(
  'the page of $usage has its options, examples and exit status',
  async ({ usage, load }) => {
    const { options, positionals = {}, examples } = await load();
    const text = readFileSync(`${FOLDER}/${nameOf(usage)}`, 'utf8')
      .replaceAll('\\-', '-')
      .replaceAll('\\(aq', "'");
    for (const [name, { negated }] of Object.entries(options)) {
      expect(text).toContain(`\\fB--${negated === 'only' ? 'no-' : ''}${name}\\fR`);
    }
    for (const name of Object.keys(positionals)) expect(text).toContain(`\\fI${name}\\fR`);
    const plain = text.replace(/\\\[u2026\]/g, '…');
    for (const [line] of examples) expect(plain).toContain(`\\fB${line}\\fR\n`);
    expect(text).toContain('.SH EXIT STATUS\n');
  },
);

test('man shows a page', (context) => {
  needTools(context, 'man');
  const { stdout, stderr, status } = spawnSync('man', ['-l', `${FOLDER}/packsign-build.1`], {
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      LC_ALL: 'C.UTF-8',
      MANWIDTH: '80',
      MANPAGER: 'cat',
      HOME: '/nonexistent',
    },
  });
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^NAME\n +packsign-build - hash every file/m);
  expect(stdout).toContain('--deterministic');
});

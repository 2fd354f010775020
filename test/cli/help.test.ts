import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/all.js';
import { codeOf, newPlace, transcript } from '../packsign.js';

const place = newPlace();
const NAMES = COMMANDS.map(({ usage }) => usage.replace(/ [[<].*$/, '').split(' '));

/** The lines that a terminal of 80 columns and 40 lines wraps or scrolls away. */
function beyondTerminal(text: string): readonly string[] {
  const lines = text.trimEnd().split('\n');
  return [...lines.filter((line) => Array.from(line).length > 80), ...lines.slice(40)];
}

describe('help', () => {
  test('lists every command in its group', async () => {
    const { stdout, stderr, status } = await place.packsign(['--help']);
    expect([status, stderr, beyondTerminal(stdout)]).toEqual([0, '', []]);
    const words = stdout.replace(/\s+/g, ' ');
    for (const { usage, summary, group } of COMMANDS) {
      const [name = ''] = usage.split(/ [[<]/);
      const isInTable = group === 'maintain' || group === 'trust';
      expect(words).toContain(isInTable ? ` ${name} ${summary} ` : `packsign ${name}`);
    }
    expect(stdout.indexOf('For maintainers:')).toBeLessThan(stdout.indexOf('For users'));
  });

  test('and docs/COMMANDS.md describes every command', () => {
    const rows = readFileSync('docs/COMMANDS.md', 'utf8').split('\n');
    for (const name of NAMES) {
      const row = new RegExp(`^\\| \`${name.join(' ')}[ \`]`);
      expect(rows.filter((line) => row.test(line))).not.toEqual([]);
    }
  });

  test.each(['-h', 'help', '--help --all', '--json -h'])('is also what packsign %s prints', async (words) => {
    expect((await place.packsign(words.split(' '))).stdout).toBe((await place.packsign(['--help'])).stdout);
  });

  test.each(NAMES.map((words) => [words]))(
    'of %j fits a terminal of 80 × 40, and has examples',
    async (words) => {
      const { stdout, stderr, status } = await place.packsign([...words, '--help']);
      expect([status, stderr, beyondTerminal(stdout)]).toEqual([0, '', []]);
      expect(stdout).toContain(`Examples:\n  packsign ${words.join(' ')}`);
      expect(stdout).toContain('--json');
    },
  );

  test.each(['key', 'trust'])('of the commands about a %s fits it too', async (family) => {
    const { stdout, status } = await place.packsign([family, '--help']);
    expect([status, beyondTerminal(stdout)]).toEqual([0, []]);
  });

  test.each(COMMANDS)(
    'of $usage with --all has the rarer options too, and says so without',
    async (listed) => {
      const words = listed.usage.replace(/ [[<].*$/, '').split(' ');
      const { options, examples } = await listed.load();
      const names = Object.keys(options);
      const rarer = names.filter((name) => options[name]?.hidden === true);
      const shownBy = async (...more: readonly string[]) =>
        (await place.packsign([...words, ...more])).stdout;
      const all = await shownBy('--help', '--all');
      for (const name of names) expect(all).toMatch(new RegExp(`^ +--${name} `, 'm'));
      const usual = await shownBy('-h');
      for (const name of rarer) expect(usual).not.toMatch(new RegExp(`^ +--${name} `, 'm'));
      expect(usual.includes(`--help: show ${rarer.length} rarer`)).toBe(rarer.length > 0);
      // A line that is broken cannot be pasted.
      for (const [line] of examples) expect(usual).toContain(`\n  ${line}`);
    },
  );

  test('--all means nothing else', async () => {
    const { status, stderr } = await place.packsign(['build', 'dist', '--all']);
    expect([status, stderr]).toEqual([2, expect.stringContaining('packsign build has no option --all\n')]);
  });

  test('fails with a message if it cannot be written', () => {
    const { status, stderr } = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" dist/bin/packsign.js --help > /dev/full`],
      {
        encoding: 'utf8',
      },
    );
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/^packsign: error: cannot write to standard output: .*ENOSPC.*\n$/),
    ]);
  });

  test('--version is one line on stdout', async () => {
    const { stdout, stderr, status } = await place.packsign(['--version']);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('USAGE', () => {
  test.each<readonly [string, readonly string[]]>([
    ['an unknown command', ['publihs']],
    ['an unknown option', ['build', '--chekc']],
    ['an option of another command', ['verify', '--rehash']],
    ['an option without its value', ['build', '--validity']],
    ['a word too many', ['build', 'dist', 'more']],
    ['no command after key', ['key']],
    ['an unknown command after key', ['key', 'make']],
    ['no file after key show', ['key', 'show']],
    ['an option given twice', ['build', '--maintainer', 'Ann', '--maintainer', 'Bob']],
    ['a threshold that is not a number', ['build', 'dist', '--threshold', 'abc']],
    ['a threshold of zero', ['build', 'dist', '--threshold', '0']],
    ['a threshold of 1e1', ['verify', 'dist', '--threshold', '1e1']],
    ['a short fingerprint', ['verify', 'dist', '--fingerprint', 'ABCDEF12']],
    ['a change without its reason', ['build', 'dist', '--allow-changed', 'demo-1.0.tar.gz']],
    ['an empty reason', ['build', 'dist', '--allow-changed', 'demo-1.0.tar.gz', '--reason', ' ']],
    [
      'a reason that a database may not contain',
      ['build', 'dist', '--allow-changed', 'demo-1.0.tar.gz', '--reason', 'a\u001b[2J'],
    ],
    ['no user id', ['key', 'generate', '--no-passphrase']],
    ['an empty user id', ['key', 'generate', '--no-passphrase', '--user-id', ' ']],
    [
      'a life that is not a time',
      ['key', 'generate', '--no-passphrase', '--user-id', 'Ann', '--expires', 'soon'],
    ],
  ])('%s', async (_, args) => {
    const run = await place.packsign(args);
    expect([run.status, run.stdout]).toEqual([2, '']);
    expect(run.stderr).toMatch(/^packsign: error: [^A-Z].*[^.]\n(?:packsign: hint: .*\n)?$/);
    const answer = await place.json(args);
    expect([answer.status, codeOf(answer)]).toEqual([2, 'USAGE']);
  });

  test('names the word that is wrong', async () => {
    expect(transcript(await place.packsign(['biuld']))).toMatchInlineSnapshot(`
      "$ packsign biuld
      ! packsign: error: there is no command biuld
      ! packsign: hint: packsign build
      [2]"
    `);
    expect(transcript(await place.packsign(['build', '--chekc']))).toMatchInlineSnapshot(`
      "$ packsign build --chekc
      ! packsign: error: packsign build has no option --chekc
      ! packsign: hint: packsign build --check
      [2]"
    `);
    expect(transcript(await place.packsign(['build', '--maintainer', 'Ann', '--maintainer', 'Bob'])))
      .toMatchInlineSnapshot(`
      "$ packsign build --maintainer Ann --maintainer Bob
      ! packsign: error: --maintainer was given more than once: Ann, Bob
      ! packsign: hint: packsign build --help
      [2]"
    `);
    expect(transcript(await place.packsign(['build', 'dist', '--threshold', 'abc']))).toMatchInlineSnapshot(`
      "$ packsign build dist --threshold abc
      ! packsign: error: --threshold must be a whole number, 1 or more, not "abc"
      [2]"
    `);
    expect(transcript(await place.packsign(['verify', '--fingerprint', 'ABCDEF12']))).toMatchInlineSnapshot(`
      "$ packsign verify --fingerprint ABCDEF12
      ! packsign: error: "ABCDEF12" is not a full fingerprint
      ! packsign: hint: a fingerprint has 40 hex digits; shorter key ids can be forged
      [2]"
    `);
  });

  test('SOURCE_DATE_EPOCH that is not a number of seconds', async () => {
    for (const SOURCE_DATE_EPOCH of ['yesterday', '-1', '1.5', '999999999999999', '0x10']) {
      const answer = await place.json(['build', 'dist'], { env: { SOURCE_DATE_EPOCH } });
      expect([answer.status, codeOf(answer)]).toEqual([2, 'USAGE']);
    }
  });

  test('packsign does not read words as numbers', async () => {
    for (const word of ['1.10', '1e5', '0x10', '007']) {
      expect((await place.packsign(['verify', word])).stderr).toContain(`no file or directory ${word}\n`);
    }
  });
});

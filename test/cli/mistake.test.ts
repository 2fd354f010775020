import { describe, expect, test } from 'vitest';
import { newKey, newPlace } from '../packsign.js';

const place = newPlace();

/** What packsign says to a line, and what it proposes. */
async function answerTo(line: string): Promise<readonly unknown[]> {
  const { status, stdout, stderr } = await place.packsign(line.split(' '));
  const [, error] = /^packsign: error: (.*)$/m.exec(stderr) ?? [];
  const [, hint] = /^packsign: hint: (.*)$/m.exec(stderr) ?? [];
  return [status, stdout, error, hint];
}

test.each([
  ['biuld', 'there is no command biuld', 'packsign build'],
  ['--json biuld dist', 'there is no command biuld', 'packsign --json build dist'],
  ['genrate --user-id Ada', 'there is no command genrate', 'packsign --help'],
  ['generate --user-id Ada', 'there is no command generate', 'packsign key generate --user-id Ada'],
  ['key genrate --user-id Ada', 'there is no command key genrate', 'packsign key generate --user-id Ada'],
  ['trust ad example.org', 'there is no command trust ad', 'packsign trust add example.org'],
  ['build --kye x', 'packsign build has no option --kye', 'packsign build --key x'],
  ['build dist --kye=x', 'packsign build has no option --kye', 'packsign build dist --key=x'],
  ['build -key x', 'packsign build has no option -key', 'packsign build --key x'],
  ['get demo --pla=windows', 'packsign get has no option --pla', 'packsign get --help'],
  [
    'get demo --platfrom windows',
    'packsign get has no option --platfrom',
    'packsign get demo --platform windows',
  ],
  ['build dist --no-key', 'packsign build has no option --no-key', 'packsign build --help'],
  ['build dist --no-strict', 'packsign build has no option --no-strict', 'packsign build --help'],
  ['verify x --no-fingerprint', 'packsign verify has no option --no-fingerprint', 'packsign verify --help'],
  ['--no-quiet status', 'there is no option --no-quiet', 'packsign status --help'],
  ['build --no-colr', 'packsign build has no option --no-colr', 'packsign build --no-color'],
  [
    'export --format jsno',
    '--format must be sha256sums or json, not "jsno"',
    'packsign export --format json',
  ],
  ['export --format=yaml', '--format must be sha256sums or json, not "yaml"', 'packsign export --help'],
])('%s', async (line, error, hint) => {
  expect((await answerTo(line)).slice(2)).toEqual([error, hint]);
  expect((await answerTo(line))[0]).toBe(2);
});

test('all that is wrong with a line is put right at once', async () => {
  const hint = 'packsign build dist --key a.asc --absent keep';
  expect((await answerTo('biuld dist --kye a.asc --absent kep'))[3]).toBe(hint);
});

test('a line that would not work when corrected is not proposed', async () => {
  for (const [line, hint] of [
    ['trust ad', 'packsign trust add --help'],
    ['key genrate', 'packsign key generate --help'],
    ['keey', 'packsign key --help'],
  ] as const) {
    expect((await answerTo(line))[3]).toBe(hint);
  }
});

test('a directory in the place of a command is one to look at', async () => {
  expect((await answerTo('dist --verbose'))[3]).toBe('packsign status dist --verbose');
});

test('a proposed line holds for the shell what was typed', async () => {
  const { stderr } = await place.packsign(['biuld', "it's $(here)", '--kye', 'a b']);
  expect(stderr).toContain(`hint: packsign build 'it'\\''s $(here)' --key 'a b'\n`);
});

test('a value is taken for no option, and words behind -- for none either', async () => {
  expect((await answerTo('build dist --reason --kye'))[2]).toBe('--reason needs a value');
  expect((await answerTo('build dist more -- --kye'))[2]).toContain('too many arguments: more');
});

test.each([
  ['get', 'missing <packages..>: NAME, NAME==VERSION, or the path of a file', 'packsign get --help'],
  ['trust add', 'missing <url>: address of the database, or of its directory', 'packsign trust add --help'],
  ['key generate', '--user-id is missing', 'packsign key generate --help'],
  ['build --validity', '--validity needs a value', 'packsign build --help'],
  ['build dist more', 'too many arguments: more', 'packsign build --help'],
  ['key', 'missing command after key', 'packsign key --help'],
  ['--json', 'missing command', 'packsign --help'],
])('%s: what is missing or too much is named', async (line, error, hint) => {
  const [status, , ...said] = await answerTo(line);
  expect([status, ...said]).toEqual([2, error, hint]);
});

test.each([
  [['build', ''], 'an argument is empty: is a variable not set?'],
  [['verify', ''], 'an argument is empty: is a variable not set?'],
  [['status', '--state', ''], '--state is empty: is a variable not set?'],
  [['build', '--key='], '--key is empty: is a variable not set?'],
  [['build', '-'], '- names no file or folder'],
  [['key', 'extend', '-'], '- names no file or folder'],
  [['build', '--key', '-'], '--key needs a value'],
])('a word that names nothing is refused: %j', async (words, error) => {
  const { status, stderr } = await place.packsign(words);
  expect([status, stderr.split('\n')[0]]).toEqual([2, `packsign: error: ${error}`]);
});

test('a text may be empty, and a passphrase comes from standard input', async () => {
  place.write('dist/demo-1.0.tar.gz', 'demo');
  expect((await place.packsign(['build', 'dist', '--description', ''])).stderr).not.toContain('is empty');
  const { stderr } = await place.packsign(['build', 'dist', '--key', 'no.asc', '--passphrase-file', '-']);
  expect(stderr).toContain('no.asc');
});

describe('a secret key on the command line is refused, and repeated nowhere', () => {
  test.each([
    ['behind a mistyped option', (key: string) => ['build', 'dist', '--kye', key]],
    ['beside a mistyped option', (key: string) => ['build', 'dist', '--key', key, '--absnt', 'keep']],
    ['in one word with its option', (key: string) => ['build', 'dist', `--key=${key}`, '--absnt', 'keep']],
    ['where nothing is mistyped', (key: string) => ['build', 'dist', `--key=${key}`]],
    ['behind a mistyped command', (key: string) => ['biuld', 'dist', `--key=${key}`]],
    ['in place of a command', (key: string) => [`key ${key}`]],
    [
      'split by the shell',
      (key: string) => ['build', 'dist', '--key', ...key.split(/\s+/), '--absnt', 'keep'],
    ],
    ['without its first line', (key: string) => ['build', 'dist', key.replace(/^-.*\n/, '')]],
  ])('%s', async (_, words) => {
    const { secret } = await newKey('Ann');
    place.write('dist/demo-1.0.tar.gz', 'demo');
    for (const more of [[], ['--json'], ['--verbose']]) {
      const { status, stdout, stderr } = await place.packsign([...words(secret), ...more]);
      expect([status, stderr]).toMatchObject([2, expect.stringContaining('holds a secret key')]);
      for (const line of secret.split('\n').filter((one) => one.length > 3)) {
        expect(stdout + stderr).not.toContain(line);
      }
    }
  });

  test('a text of several lines is repeated neither', async () => {
    const text = 'first line\nsecond line';
    const several = 'unexpected argument of several lines';
    for (const [words, error] of [
      [[text], several],
      [['build', 'dist', text], several],
      [['build', 'dist', `--absent=${text}`], several],
      [['build', 'dist', '--absent', text], several],
      [['build', `---${text}`], several],
      [['build', '--kye', text], 'packsign build has no option --kye'],
      [['build', `--kye=${text}`], 'packsign build has no option --kye'],
      [['biuld', text], 'there is no command biuld'],
    ] as const) {
      const { status, stderr } = await place.packsign(words);
      expect([status, stderr]).toEqual([2, expect.stringContaining(`packsign: error: ${error}\n`)]);
      expect(stderr).toMatch(/^packsign: hint: packsign (?:build )?--help$/m);
      expect(stderr).not.toMatch(/first|second/);
    }
  });
});

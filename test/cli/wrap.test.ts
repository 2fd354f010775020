import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/all.js';
import { wrapped, writeLines } from '../../src/cli/wrap.js';
import { newKey, newPlace, sdist } from '../packsign.js';
import { atTerminal } from '../terminal.js';
import { hasTool } from '../tools.js';

const HINT =
  'packsign: hint: give the new bytes a new version and name, or say why: packsign build dist --allow-changed demo-1.0.tar.gz --reason TEXT; files that change by design belong under "Mutable" in packsign.json';

function written(lines: readonly string[], screen: { isTTY?: boolean; columns?: number }): string {
  let text = '';
  writeLines({ ...screen, write: (more) => (text += more) }, lines);
  return text;
}

test('a terminal gets a long line in pieces, with each command whole on a line of its own', () => {
  expect(wrapped(HINT, 80)).toEqual([
    'packsign: hint: give the new bytes a new version and name, or say why:',
    '  packsign build dist --allow-changed demo-1.0.tar.gz --reason TEXT;',
    '  files that change by design belong under "Mutable" in packsign.json',
  ]);
  expect(wrapped(HINT, 40)).toEqual([
    'packsign: hint: give the new bytes a new',
    '  version and name, or say why:',
    '  packsign build dist --allow-changed demo-1.0.tar.gz --reason TEXT;',
    '  files that change by design belong',
    '  under "Mutable" in packsign.json',
  ]);
});

test.each([[{}], [{ isTTY: false, columns: 40 }], [{ isTTY: true }], [{ isTTY: true, columns: 0 }]])(
  'what is no terminal, or has no width, gets lines as they are: %o',
  (screen) => {
    expect(written([HINT], screen)).toBe(`${HINT}\n`);
  },
);

test('a terminal narrower than 40 columns gets lines for 40', () => {
  expect(written([HINT], { isTTY: true, columns: 3 })).toBe(`${wrapped(HINT, 40).join('\n')}\n`);
});

test('no word is lost, broken or moved, whatever the width', () => {
  const lines = [HINT, '    + a'.repeat(40), `  ${'x'.repeat(200)} y`, `${'a  b   c '.repeat(30)}d`, ''];
  for (const line of lines) {
    for (let columns = 1; columns < 130; columns += 1) {
      const pieces = wrapped(line, columns);
      expect(pieces.join(' ').split(/ +/)).toEqual(line.split(/ +/));
      for (const piece of pieces) {
        const isOneWord = !piece.trim().includes(' ') || piece.includes('packsign build');
        expect(isOneWord || piece.length <= Math.max(columns, 40), piece).toBe(true);
      }
    }
  }
});

describe('what people copy stays whole', () => {
  const commands = [
    ...COMMANDS.map(({ usage }) => `packsign ${usage.replace(/ [[<].*/, '')} 'my files; and more'`),
    'packsign verify --include "a, b" x',
    'rm dist/.packsign/lock',
    "mkdir -p 'a folder'",
  ];
  test.each(commands)('%s', (command) => {
    const lines = wrapped(`packsign: hint: this is what you may want to type: ${command}; or not`, 40);
    expect(lines.some((line) => line.trim() === `${command};`)).toBe(true);
  });

  test('a fingerprint in groups', () => {
    const fingerprint = '5303 624B 6621 805C 06F5  1B59 4A8B 2FBE 1F57 1C6D';
    expect(wrapped(`  key ${fingerprint}  You <you@example.org>`, 40)).toEqual([
      '  key',
      `    ${fingerprint}`,
      '    You <you@example.org>',
    ]);
  });
});

test('the words of a sentence after a command are no part of it', () => {
  const message = 'keys.gpg: is missing or out of date: the next packsign build or packsign sign repairs it';
  expect(wrapped(`packsign: warning: ${message} (PUBLICATION_INCOMPLETE)`, 60)).toEqual([
    'packsign: warning: keys.gpg: is missing or out of date: the',
    '  next packsign build or packsign sign repairs it',
    '  (PUBLICATION_INCOMPLETE)',
  ]);
});

test('wide characters take two columns, marks and colours none', () => {
  const wide = '漢字漢字漢字漢字漢字';
  expect(wrapped(`${wide} ${wide}`, 40)).toEqual([wide, `  ${wide}`]);
  const marked = 'e\u0301'.repeat(20);
  expect(wrapped(`${marked} ${'x'.repeat(19)}`, 40)).toHaveLength(1);
  expect(wrapped(`\u001b[31m${'x'.repeat(20)}\u001b[39m ${'x'.repeat(19)}`, 40)).toHaveLength(1);
});

describe.runIf(hasTool('script'))('at a terminal', () => {
  test('a refusal has no line that is longer than the terminal is wide', async () => {
    const place = newPlace();
    const ann = await newKey('Ann');
    place.write('ann.asc', ann.signing);
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
    expect(await place.packsign(['build', 'dist', '--key', 'ann.asc'])).toMatchObject({ status: 0 });
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0', 'x = 2\n'));
    const { seen } = await atTerminal(place, ['build', 'dist', '--key', 'ann.asc']);
    expect(seen).toContain('or say why:\r\n  packsign build dist --allow-changed demo-1.0.tar.gz --reason');
    const { stdout } = await place.packsign(['export', 'dist', '--format', 'json']);
    expect((await atTerminal(place, ['export', 'dist', '--format', 'json'])).seen).toContain(
      stdout.replaceAll('\n', '\r\n'),
    );
  });
});

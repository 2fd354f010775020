// node scripts/picture.mjs [FILE]: draws docs/run.svg, the run of docs/KEYS.md that signs with a key in GnuPG. A test runs the same
// commands, and compares what they print with docs/KEYS.md, so the picture shows a real run.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './tools.mjs';

const COLUMNS = 84;
const ROWS = 20;

/** Breaks a line as a terminal does. */
function rows(line) {
  const pieces = line.match(new RegExp(`.{1,${COLUMNS}}`, 'gu')) ?? [''];
  return pieces.map((text, index) => ({ text, isTyped: index === 0 && line.startsWith('$ ') }));
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The picture of the session that begins with `cd dist`. */
function picture(document) {
  const [, session] = /^```console\n(\$ cd dist\n[^]*?)\n```$/m.exec(document);
  const shown = session.split('\n').flatMap(rows);
  if (shown.length > ROWS) throw new Error(`the run has ${shown.length} lines, more than fit`);
  const lines = shown.map(
    ({ text, isTyped }, index) =>
      `<text x="14" y="${26 + index * 18}"${isTyped ? ' class="typed"' : ''} xml:space="preserve">${escaped(text)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${COLUMNS * 7.9 + 28} ${shown.length * 18 + 26}" role="img" aria-label="packsign signs a directory">
<style>text{font:13px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d5dbe3}.typed{fill:#8ee08e}</style>
<rect width="100%" height="100%" rx="8" fill="#161b22"/>
${lines.join('\n')}
</svg>
`;
}

const target = process.argv[2] ?? join(ROOT, 'docs/run.svg');
writeFileSync(target, picture(readFileSync(join(ROOT, 'docs/KEYS.md'), 'utf8')));

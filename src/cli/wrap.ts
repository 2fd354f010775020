import { stripVTControlCharacters } from 'node:util';

/** A narrower terminal breaks the lines itself. */
const LEAST_COLUMNS = 40;

interface Screen {
  readonly write: (text: string) => unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Writes lines for people: a terminal gets those that are too long in several pieces, anything else as they are. */
export function writeLines(stream: Screen, lines: readonly string[]): void {
  const { isTTY = false, columns = 0 } = stream;
  const fitting = isTTY && columns > 0 ? lines.flatMap((line) => wrapped(line, columns)) : lines;
  for (const line of fitting) stream.write(`${line}\n`);
}

const OURS =
  'build|completion|diff|export|get|init|key|lint|list|merge|page|publish|serve|sign|split|status|trust|verify|watch|worker';
const OTHERS = 'aws|chmod|chown|echo|gpg|mkdir|mv|rm|ssh|tar|timedatectl';
/** What ends a command among words. */
const PROSE = ' (?:\\(|and |or |with |is |adds |removes |repairs |says |shows |takes |would )';
const ARGUMENTS = `(?!${PROSE}) (?:'[^']*'|"[^"]*"|(?!${PROSE})[^;,]|,(?! ))+`;
/** What is copied as a whole: a command with its arguments; or else a fingerprint in groups, or a word. */
const PIECES = new RegExp(
  ` *(?:((?:\\bpacksign (?:${OURS})\\b|(?<=: )(?:${OTHERS})(?= )|\\bgpg(?= --))${ARGUMENTS}[;,]?)|` +
    '(?:[0-9A-F]{4} {1,2}){9}[0-9A-F]{4}[;,]?|[^ ]+)',
  'g',
);

/** The lines that a line becomes on a terminal: a command has one of its own, and all but the first are indented more. */
export function wrapped(line: string, columns: number): readonly string[] {
  const limit = Math.max(columns, LEAST_COLUMNS);
  if (widthOf(line) <= limit) return [line];
  const indent = `${/^ */.exec(line)?.[0] ?? ''}  `;
  const lines: string[] = [];
  let current = '';
  let isAlone = false;
  for (const [piece, command] of line.matchAll(PIECES)) {
    const isNext = isAlone || command !== undefined || widthOf(current + piece) > limit;
    isAlone = command !== undefined;
    if (current.trim() !== '' && isNext) {
      lines.push(current);
      current = indent + piece.trimStart();
    } else {
      current += piece;
    }
  }
  return [...lines, current];
}

const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u;

/** How many columns a terminal gives to a text, nearly always. */
function widthOf(text: string): number {
  const shown = Array.from(stripVTControlCharacters(text).replace(/\p{M}|\u200d/gu, ''));
  return shown.length + shown.filter((character) => WIDE.test(character)).length;
}

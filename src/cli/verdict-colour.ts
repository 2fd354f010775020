/** SGR codes: a closed padlock is green, an open one yellow, a refusal red. */
const COLOURS: Readonly<Record<string, number>> = {
  authentic: 32,
  stale: 33,
  unauthenticated: 33,
  refused: 31,
};

/** The first line of an answer with its verdict in colour, as in `authentic (🔒 closed padlock): …`. */
export function inColour(line: string): string {
  const [, verdict = ''] = /^(\w+) \(/.exec(line) ?? [];
  const colour = COLOURS[verdict];
  return colour === undefined ? line : `\u001b[${colour}m${verdict}\u001b[39m${line.slice(verdict.length)}`;
}

import { wordsOf } from './command.js';
import type { Command, Listed } from './command.js';

const HEAD = `packsign signs a directory of release files, and checks what others signed.
usage: packsign COMMAND [directory] [options], or packsign alone for a status

`;

const FOOT = `
To begin: packsign key generate --user-id "Ada Lovelace <ada@example.org>"
          packsign build dist --key packsign-key.signing.asc
Every command explains itself, with examples: packsign COMMAND --help
For your shell: packsign completion bash, or zsh, or fish
Exit status: 0 done or verified, 1 packsign says no, 2 it could not be done.
`;

const GROUPS = { maintain: 'For maintainers:', trust: 'For users of a database:' } as const;

const COLUMN = 18;

/** The text of `packsign --help`: at most 80 columns and 40 lines. */
export function overview(commands: readonly Listed[]): string {
  const groups = Object.entries(GROUPS).map(([group, title]) => {
    const own = commands.filter((command) => command.group === group);
    const lines = own.map((one) => `  ${wordsOf(one).join(' ').padEnd(COLUMN)}${one.summary}\n`);
    return `${title}\n${lines.join('')}`;
  });
  const scale = commands
    .filter(({ group }) => group === 'scale')
    .map((one) => `packsign ${wordsOf(one).join(' ')}`);
  return `${HEAD}${groups.join('\n')}\nMany files or machines: ${scale.join(', ')}${FOOT}`;
}

const WIDTH = 80;

/** Each example with its meaning beside it, or below: yargs would break a line that people want to paste. */
export function examplesText(examples: Command['examples']): string {
  const widest = Math.max(...examples.map(([command]) => command.length));
  return examples
    .map(([command, meaning]) => {
      const isBeside = widest + 4 + meaning.length <= WIDTH;
      return `  ${isBeside ? command.padEnd(widest) : `${command}\n   `}  ${meaning}`;
    })
    .join('\n');
}

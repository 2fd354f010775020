import type { Listed } from './command.js';

const HEAD = `packsign signs a directory of built packages: it hashes every file, writes
the package database packages.plist, and signs that one file with your key.

usage: packsign COMMAND [directory] [options]

`;

const FOOT = `
To start from nothing:
  packsign key generate --user-id "Ada Lovelace <ada@example.org>"
  packsign build dist --key packsign-key.signing.asc
  packsign verify dist

Without a command packsign says what state this directory is in.
For your shell: packsign completion >> ~/.bashrc (or ~/.zshrc)
Every command explains itself, with examples: packsign COMMAND --help
Options of all: --json --quiet --verbose --no-color --help --version
Exit status: 0 done or verified, 1 packsign says no, 2 it could not be done.
`;

const GROUPS = { maintain: 'For maintainers:', trust: 'For users of a database:' } as const;

const COLUMN = 24;

/** The text of `packsign --help`: at most 80 columns. */
export function overview(commands: readonly Listed[]): string {
  const groups = Object.entries(GROUPS).map(([group, title]) => {
    const lines = commands.filter((command) => command.group === group).map(line);
    return `${title}\n${lines.join('')}`;
  });
  return HEAD + groups.join('\n') + FOOT;
}

function line({ usage, summary }: Listed): string {
  // A long name gets a line to itself.
  const name = usage.length < COLUMN ? usage.padEnd(COLUMN) : `${usage}\n${' '.repeat(COLUMN + 2)}`;
  return `  ${name}${summary}\n`;
}

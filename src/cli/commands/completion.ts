import { readFileSync } from 'node:fs';
import { PacksignError, nearestOf } from '../../index.js';
import type { Command } from '../command.js';
import { textOf } from '../options.js';
import { positional } from '../option.js';

const SHELLS = ['bash', 'zsh', 'fish'];

export const completionCommand: Command = {
  examples: [
    ['packsign completion bash > ~/.local/share/bash-completion/completions/packsign', 'for bash 4 or newer'],
    ['source <(packsign completion zsh)', 'in ~/.zshrc, after compinit'],
    ['packsign completion fish > ~/.config/fish/completions/packsign.fish', 'for fish'],
  ],
  positionals: { shell: positional('NAME', 'bash, zsh or fish', { choices: SHELLS }) },
  options: {},
  run: (values) => {
    const shell = textOf(values, 'shell') ?? '';
    if (!SHELLS.includes(shell)) {
      const hint = `packsign completion ${nearestOf(shell, SHELLS) ?? 'bash'}`;
      throw new PacksignError(
        'USAGE',
        `packsign has no completion for ${shell}, only for bash, zsh and fish`,
        { hint },
      );
    }
    // Three folders above the compiled file.
    const file = new URL(`../../../templates/completion/packsign.${shell}`, import.meta.url);
    const script = readFileSync(file, 'utf8');
    const lines = script.trimEnd().split('\n');
    return Promise.resolve({ json: { shell, script }, lines, isExact: true, exitStatus: 0 });
  },
};

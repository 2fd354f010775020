import { PacksignError, checkKeyFiles, generateKeyFiles, showKey } from '../../index.js';
import type { Command } from '../command.js';
import { flag, onUntilRefused, positional, single } from '../option.js';
import { PASSPHRASE_OPTION, isSet, life, lifeOf, nowFor, textOf } from '../options.js';
import { reportGenerated, reportKey } from '../report-keys.js';
import { newPassphrase } from '../secrets.js';

export const keyGenerateCommand: Command = {
  examples: [
    [
      'packsign key generate --user-id "Ada <ada@example.org>"',
      'write packsign-key.asc and three other files',
    ],
    [
      'packsign key generate --user-id "CI <ci@example.org>" --no-passphrase',
      'for a machine where nobody can type',
    ],
  ],
  options: {
    'user-id': single('TEXT', 'NAME <ADDRESS> of the person responsible', { demandOption: true }),
    output: single('FILE', 'file of the whole secret key', { default: 'packsign-key.asc' }),
    expires: life('how long the key is valid'),
    rsa: flag('RSA 4096 instead of Ed25519'),
    passphrase: onUntilRefused('lock it with a passphrase; --no-passphrase does not'),
    'passphrase-file': PASSPHRASE_OPTION,
  },
  run: async (values, { outside }) => {
    const output = textOf(values, 'output') ?? '';
    checkKeyFiles(output);
    const userId = (textOf(values, 'user-id') ?? '').trim();
    if (userId === '') throw new PacksignError('USAGE', '--user-id must be NAME <ADDRESS>');
    const passphrase =
      values['passphrase'] === false ? null : await newPassphrase(outside, textOf(values, 'passphrase-file'));
    const key = await generateKeyFiles({
      userId,
      output,
      passphrase,
      expiresInSeconds: lifeOf(values, 'expires'),
      rsa: isSet(values, 'rsa'),
      now: nowFor(outside),
    });
    return reportGenerated(key);
  },
};

export const keyShowCommand: Command = {
  examples: [
    ['packsign key show dist/keys.asc', 'what people are told to trust'],
    ['packsign key show key.asc --directory dist', 'and whether dist publishes it unchanged'],
  ],
  positionals: { key: positional('KEY', 'secret or public key file, or a GnuPG key') },
  options: {
    directory: single('FOLDER', 'directory with the keys.asc to compare it with', { default: '.' }),
  },
  run: async (values, { outside: { clock, environment } }) => {
    const directory = textOf(values, 'directory') ?? '.';
    return reportKey(await showKey(textOf(values, 'key') ?? '', { now: clock(), environment, directory }));
  },
};

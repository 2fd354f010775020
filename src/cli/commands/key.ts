import { PacksignError, checkKeyFiles, generateKeyFiles, parseDuration, showKey } from '../../index.js';
import type { Command } from '../command.js';
import { isSet, nowFor, single, textOf } from '../options.js';
import { reportKey } from '../report-keys.js';
import { reportGenerated } from '../report.js';
import { newPassphrase } from '../secrets.js';

const DEFAULT_OUTPUT = 'packsign-key.asc';
const DEFAULT_LIFE = '2y';

export const keyGenerateCommand: Command = {
  examples: [
    [
      'packsign key generate --user-id "Ada <ada@example.org>"',
      'write packsign-key.asc and its three companions',
    ],
    [
      'packsign key generate --user-id "CI <ci@example.org>" --no-passphrase',
      'for a machine that asks nobody',
    ],
  ],
  options: (yargs) =>
    yargs
      .option('user-id', single('NAME <ADDRESS> of the person responsible', { demandOption: true }))
      .option('output', single('file of the whole secret key', { default: DEFAULT_OUTPUT }))
      .option('expires', single('how long it lives: 2y, 180 days, none', { default: DEFAULT_LIFE }))
      .option('rsa', { type: 'boolean', default: false, describe: 'RSA 4096 in place of Ed25519' })
      .option('passphrase', {
        type: 'boolean',
        default: true,
        describe: 'lock it; --no-passphrase leaves it open',
      })
      .option('passphrase-file', single('file with the passphrase, - for standard input')),
  run: async (values, { outside }) => {
    const output = textOf(values, 'output') ?? DEFAULT_OUTPUT;
    checkKeyFiles(output);
    const userId = (textOf(values, 'user-id') ?? '').trim();
    if (userId === '') throw new PacksignError('USAGE', '--user-id wants NAME <ADDRESS>');
    const passphrase = isSet(values, 'passphrase')
      ? await newPassphrase(outside, textOf(values, 'passphrase-file'))
      : null;
    const key = await generateKeyFiles({
      userId,
      output,
      passphrase,
      expiresInSeconds: lifeOf(textOf(values, 'expires') ?? DEFAULT_LIFE),
      rsa: isSet(values, 'rsa'),
      now: nowFor(outside),
    });
    return reportGenerated(key);
  },
};

export const keyShowCommand: Command = {
  examples: [
    ['packsign key show dist/keys.asc', 'what people are told to trust'],
    ['packsign key show key.asc --directory dist', 'and whether dist publishes it as it is'],
  ],
  options: (yargs) =>
    yargs
      .positional('key', { type: 'string', describe: 'secret or public key file, or a GnuPG key' })
      .option('directory', single('directory whose keys.asc it is held against', { default: '.' })),
  run: async (values, { outside }) =>
    reportKey(
      await showKey(textOf(values, 'key') ?? '', {
        now: outside.clock(),
        environment: outside.environment,
        directory: textOf(values, 'directory') ?? '.',
      }),
    ),
};

function lifeOf(text: string): number | null {
  if (text === 'none' || text === 'never') return null;
  const seconds = parseDuration(text);
  if (seconds !== null) return Math.round(seconds);
  throw new PacksignError('USAGE', `--expires wants a time like 2y or 180 days, not "${text}"`);
}

import { checkBackupFile, extendKeyFile, revokeKeyFile, rotateKeyFile } from '../../index.js';
import type { ChangeKeyOptions } from '../../index.js';
import type { Command, Session } from '../command.js';
import { choice, positional, rare, single } from '../option.js';
import type { OptionTable } from '../option.js';
import {
  DIRECTORY,
  PASSPHRASE_OPTION,
  STATE_OPTION,
  WAIT_OPTION,
  life,
  lifeOf,
  placeOf,
  textOf,
} from '../options.js';
import type { Values } from '../options.js';
import { reportBackup, reportChangedKey } from '../report-keys.js';
import { writingRun } from '../run.js';
import { passphraseSource } from '../secrets.js';

const KEY_FILE = { file: positional('KEY', 'file of the whole secret key') };
const KEY_AND_DIRECTORY = { ...KEY_FILE, ...DIRECTORY };

const CHANGE_OPTIONS: OptionTable = {
  output: single('FILE', 'write the changed key to another file'),
  'passphrase-file': PASSPHRASE_OPTION,
  ...rare({ state: STATE_OPTION, wait: WAIT_OPTION }),
};

const REASONS = ['superseded', 'retired', 'compromised', 'unspecified'] as const;

export const keyExtendCommand: Command = {
  examples: [
    ['packsign key extend packsign-key.asc dist', 'expire two years from now'],
    ['packsign key extend packsign-key.asc dist --expires 90d', 'expire in ninety days'],
  ],
  positionals: KEY_AND_DIRECTORY,
  options: { expires: life('when it expires, counted from now'), ...CHANGE_OPTIONS },
  run: async (values, session) => {
    const options = optionsFor(values, session);
    const expires = expiryFrom(values, 'expires', options.run.now);
    return reportChangedKey(await extendKeyFile({ ...options, expires }), options);
  },
};

export const keyRotateCommand: Command = {
  examples: [
    ['packsign key rotate packsign-key.asc dist', 'supersede the old subkey at once'],
    ['packsign key rotate packsign-key.asc dist --old-expires 30d', 'let it sign for another 30 days'],
  ],
  positionals: KEY_AND_DIRECTORY,
  options: {
    expires: life('when the new subkey expires, counted from now'),
    'old-expires': single('TIME', 'let the old one expire then, instead of superseding it'),
    ...CHANGE_OPTIONS,
  },
  run: async (values, session) => {
    const options = optionsFor(values, session);
    const expires = expiryFrom(values, 'expires', options.run.now);
    const oldExpires =
      textOf(values, 'old-expires') === null ? null : expiryFrom(values, 'old-expires', options.run.now);
    return reportChangedKey(await rotateKeyFile({ ...options, expires, oldExpires }), options);
  },
};

export const keyRevokeCommand: Command = {
  examples: [
    ['packsign key revoke packsign-key.asc dist --reason retired', 'what it signed stays good'],
    ['packsign key revoke packsign-key.rev.asc dist', 'with the revocation certificate'],
  ],
  positionals: KEY_AND_DIRECTORY,
  options: {
    reason: choice(REASONS, 'why'),
    message: single('TEXT', 'explanation, for people'),
    subkey: single('FINGERPRINT', 'fingerprint of the subkey to revoke, instead of the whole key'),
    ...CHANGE_OPTIONS,
  },
  run: async (values, session) => {
    const options = optionsFor(values, session);
    const named = textOf(values, 'reason');
    const reason = REASONS.find((one) => one === named) ?? null;
    const text = textOf(values, 'message') ?? '';
    const subkey = textOf(values, 'subkey')?.replace(/\s/g, '').toUpperCase() ?? null;
    return reportChangedKey(await revokeKeyFile({ ...options, reason, text, subkey }), options);
  },
};

export const keyCheckBackupCommand: Command = {
  examples: [['packsign key check-backup /media/usb/packsign-key.asc', 'unlock it and let it sign']],
  positionals: KEY_FILE,
  options: { 'passphrase-file': PASSPHRASE_OPTION },
  run: async (values, session) => {
    const { passphrase } = passphraseSource(session.outside, textOf(values, 'passphrase-file'));
    const run = writingRun(values, session);
    return reportBackup(await checkBackupFile(textOf(values, 'file') ?? '', { passphrase, run }));
  },
};

function optionsFor(values: Values, session: Session): ChangeKeyOptions {
  const place = placeOf(values);
  const { directory, settings } = place;
  return {
    file: textOf(values, 'file') ?? '',
    output: textOf(values, 'output'),
    passphrase: passphraseSource(session.outside, textOf(values, 'passphrase-file')).passphrase,
    directory,
    page: settings.Page === true,
    run: writingRun(values, session, place),
  };
}

function expiryFrom(values: Values, name: string, now: Date): Date | null {
  const seconds = lifeOf(values, name);
  return seconds === null ? null : new Date(now.getTime() + seconds * 1000);
}

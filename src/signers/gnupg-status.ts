import { PacksignError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import type { ChildOutcome } from '../programs/child.js';

/** One status line, which GnuPG writes among its messages: a keyword and its arguments, whole tokens (threat T13). */
export interface StatusLine {
  readonly keyword: string;
  readonly args: readonly string[];
}

const MARK = '[GNUPG:]';

export function readStatus(messages: string): readonly StatusLine[] {
  return messages.split(/\r?\n/).flatMap((line) => {
    const [mark, keyword = '', ...args] = line.split(' ');
    return mark === MARK && keyword !== '' ? [{ keyword, args }] : [];
  });
}

interface Diagnosis {
  /** Error numbers of libgpg-error, the low 16 bits. */
  readonly numbers: readonly number[];
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

const DIAGNOSES: readonly Diagnosis[] = [
  {
    numbers: [77, 78, 180, 259],
    code: 'AGENT_UNREACHABLE',
    message: 'GnuPG cannot reach gpg-agent, which keeps its keys',
    hint: 'start it with gpgconf --launch gpg-agent; if its socket is forwarded from elsewhere, connect again',
  },
  {
    numbers: [108, 109, 110, 111, 112, 119, 253],
    code: 'CARD_MISSING',
    message: 'GnuPG cannot reach the smart card with the key',
    hint: 'insert the card and check it with gpg --card-status; on Debian, its driver is in the package scdaemon',
  },
  {
    // 32870: not a terminal.
    numbers: [85, 86, 177, 32_870],
    code: 'PASSPHRASE_NEEDED',
    message: 'gpg-agent could not ask for the passphrase: it has no pinentry, or no terminal for it',
    hint: 'give it with --passphrase-file FILE or in PACKSIGN_PASSPHRASE; at a terminal: export GPG_TTY=$(tty)',
  },
  {
    numbers: [62, 99, 114, 198],
    code: 'PASSPHRASE_NEEDED',
    message: 'the passphrase prompt was cancelled or not answered',
    hint: 'try again, or give it with --passphrase-file FILE or in PACKSIGN_PASSPHRASE',
  },
  {
    numbers: [11, 31],
    code: 'PASSPHRASE_WRONG',
    message: 'that is not the passphrase of the key',
    hint: 'try it with gpg itself: echo test | gpg --clearsign',
  },
  {
    numbers: [17],
    code: 'NO_KEY',
    message: 'gpg-agent does not have the secret half of the key',
    hint: 'gpg --list-secret-keys shows its keys; # marks those kept elsewhere, > those on a card',
  },
  {
    numbers: [54],
    code: 'KEY_UNUSABLE',
    message: 'GnuPG refuses to sign with the key',
    hint: 'packsign key show KEY says what is wrong with it',
  },
];

/** Why GnuPG did not do what it was asked to. `what` ends the sentence "gpg …". */
export function gnupgError(outcome: ChildOutcome, what: string): PacksignError {
  if (outcome.trouble === 'missing' || outcome.trouble === 'not-started') {
    return new PacksignError('GNUPG_MISSING', 'there is no program gpg to sign with', {
      hint: 'install GnuPG, or name a key file with --key FILE',
    });
  }
  if (outcome.trouble === 'timeout') {
    return new PacksignError('SIGNER_TIMED_OUT', `gpg did not answer in time${lastWords(outcome)}`, {
      hint: 'look for a passphrase prompt, or give it longer with --signer-timeout 10min',
    });
  }
  const number = errorNumber(readStatus(outcome.stderr));
  const { code, message, hint } = DIAGNOSES.find(({ numbers }) => numbers.includes(number ?? -1)) ?? {
    code: 'GNUPG_FAILED',
    message: `gpg ${what}${lastWords(outcome)}`,
    hint: 'gpg itself may say more: echo test | gpg --clearsign',
  };
  return new PacksignError(code, message, { hint });
}

/** The number of the last failure in the status lines; null if they report none. */
export function errorNumber(lines: readonly StatusLine[]): number | null {
  const failure = lines.findLast(({ keyword }) => keyword === 'FAILURE' || keyword === 'ERROR');
  return failure === undefined ? null : Number(failure.args[1]) & 0xffff;
}

function lastWords({ stderr }: ChildOutcome): string {
  const last = stderr.split(/\r?\n/).findLast((line) => line.trim() !== '' && !line.startsWith(MARK)) ?? '';
  return last === '' ? '' : `: ${last.replace(/^gpg: /, '')}`;
}

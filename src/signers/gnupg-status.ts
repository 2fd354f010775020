import type { ErrorCode } from '../errors.js';
import { PacksignError } from '../errors.js';
import type { ChildOutcome } from './child.js';

/** One line of GnuPG's status descriptor: a keyword and its arguments, whole tokens (threat T13). */
export interface StatusLine {
  readonly keyword: string;
  readonly args: readonly string[];
}

export function readStatus(report: string): readonly StatusLine[] {
  return report.split('\n').flatMap((line) => {
    const [mark, keyword, ...args] = line.split(' ');
    return mark === '[GNUPG:]' && keyword !== undefined && keyword !== '' ? [{ keyword, args }] : [];
  });
}

interface Diagnosis {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

const NO_AGENT: Diagnosis = {
  code: 'AGENT_UNREACHABLE',
  message: 'GnuPG cannot reach gpg-agent, which keeps its keys',
  hint: 'start it with gpgconf --launch gpg-agent; if its socket is forwarded from elsewhere, connect again',
};
const NO_CARD: Diagnosis = {
  code: 'CARD_MISSING',
  message: 'the smart card with the key cannot be reached',
  hint: 'put it in and look at it with gpg --card-status; Debian has its driver in the package scdaemon',
};
const NO_PROMPT: Diagnosis = {
  code: 'PASSPHRASE_NEEDED',
  message: 'gpg-agent could not ask for the passphrase: it has no pinentry, or no terminal for it',
  hint: 'give it with --passphrase-file FILE or in PACKSIGN_PASSPHRASE; at a terminal: export GPG_TTY=$(tty)',
};
const CANCELLED: Diagnosis = {
  code: 'PASSPHRASE_NEEDED',
  message: 'the question for the passphrase was cancelled, or nobody answered it',
  hint: 'try again, or give it with --passphrase-file FILE or in PACKSIGN_PASSPHRASE',
};
const WRONG: Diagnosis = {
  code: 'PASSPHRASE_WRONG',
  message: 'that is not the passphrase of the key',
  hint: 'try it with gpg itself: echo test | gpg --clearsign',
};
const NOT_HERE: Diagnosis = {
  code: 'NO_KEY',
  message: 'gpg-agent does not have the secret half of the key',
  hint: 'gpg --list-secret-keys shows what is there; # marks what is kept elsewhere, > what is on a card',
};
const UNUSABLE: Diagnosis = {
  code: 'KEY_UNUSABLE',
  message: 'GnuPG will not sign with the key',
  hint: 'packsign key show KEY says what is wrong with it',
};

/** Error numbers of libgpg-error, its low 16 bits. */
const DIAGNOSES: ReadonlyMap<number, Diagnosis> = new Map([
  ...[77, 78, 180, 259].map((number) => [number, NO_AGENT] as const),
  ...[108, 109, 110, 111, 112, 119, 253].map((number) => [number, NO_CARD] as const),
  // 32870: not a terminal.
  ...[85, 86, 177, 32_870].map((number) => [number, NO_PROMPT] as const),
  ...[62, 99, 114, 198].map((number) => [number, CANCELLED] as const),
  ...[11, 31].map((number) => [number, WRONG] as const),
  [17, NOT_HERE],
  [54, UNUSABLE],
]);

/** What kept GnuPG from doing what it was asked to. `what` ends the sentence "gpg …". */
export function gnupgError(outcome: ChildOutcome, what: string): PacksignError {
  if (outcome.trouble === 'missing' || outcome.trouble === 'not-started') {
    return new PacksignError('GNUPG_MISSING', 'there is no program gpg to sign with', {
      hint: 'install GnuPG, or name a key file with --key FILE',
    });
  }
  if (outcome.trouble === 'timeout') {
    return new PacksignError('SIGNER_TIMED_OUT', `gpg did not answer in time${said(outcome)}`, {
      hint: 'look for a question for the passphrase, or give it longer with --signer-timeout 10min',
    });
  }
  const number = errorNumber(readStatus(outcome.report));
  const diagnosis = number === null ? undefined : DIAGNOSES.get(number);
  if (diagnosis === undefined) {
    return new PacksignError('GNUPG_FAILED', `gpg ${what}${said(outcome)}`, {
      hint: 'the same with gpg itself may say more: echo test | gpg --clearsign',
    });
  }
  const { code, message, hint } = diagnosis;
  return new PacksignError(code, message, { hint });
}

/** The number of the last failure that the status lines tell; null where they tell none. */
export function errorNumber(lines: readonly StatusLine[]): number | null {
  const told = lines.flatMap(({ keyword, args }) => {
    return keyword === 'FAILURE' || keyword === 'ERROR' ? [Number(args[1]) & 0xffff] : [];
  });
  return told.at(-1) ?? null;
}

/** GnuPG's own last words. */
function said({ stderr }: ChildOutcome): string {
  const last = stderr.trim().split('\n').at(-1) ?? '';
  return last === '' ? '' : `: ${last.replace(/^gpg: /, '')}`;
}

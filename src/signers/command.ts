import { PacksignError } from '../errors.js';
import type { Certificate } from '../pgp/certificate.js';
import { chooseSigningKey } from '../pgp/key-status.js';
import { requireValid } from '../pgp/usable.js';
import { runChild } from '../programs/child.js';
import type { ChildOutcome } from '../programs/child.js';
import { requireMade } from './made.js';
import { signerOf } from './signer.js';
import type { Circumstances, Signer } from './signer.js';

export interface CommandSignerOptions extends Circumstances {
  /** The certificate of the key that the command signs with. */
  readonly certificate: Certificate;
  readonly date: Date;
}

/**
 * A signer that runs a command, which reads the bytes from standard input and writes a detached signature to standard
 * output.
 *
 * @throws {PacksignError} `USAGE`: no command, or an open quote. As `requireUsable`, if the certificate's key cannot
 * sign. Signing throws `SIGNER_FAILED`, `SIGNER_TIMED_OUT`, `SELF_CHECK_FAILED`.
 */
export function commandSigner(command: string, options: CommandSignerOptions): Signer {
  const argv = splitCommand(command);
  const [program = ''] = argv;
  const { certificate, onNotice } = options;
  const { key } = requireValid(certificate, chooseSigningKey(certificate, options.date));
  return signerOf(certificate, key, async (content, { date }) => {
    const outcome = await runChild(argv, { ...options, input: content.bytes });
    for (const line of outcome.stderr.split('\n')) if (line.trim() !== '') onNotice(line);
    requireSuccess(outcome, program);
    return await requireMade(outcome.stdout, { certificate, key, content, date, by: program });
  });
}

/** Where the user typed a command, for messages. */
export interface TypedAt {
  readonly after: string;
  /** An example. */
  readonly hint: string;
}

const AT_KEY: TypedAt = { after: 'exec:', hint: "--key 'exec:sqop sign key.asc' --certificate cert.asc" };

/**
 * Splits a command into words as a shell does, with quotes and backslashes, and does nothing else. On Windows, where
 * paths have backslashes, each stands for itself. Throws USAGE.
 */
export function splitCommand(
  command: string,
  { after, hint }: TypedAt = AT_KEY,
  platform = process.platform,
): readonly string[] {
  const words: string[] = [];
  const isWindows = platform === 'win32';
  const word = isWindows
    ? /\s*((?:[^\s'"]|'[^']*'|"[^"]*")+)/y
    : /\s*((?:[^\s'"\\]|\\[^]|'[^']*'|"(?:[^"\\]|\\[^])*")+)/y;
  const text = command.trim();
  while (word.lastIndex < text.length) {
    const found = word.exec(text)?.[1];
    if (found === undefined)
      throw new PacksignError('USAGE', `the command after ${after} has an open quote`, { hint });
    words.push(isWindows ? found.replace(/'([^']*)'|"([^"]*)"/g, '$1$2') : unquoted(found));
  }
  if (words.length > 0) return words;
  throw new PacksignError('USAGE', `missing command after ${after}`, { hint });
}

function unquoted(word: string): string {
  return word.replace(/'[^']*'|"(?:[^"\\]|\\[^])*"|\\[^]/g, (part) => {
    if (part.startsWith("'")) return part.slice(1, -1);
    return part.startsWith('"') ? part.slice(1, -1).replace(/\\(["\\])/g, '$1') : part.slice(1);
  });
}

function requireSuccess(outcome: ChildOutcome, program: string): void {
  if (outcome.trouble === 'timeout') {
    throw new PacksignError('SIGNER_TIMED_OUT', `${program} did not sign in time`, {
      hint: 'give it longer with --signer-timeout 10min',
    });
  }
  const failure = failureOf(outcome, program);
  if (failure === null) return;
  throw new PacksignError('SIGNER_FAILED', failure, { hint: 'nothing was signed; see its output above' });
}

/** What went wrong; null for nothing. Names only the program: its arguments may hold secrets of the user. */
export function failureOf({ trouble, status }: ChildOutcome, program: string): string | null {
  if (trouble === null && status === 0) return null;
  const ended = status === null ? 'was ended by a signal' : `ended with status ${status}`;
  const message = {
    missing: `there is no program ${program}`,
    'not-started': `${program} could not be started`,
    timeout: `${program} did not end in time`,
    'too-much-output': `${program} wrote more than 4 MiB, and was ended`,
  };
  return trouble === null ? `${program} ${ended}` : message[trouble];
}

import { PacksignError } from '../errors.js';
import { wholeSeconds } from '../model/time.js';
import type { Certificate } from '../pgp/certificate.js';
import { runChild } from './child.js';
import type { ChildOutcome } from './child.js';
import { contentOf } from '../pgp/content.js';
import { requireMade } from './made.js';
import type { Circumstances, Signer } from './signer.js';
import { chooseSigningKey, keyStatusToSign } from '../pgp/key-status.js';
import { requireValid } from '../pgp/usable.js';

export interface CommandSignerOptions extends Circumstances {
  /** Of the key that the command signs with. */
  readonly certificate: Certificate;
  readonly date: Date;
}

/**
 * A signer that is a command: the bytes on its standard input, a detached signature on its standard output.
 *
 * @throws {PacksignError} `USAGE`: no command, or an open quote. As `requireUsable` where the certificate's key cannot
 * sign. Signing throws `SIGNER_FAILED`, `SIGNER_TIMED_OUT`, `SELF_CHECK_FAILED`.
 */
export function commandSigner(command: string, options: CommandSignerOptions): Signer {
  const argv = splitCommand(command);
  const [program = ''] = argv;
  const { certificate, onNotice } = options;
  const { key } = requireValid(certificate, chooseSigningKey(certificate, options.date));
  return {
    fingerprint: certificate.fingerprint,
    certificate,
    signingKey: key.fingerprint,
    sign: async (document, { date }) => {
      const created = wholeSeconds(date);
      requireValid(certificate, keyStatusToSign(certificate, key, created));
      const content = document instanceof Uint8Array ? contentOf(document) : document;
      const outcome = await runChild(argv, { ...options, input: content.bytes });
      for (const line of outcome.stderr.split('\n')) if (line.trim() !== '') onNotice(line);
      requireSuccess(outcome, program);
      return await requireMade(outcome.stdout, { certificate, key, content, date: created, by: program });
    },
  };
}

const HINT = "--key 'exec:sqop sign key.asc' --certificate cert.asc";

/** Words as a shell would cut them, with quotes and backslashes, and nothing else that shells do. Throws USAGE. */
export function splitCommand(command: string): readonly string[] {
  const words: string[] = [];
  const word = /\s*((?:[^\s'"\\]|\\[^]|'[^']*'|"(?:[^"\\]|\\[^])*")+)/y;
  const text = command.trim();
  while (word.lastIndex < text.length) {
    const found = word.exec(text)?.[1];
    if (found === undefined)
      throw new PacksignError('USAGE', 'the command after exec: has an open quote', { hint: HINT });
    words.push(unquoted(found));
  }
  if (words.length > 0) return words;
  throw new PacksignError('USAGE', 'exec: wants a command', {
    hint: HINT,
  });
}

function unquoted(word: string): string {
  return word.replace(/'[^']*'|"(?:[^"\\]|\\[^])*"|\\[^]/g, (part) => {
    if (part.startsWith("'")) return part.slice(1, -1);
    return part.startsWith('"') ? part.slice(1, -1).replace(/\\(["\\])/g, '$1') : part.slice(1);
  });
}

// The program alone is named: its arguments are the user's own business, and may be delicate.
function requireSuccess({ trouble, status }: ChildOutcome, program: string): void {
  if (trouble === 'timeout') {
    throw new PacksignError('SIGNER_TIMED_OUT', `${program} did not sign in time`, {
      hint: 'give it longer with --signer-timeout 10min',
    });
  }
  const failed = (what: string) =>
    new PacksignError('SIGNER_FAILED', what, { hint: 'nothing was signed; what it said stands above' });
  if (trouble === 'missing') throw failed(`there is no program ${program}`);
  if (trouble === 'not-started') throw failed(`${program} could not be started`);
  if (trouble === 'too-much-output') throw failed(`${program} wrote more than a signature`);
  if (status !== 0)
    throw failed(`${program} ${status === null ? 'was ended by a signal' : `ended with status ${status}`}`);
}

import { on } from 'node:events';
import { readFileSync } from 'node:fs';
import { PacksignError, once, reasonOf } from '../index.js';
import { readTyped } from './prompt.js';
import { canAsk } from './streams.js';
import type { Outside } from './streams.js';
import { harmless } from './terminal.js';

/** Returns the passphrase of a key; null if there is no way to get it. */
export interface PassphraseSource {
  /** Asks at the terminal if the user gave none. */
  readonly passphrase: (label: string) => Promise<string | null>;
  /** Does not ask. */
  readonly givenPassphrase: () => Promise<string | null>;
}

/**
 * Reads passphrases from the file that the user named, else PACKSIGN_PASSPHRASE, else a prompt that does not echo. Never
 * from the command line (threat T19). Reads each once.
 */
export function passphraseSource(outside: Outside, file: string | null): PassphraseSource {
  const given = once(() => givenPassphrase(outside, file));
  const passphrase = async (label: string) => {
    const known = await given();
    if (known !== null || !canAsk(outside)) return known;
    return await readTyped(outside, { prompt: `passphrase for ${harmless(label)}: `, isHidden: true });
  };
  return { passphrase, givenPassphrase: given };
}

/**
 * A new passphrase, asked twice; null if the user types none. Without a passphrase or a terminal it throws
 * PASSPHRASE_NEEDED, so that nobody leaves a key unlocked by mistake. Throws PASSPHRASE_WRONG if the two differ.
 */
export async function newPassphrase(outside: Outside, file: string | null): Promise<string | null> {
  const given = (await givenPassphrase(outside, file)) ?? '';
  if (given !== '') return given;
  if (file !== null || !canAsk(outside)) throw needed();
  const askFor = async (prompt: string) => {
    const typed = await readTyped(outside, { prompt, isHidden: true });
    if (typed === null) throw needed();
    return typed;
  };
  const first = await askFor('passphrase for the new key (empty for none): ');
  const second = await askFor('repeat the passphrase: ');
  if (first !== second) throw new PacksignError('PASSPHRASE_WRONG', 'the two passphrases differ');
  return first === '' ? null : first;
}

function needed(): PacksignError {
  return new PacksignError('PASSPHRASE_NEEDED', 'a new key needs a passphrase', {
    hint: 'give it with --passphrase-file FILE or in PACKSIGN_PASSPHRASE, or leave it out with --no-passphrase',
  });
}

async function givenPassphrase({ stdin, environment }: Outside, file: string | null): Promise<string | null> {
  if (file === '-') return firstLine(await readAll(stdin));
  if (file !== null) return firstLine(readPassphraseFile(file));
  return environment['PACKSIGN_PASSPHRASE'] ?? null;
}

function readPassphraseFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const message = `cannot read the passphrase file ${file}: ${reasonOf(cause)}`;
    throw new PacksignError('FILE_UNREADABLE', message, { cause });
  }
}

function firstLine(lines: string): string {
  return lines.replace(/\r?\n[^]*$/, '');
}

/** Far more than keys and passphrases take. */
const INPUT_LIMIT_BYTES = 4 * 1024 * 1024;

/** All of standard input, which may be endless. Throws FILE_UNREADABLE. */
async function readAll(stdin: Outside['stdin']): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    chunks.push(Buffer.from(chunk));
    size += chunk.length;
    if (size > INPUT_LIMIT_BYTES) throw new PacksignError('FILE_UNREADABLE', 'standard input does not end');
  }
  return Buffer.concat(chunks).toString();
}

const ARMOR_END = /^-----END PGP [A-Z ]+-----[\t\r ]*$/m;

/** Reads a key that the user pastes, up to its last line; without a terminal, all of the input. Throws KEYS_MALFORMED. */
export async function readPasted(outside: Outside): Promise<string> {
  const { stdin, stderr } = outside;
  if (!canAsk(outside)) return `${(await readAll(stdin)).trim()}\n`;
  stderr.write('paste the public key, with its first and last line:\n');
  let pasted = '';
  for await (const [chunk] of on(stdin, 'data', { close: ['end'] }) as AsyncIterable<[Buffer | string]>) {
    pasted += chunk.toString();
    if (!ARMOR_END.test(pasted)) continue;
    stdin.pause();
    return `${pasted.trim()}\n`;
  }
  throw new PacksignError('KEYS_MALFORMED', 'the input ended before the last line of a key', {
    hint: 'paste all of it, or name a file with --keys FILE',
  });
}

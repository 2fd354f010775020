import { readFileSync } from 'node:fs';
import { PacksignError, once, reasonOf } from '../index.js';
import { readTyped } from './prompt.js';
import { canAsk } from './streams.js';
import type { Outside } from './streams.js';
import { harmless } from './terminal.js';

/** Gives the passphrase of a key, or null when there is nowhere to get it from. */
export interface PassphraseSource {
  /** Asks at the terminal where none was given. */
  readonly passphrase: (label: string) => Promise<string | null>;
  /** Asks nobody. */
  readonly givenPassphrase: () => Promise<string | null>;
}

/**
 * Where passphrases come from: the file named, else PACKSIGN_PASSPHRASE, else a prompt that does not echo.
 * Never the command line (threat T19). Each is fetched once.
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
 * A new passphrase, asked twice; null where a person wants none. Throws PASSPHRASE_NEEDED where there is
 * nobody to ask and nothing was given: a key is never left open by mistake. PASSPHRASE_WRONG when the two differ.
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
  const second = await askFor('the same again: ');
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
  } catch (error) {
    throw new PacksignError(
      'FILE_UNREADABLE',
      `cannot read the passphrase file ${file}: ${reasonOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

function firstLine(text: string): string {
  return text.replace(/\r?\n[^]*$/, '');
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

const ARMOR_END = /^-----END PGP [A-Z ]+-----[\t\r ]*$/m;

/** A key that is pasted, up to its last line; to the end of the input where nobody types. Throws KEYS_MALFORMED. */
export async function readPasted(outside: Outside): Promise<string> {
  const { stdin, stderr } = outside;
  if (!canAsk(outside)) return `${(await readAll(stdin)).trim()}\n`;
  stderr.write('paste the public key, with its first and last line:\n');
  return await new Promise((resolve, reject) => {
    let text = '';
    const settle = (outcome: () => void) => () => {
      stdin.pause();
      stdin.off('data', take);
      stdin.off('end', end);
      stdin.off('error', fail);
      outcome();
    };
    const done = settle(() => resolve(`${text.trim()}\n`));
    const end = settle(() =>
      reject(
        new PacksignError('KEYS_MALFORMED', 'the input ended before the last line of a key', {
          hint: 'paste all of it, or name a file with --keys FILE',
        }),
      ),
    );
    const fail = (error: Error) => settle(() => reject(error))();
    const take = (chunk: Buffer | string) => {
      text += chunk.toString();
      if (ARMOR_END.test(text)) done();
    };
    stdin.on('data', take);
    stdin.on('end', end);
    stdin.on('error', fail);
  });
}

import type { Attention, SignerStatus, StatusResult, WaitingStatus } from '../index.js';
import { signingCommand } from './report.js';
import type { KeyBy } from './report.js';
import { shown } from './terminal.js';

/** The most pressing thing about a directory, and what to type about it. */
export interface Step {
  /** The verdict. */
  readonly words: string;
  /** What else the verdict says of `attention`. */
  readonly says: readonly Attention[];
  /** In the form of a hint; null if there is nothing to do. */
  readonly next: string | null;
}

const BUSY = 'another packsign is at work here';
const OUTDATED = 'a database waits to be signed, but there are newer changes';
const LOST = 'packages.plist is missing';
const BLOCKED = 'published, and the next release is blocked';
const UNKNOWN = 'published; what waits to be signed is unknown';
const INCOMPLETE = 'published, but files of the publication are missing or out of date';

/** The words for each state in which something waits. */
const WAITING: Readonly<Partial<Record<StatusResult['state'], string>> & { readonly waiting: string }> = {
  waiting: 'a database waits to be signed',
  unsigned: 'nothing is published here yet',
  stale: 'published, but expired: readers are warned',
  changed: 'published, and changes wait to be signed',
};

/** What is known about the keys that sign. */
export interface KnownKeys {
  readonly keyBy: KeyBy;
  /** Those that are named, and those that this machine has. */
  readonly keys: readonly string[];
  /** The file of a new one. */
  readonly newKey: string;
}

/** What `status` answers, by what cannot wait. */
export function stepOf(result: StatusResult, known: KnownKeys): Step {
  const { state, attention, lock, ok } = result;
  const extending = extendingOf(result, known);
  const needs = (code: Attention) => attention.includes(code);
  const step = (words: string, next: string | null, ...says: readonly Attention[]) => ({ words, says, next });
  if (lock?.state === 'held' && !ok) return step(BUSY, 'when it is done: packsign status DIRECTORY');
  if (state !== 'unsigned' && isKeyless(result)) {
    return step('published, but the key that signs has expired', extending, 'KEY_EXPIRED');
  }
  const elsewhere = result.waiting === null ? null : signingElsewhere(result.waiting, result, known);
  if (elsewhere !== null) return step(WAITING.waiting, elsewhere);
  if (result.message !== null) return step(troubleOf(result), hintOf(result, known));
  const isOutdated = result.waiting?.current === false;
  const signing = signingWith(state === 'waiting' && !isOutdated ? 'sign' : 'build', result, known);
  const waiting = isOutdated ? OUTDATED : WAITING[state];
  if (waiting !== undefined) return step(waiting, signing, 'DATABASE_STALE');
  if (needs('REVOCATION_WAITS')) {
    return step('published, and a revocation waits', `with a key other than the revoked one: ${signing}`);
  }
  if (needs('PUBLICATION_INCOMPLETE')) {
    return step(INCOMPLETE, repairOf(result, signing), 'PUBLICATION_INCOMPLETE');
  }
  if (needs('UNSENT')) return step('signed, and not sent yet', 'packsign publish DIRECTORY', 'UNSENT');
  if (needs('EXPIRES_SOON')) return step('published, and expires soon', signing, 'EXPIRES_SOON');
  if (needs('KEY_EXPIRED')) return step('published; a key has expired', extending, 'KEY_EXPIRED');
  if (needs('KEY_EXPIRES_SOON')) return step('published; a key expires soon', extending, 'KEY_EXPIRES_SOON');
  return step('published and up to date', null);
}

/** Where the files are not here, a host only signs, and another one publishes; null if this is not about that. */
function signingElsewhere(
  { signed, threshold, current }: WaitingStatus,
  { attention }: StatusResult,
  { keyBy }: KnownKeys,
): string | null {
  const isComplete = signed.length >= threshold;
  if (attention.includes('NOTHING_TO_LIST')) {
    return isComplete
      ? 'carry packages.unsigned.plist.asc to the host that publishes, and type there packsign sign'
      : `${signingCommand('sign', keyBy)} --without-files`;
  }
  return isComplete && current && attention.includes('WAITING') ? 'packsign sign DIRECTORY' : null;
}

/** A wrong key of the settings is corrected there. What is built with a known key is signed too. */
function hintOf({ attention, hint }: StatusResult, { keyBy }: KnownKeys): string | null {
  const isMissing = keyBy === 'Key' && attention.includes('NO_KEY');
  if (isMissing) return 'correct "Key" in packsign.json';
  if (keyBy === null || hint === null) return hint;
  return hint.replace(/packsign build DIRECTORY(?![^;]*--key)[^;]*/g, (command) => `${command} --key FILE`);
}

/** How to sign: with the key that is named or found, or with a first one. */
function signingWith(
  command: 'build' | 'sign',
  { state }: StatusResult,
  { keyBy, keys, newKey }: KnownKeys,
): string {
  const signing = signingCommand(command, keyBy);
  if (keyBy !== null) return signing;
  if (keys.length > 0) return `name one of ${keys.join(', ')}: ${signing}`;
  if (state !== 'unsigned') return signing;
  const make = `packsign key generate --user-id "NAME <ADDRESS>" --output ${shown(newKey)}`;
  return `no key is named, and packsign found none: ${make}`;
}

/** How the key that signs gets a new expiry: where it is, if that is known. */
function extendingOf({ signers }: StatusResult, { keys: [key = ''] }: KnownKeys): string {
  const inGnupg = gnupgExtending(
    signers.find(({ fingerprint }) => fingerprint === key.toUpperCase()) ?? firstToExpire(signers),
    key,
  );
  if (/^[0-9A-F]{40}$|^[^/\\]+@[^/\\]+$/i.test(key)) return inGnupg;
  const whole = key.endsWith('.signing.asc') ? shown(key.replace(/signing\.asc$/, 'asc')) : 'KEY';
  const extending = `with the whole key, which may be offline: packsign key extend ${whole} DIRECTORY`;
  return key === '' ? `${extending}; if it is in GnuPG: ${inGnupg}` : extending;
}

/** GnuPG extends the primary key alone, unless a subkey is named: then that one alone. */
function gnupgExtending(signer: SignerStatus | undefined, key: string): string {
  const word = shown(key === '' ? (signer?.fingerprint ?? 'KEY') : key);
  const subkey = signer?.subkey == null ? '' : ` ${signer.subkey}`;
  return `gpg --quick-set-expire ${signer?.fingerprint ?? word} 2y${subkey} && packsign key publish DIRECTORY --key ${word}`;
}

function firstToExpire(signers: readonly SignerStatus[]): SignerStatus | undefined {
  const ends = ({ expires }: SignerStatus) => expires?.getTime() ?? Infinity;
  return signers.toSorted((a, b) => ends(a) - ends(b))[0];
}

/** Whether no key is left that could sign. */
function isKeyless({ signers }: StatusResult): boolean {
  return signers.length > 0 && signers.every(({ expired }) => expired);
}

function troubleOf({ state, attention, difference }: StatusResult): string {
  switch (state) {
    case 'invalid':
      return 'what is published does not verify';
    case 'foreign':
      return 'packages.plist was not made by packsign';
    case 'published':
      return BLOCKED;
    case 'changed':
      return difference === null ? UNKNOWN : BLOCKED;
    case 'unsigned':
      return attention.includes('PREVIOUS_UNKNOWN') ? LOST : (WAITING[state] ?? '');
    default:
      return WAITING[state] ?? '';
  }
}

/** Checksums are signed; all other files are mended without a key, or by a person. */
function repairOf({ warnings }: StatusResult, signing: string): string {
  const lost = warnings.filter(({ code }) => code === 'PUBLICATION_INCOMPLETE');
  if (lost.some(({ path }) => path === 'SHA256SUMS')) return signing;
  if (lost.length > 0) return 'packsign build DIRECTORY';
  const message = warnings.find(({ code }) => code === 'PAGE_EDITED')?.message;
  if (message === undefined)
    return 'read the warning, fix the file, and check again: packsign status DIRECTORY';
  const option = message.includes('--template DIR') ? '--template DIR' : '--force';
  return `to replace the page with a new one: packsign page DIRECTORY ${option}`;
}

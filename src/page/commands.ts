import { shellWord } from '../model/shell.js';

/** One way to check the database with a program. */
export interface CommandLine {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  /** The lines to paste. */
  readonly lines: readonly string[];
  /** What the program prints if all is well. */
  readonly good: readonly string[];
  /** What it prints if not. */
  readonly bad: readonly string[];
  readonly note: string | null;
}

export interface CommandSource {
  /** Null if the database gives no address: the page fills in its own. */
  readonly url: string | null;
  readonly fingerprints: readonly string[];
  readonly threshold: number;
  readonly userId: string;
}

/** Stands for an address that only the browser knows. No address looks like it. */
export const PLACEHOLDER = 'ADDRESS-OF-THIS-PAGE';

/** The lines that users paste. Text from the database is quoted for a shell. */
export function commandsFor(source: CommandSource): readonly CommandLine[] {
  const url = source.url ?? `${PLACEHOLDER}/packages.plist`;
  const beside = (name: string) => shellWord(url.replace(/[^/]*$/, name));
  const fetch = `curl -fsSL -o packages.plist ${shellWord(url)} -o packages.plist.asc ${beside('packages.plist.asc')} -o keys.asc ${beside('keys.asc')}`;
  return [packsign(source, url), gpg(source, fetch), sq(source, fetch), packman(url)];
}

function packsign({ fingerprints, threshold }: CommandSource, url: string): CommandLine {
  const pins = fingerprints.map((fingerprint) => ` --fingerprint ${fingerprint}`).join('');
  // Without the option, all of the keys must have signed.
  const least = threshold === fingerprints.length ? '' : ` --threshold ${threshold}`;
  return {
    id: 'packsign',
    title: 'packsign',
    about:
      'Remembers the key, and says whether what you get is signed by it, complete, current and unchanged.',
    lines: [`packsign trust add ${shellWord(url)}${pins}${least}`, `packsign verify ${shellWord(url)}`],
    good: ['trusted from now on', `authentic (🔒 closed padlock): ${url}`],
    bad: [
      'packsign: error: keys.asc … does not hold …',
      `refused (refusal): ${url}: no good signature by a trusted key (SIGNATURE_INVALID)`,
    ],
    note: 'Anything but authentic means: do not use it. Stale means signed, but no longer current.',
  };
}

function gpg({ threshold, userId }: CommandSource, fetch: string): CommandLine {
  const from = threshold > 1 ? `${threshold} different keys of this page` : `"${userId}"`;
  return {
    id: 'gpg',
    title: 'GnuPG',
    about:
      'Says who signed the database. Compare the fingerprint that it prints with the one above, every digit.',
    lines: [fetch, 'gpg --import keys.asc', 'gpg --verify packages.plist.asc packages.plist'],
    good: [`gpg: Good signature from ${from}`, 'Primary key fingerprint: the one above'],
    bad: ['gpg: BAD signature from …', "gpg: Can't check signature: No public key"],
    note: 'gpg warns that the key is not certified with a trusted signature until you have told it that you compared the fingerprint. gpg does not know that the database expires.',
  };
}

function sq({ fingerprints: [first = ''], threshold }: CommandSource, fetch: string): CommandLine {
  const least = threshold > 1 ? ` -n ${threshold}` : '';
  return {
    id: 'sq',
    title: 'Sequoia',
    about: 'Says which keys signed the database.',
    lines: [fetch, `sqv${least} --keyring keys.asc packages.plist.asc packages.plist`],
    good: threshold > 1 ? [first, `… ${threshold} fingerprints of this page`] : [first],
    bad: ['Message has been manipulated', 'or nothing, or another fingerprint'],
    note: 'The same with sq 1: sq verify --signer-file=keys.asc --signature-file=packages.plist.asc packages.plist',
  };
}

function packman(url: string): CommandLine {
  return {
    id: 'packman',
    title: 'PackMan',
    about: 'Open this address as a database in Package Manager.',
    lines: [url],
    good: ['The packages are listed.'],
    bad: ['PackMan cannot tell you: it checks no signature, and compares nothing but MD5.'],
    note: 'Check the database in one of the other ways before you install from it: PackMan executes what a database tells it to.',
  };
}

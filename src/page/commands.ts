import { checkLine } from '../model/checksums.js';
import { fileNameOf } from '../model/file-entry.js';
import { shellWord } from '../model/shell.js';

/** One way to check with a program. */
export interface CommandLine {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  /** The lines to paste. */
  readonly lines: readonly string[];
  /** Whether they are for a shell. */
  readonly isShell: boolean;
  /** What the program prints if all is well; `…` stands for any text. */
  readonly good: readonly string[];
  /** Lines that it prints if not. */
  readonly bad: readonly string[];
  readonly note: string | null;
}

export interface CommandSource {
  /** Null if the database gives no address: the page fills in its own. */
  readonly url: string | null;
  readonly fingerprints: readonly string[];
  readonly threshold: number;
  /** The one user id of the one key; null if there are several. */
  readonly userId: string | null;
}

/** Stands for an address that only the browser knows. No address looks like it. */
export const PLACEHOLDER = 'ADDRESS-OF-THIS-PAGE';

/** The lines that users paste. Text from the database is quoted for a shell. */
export function commandsFor(source: CommandSource): readonly CommandLine[] {
  const url = addressOr(source.url);
  return [packsign(source, url), gpg(source, url), gpgv(source, url), sq(source, url), packman(url)];
}

function addressOr(url: string | null): string {
  return url ?? `${PLACEHOLDER}/packages.plist`;
}

/** The address of a file beside a database. */
export function besideUrl(url: string, name: string): string {
  return url.replace(/[?#].*$/, '').replace(/[^/]*$/, name);
}

/** A line that fetches the database, its signature and its keys. */
function fetching(url: string, keys: 'keys.asc' | 'keys.gpg'): string {
  return `${CURL} -o packages.plist ${shellWord(url)}${beside(url, ['packages.plist.asc', keys])}`;
}

/** -g: brackets and braces in an address mean themselves. */
const CURL = 'curl -gfsSL';

function beside(url: string, names: readonly string[]): string {
  return names.map((name) => ` -o ${name} ${shellWord(besideUrl(url, name))}`).join('');
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
    isShell: true,
    good: ['trusted from now on; …', `authentic (🔒 closed padlock): ${url}`],
    bad: [
      `packsign: error: ${url} was not added: …`,
      `unauthenticated (🔓 open padlock): ${url}: …`,
      `refused (refusal): ${url}: …`,
    ],
    note: 'Anything but authentic means: do not use it. Stale means signed, but no longer current.',
  };
}

const UNDATED = 'does not know that the database expires.';

/** Which keys must have signed, where a program leaves that to its user. */
function counted(threshold: number): string {
  return threshold > 1 ? ` There must be good signatures by ${threshold} different keys of this page.` : '';
}

function gpg({ fingerprints, threshold, userId }: CommandSource, url: string): CommandLine {
  return {
    id: 'gpg',
    title: 'GnuPG',
    about:
      'Says who signed the database. Compare the fingerprint that it prints with the one above, every digit.',
    lines: [
      fetching(url, 'keys.asc'),
      'gpg --import keys.asc',
      'gpg --verify packages.plist.asc packages.plist',
    ],
    isShell: true,
    good: [
      `gpg: Good signature from "${userId ?? '…'}"`,
      `Primary key fingerprint: ${fingerprints.length === 1 ? grouped(fingerprints[0] ?? '') : '…'}`,
    ],
    bad: ['gpg: BAD signature from …', "gpg: Can't check signature: No public key"],
    note: `gpg warns that the key is not certified with a trusted signature until you have told it that you compared the fingerprint. It ${UNDATED}${counted(threshold)}`,
  };
}

/** As gpg prints it. */
function grouped(fingerprint: string): string {
  return fingerprint.replace(/.{4}(?=.)/g, '$& ').replace(/^.{24}/, '$& ');
}

function gpgv({ fingerprints, threshold }: CommandSource, url: string): CommandLine {
  return {
    id: 'gpgv',
    title: 'gpgv',
    about:
      'Part of GnuPG. It imports nothing. Compare the fingerprint at the end of the line VALIDSIG with the one above, every digit.',
    lines: [
      fetching(url, 'keys.gpg'),
      'gpgv --status-fd 1 --keyring ./keys.gpg packages.plist.asc packages.plist',
    ],
    isShell: true,
    good: [validSignature({ fingerprints })],
    bad: ['gpgv: BAD signature from …', "gpgv: Can't check signature: No public key"],
    note: `gpgv ${UNDATED}${counted(threshold)}`,
  };
}

/** gpgv's line about a good signature, which ends with the fingerprint of the primary key. */
function validSignature({ fingerprints }: Pick<CommandSource, 'fingerprints'>): string {
  return `[GNUPG:] VALIDSIG … ${fingerprints.length === 1 ? (fingerprints[0] ?? '') : '…'}`;
}

function sq({ fingerprints, threshold }: CommandSource, url: string): CommandLine {
  const [least, sqLeast] = threshold > 1 ? [` -n ${threshold}`, ` --signatures=${threshold}`] : ['', ''];
  return {
    id: 'sq',
    title: 'Sequoia',
    about:
      'Says which keys signed the database. Compare each fingerprint that it prints with those above, every digit.',
    lines: [fetching(url, 'keys.asc'), `sqv${least} --keyring keys.asc packages.plist.asc packages.plist`],
    isShell: true,
    good: fingerprints.length === 1 ? fingerprints : ['…'],
    bad: ['Message has been manipulated', 'Missing key …'],
    note: `Sequoia ${UNDATED} The same with sq 1: sq verify${sqLeast} --signer-file=keys.asc --signature-file=packages.plist.asc packages.plist`,
  };
}

function packman(url: string): CommandLine {
  return {
    id: 'packman',
    title: 'PackMan',
    about: 'Open this address as a database in Package Manager.',
    lines: [url],
    isShell: false,
    good: ['The packages are listed.'],
    bad: ['PackMan cannot tell you: it checks no signature, and compares nothing but MD5.'],
    note: 'Check the database in one of the other ways before you install from it: PackMan executes what a database tells it to.',
  };
}

/** A line that compares one download with its hash. */
export function checkCommand(path: string, sha256: string): CommandLine {
  const name = fileNameOf(path);
  return {
    id: 'sha256sum',
    title: 'sha256sum',
    about:
      'Part of coreutils, which every Linux has. Type this where the download is, with the hash and the name of your file from the list below.',
    lines: [checkLine(sha256, path)],
    isShell: true,
    good: [`${name}: OK`],
    bad: [`${name}: FAILED`],
    note: 'On macOS, type shasum -a 256 -c instead of sha256sum -c. On Windows, type certutil -hashfile FILE SHA256, and compare all 64 digits. These programs check no signature: they say that your file is the one on this page, and nothing about who made the page.',
  };
}

/** Lines that compare all downloads with `SHA256SUMS`. */
export function sumsCommand(path: string, source: Omit<CommandSource, 'userId'>): CommandLine {
  const names = ['SHA256SUMS', 'SHA256SUMS.asc', 'keys.gpg'];
  return {
    id: 'sums',
    title: 'sha256sum and gpgv, for many files',
    about:
      'Type this in a folder with your downloads, in folders below it if the names in the list below have folders. Compare the fingerprint at the end of the line VALIDSIG with the one above, every digit.',
    lines: [
      `${CURL}${beside(addressOr(source.url), names)}`,
      'gpgv --status-fd 1 --keyring ./keys.gpg SHA256SUMS.asc SHA256SUMS && sha256sum --check --ignore-missing SHA256SUMS',
    ],
    isShell: true,
    good: [validSignature(source), `${path}: OK`],
    bad: ['gpgv: BAD signature from …', `${path}: FAILED`],
    note: `With coreutils alone, leave out gpgv: then the lines only compare your downloads with a list that anybody may have made. The list does not expire, and nothing tells an old one from the current one.${counted(source.threshold)}`,
  };
}

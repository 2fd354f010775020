/** Names of the files of a published directory (docs/FORMAT.md §1). */
export const DATABASE_NAME = 'packages.plist';
export const SIGNATURE_COPY_NAME = 'packages.plist.asc';
export const SIGNATURES_FOLDER = 'signatures';
export const KEYS_NAME = 'keys.asc';
export const KEYRING_NAME = 'keys.gpg';
export const UNSIGNED_NAME = 'packages.unsigned.plist';
export const UNSIGNED_SIGNATURES_NAME = 'packages.unsigned.plist.asc';
/** Lines for `sha256sum --check`, and the signature of them; written only if the settings ask for it. */
export const CHECKSUMS_NAME = 'SHA256SUMS';
export const CHECKSUMS_SIGNATURE_NAME = 'SHA256SUMS.asc';
export const CHECKSUMS_NAMES: readonly string[] = [CHECKSUMS_NAME, CHECKSUMS_SIGNATURE_NAME];
export const PAGE_NAME = 'index.html';
/** Files that the page needs, in folders of packsign's own. */
export const ASSETS_FOLDER = 'assets';
export const SETTINGS_NAME = 'packsign.json';
export const STATE_FOLDER = '.packsign';
/** Beside a published database while somebody publishes there from elsewhere: a folder at a host, an object in a bucket. */
export const PUBLISHING_NAME = '.packsign-publish';
/** In the folder of working state: certificates with revocations, to publish with the next database. */
export const PENDING_REVOCATIONS_NAME = 'keys.held.asc';

/** The files that building, signing and publishing write next to the listed files. */
export const WRITTEN_NAMES: readonly string[] = [
  DATABASE_NAME,
  SIGNATURE_COPY_NAME,
  KEYS_NAME,
  KEYRING_NAME,
  UNSIGNED_NAME,
  UNSIGNED_SIGNATURES_NAME,
];

const OWN_FOLDERS = `${SIGNATURES_FOLDER}|${ASSETS_FOLDER}|${ASSETS_FOLDER}/packsign-[0-9a-f]+`;
const OWN_FILES = [
  ...[...WRITTEN_NAMES, PAGE_NAME, SETTINGS_NAME].map((name) => name.replaceAll('.', '\\.')),
  `${SIGNATURES_FOLDER}/[0-9a-f]{64}\\.asc`,
].join('|');
const OWN_PATH = new RegExp(`^(?:${OWN_FILES}|${OWN_FOLDERS}|${ASSETS_FOLDER}/packsign-[0-9a-f]+/.*)$`, 's');
const BELOW_OWN_FILE = new RegExp(`^(?:${OWN_FILES})/`);

/** Whether a path, relative to the database, is that of a file or folder which packsign writes or reads for itself. */
export function isOwnPath(path: string): boolean {
  return OWN_PATH.test(path);
}

/** Whether a file can lie at a path only where one of packsign's own files cannot. */
export function isInWayOfOwn(path: string): boolean {
  return isOwnPath(path) || BELOW_OWN_FILE.test(path);
}

/** The path of the signatures of a database, or of `SHA256SUMS`, with this SHA-256, relative to the database. */
export function signaturePath(sha256: string): string {
  return `${SIGNATURES_FOLDER}/${sha256}.asc`;
}

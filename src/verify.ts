/**
 * `packsign/verify`: decides on a database and on a file, without file system, network or command line. The same code
 * runs in Node and in browsers, where OpenPGP.js comes from `openpgp/lightweight`.
 */
export { sha256Of } from './verify/verify-database.js';
export type { Accepted, CheckedSignature, TrustedDatabase, Verdict } from './verify/verify-database.js';
export { digestFile, verifyOffline as verifyDatabase } from './verify/offline.js';
export type { OfflineOptions as VerifyDatabaseOptions, OfflineVerdict } from './verify/offline.js';

export { PacksignError } from './errors.js';
export type { ErrorCode } from './errors.js';
export type { FileEntry, FileEntries } from './model/file-entry.js';
export {
  DATABASE_LIMIT_BYTES,
  KEYS_LIMIT_BYTES,
  SIGNATURE_LIMIT_BYTES,
  thresholdOf,
} from './model/database.js';
export type { Database, History, Packsign, Signers, Trust, Withdrawal } from './model/database.js';
export { DATABASE_NAME, KEYS_NAME, signaturePath } from './model/layout.js';
export { lookUp } from './model/lookup.js';
export type { DigestedFile, Lookup } from './model/lookup.js';
export type { Package, Prerequisite } from './model/package.js';
export { formatInstant } from './model/time.js';

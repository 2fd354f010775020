/**
 * packsign as a library: the same functions that the command line uses. Every function takes the clock and
 * its folders from the caller; failures that a user can mend are `PacksignError`s with a code.
 */
export { PacksignError, reasonOf } from './errors.js';
export type { ErrorCode } from './errors.js';

export { build } from './verbs/build.js';
export type { BuildOptions, BuildResult } from './verbs/build.js';
export { diff } from './verbs/diff.js';
export type { DiffOptions, DiffResult } from './verbs/diff.js';
export { checkInit, init } from './verbs/init.js';
export type { InitAnswers } from './verbs/init.js';
export { checkKeyFiles, generateKeyFiles, showKey } from './verbs/keys.js';
export type { GeneratedKey, GenerateOptions, ShowKeyOptions, ShownKey } from './verbs/keys.js';
export { lintKeys } from './verbs/lint-keys.js';
export type { LintOptions } from './verbs/lint-keys.js';
export { checkBackupFile, extendKeyFile, revokeKeyFile, rotateKeyFile } from './verbs/renew-keys.js';
export type { ChangeKeyOptions, ChangedKey, RevokeKeyOptions } from './verbs/renew-keys.js';
export { openCertificates, openSigners } from './verbs/signers.js';
export type { CertificateSources, SignerSources } from './verbs/signers.js';
export type { Released, ReleaseOptions } from './verbs/release.js';
export { readInventory } from './verbs/export.js';
export type { Inventory } from './verbs/export.js';
export { page } from './verbs/page.js';
export type { PageOptions, PageResult } from './verbs/page.js';
export { publishKeys } from './verbs/publish-keys.js';
export type { PublishedKeys, PublishKeysOptions } from './verbs/publish-keys.js';
export { serve } from './verbs/serve.js';
export type { RunningServer, ServeOptions } from './verbs/serve.js';
export { status } from './verbs/status.js';
export type { Attention, SignerStatus, StatusResult, WaitingStatus } from './verbs/status.js';
export { loadSettings } from './verbs/settings.js';
export { sign } from './verbs/sign.js';
export type { SignOptions, SignResult } from './verbs/sign.js';
export { verify } from './verbs/verify.js';
export type { VerifyCode, VerifyOptions, VerifyResult } from './verbs/verify.js';
export { fetchDatabase } from './verbs/fetch.js';
export type { FetchedDatabase } from './verbs/fetch.js';
export { DIRECT_NETWORK } from './verbs/sources.js';
export type { FetchOptions, PinOptions, TrustPlace } from './verbs/sources.js';
export { archiveError, fetchArchive, get } from './verbs/get.js';
export type {
  FetchArchiveOptions,
  FileProgress,
  GetOptions,
  GetProgress,
  GetResult,
  Got,
} from './verbs/get.js';
export { importPackMan } from './verbs/import.js';
export type { ImportOptions, Imported } from './verbs/import.js';
export { list } from './verbs/list.js';
export type { ListOptions, ListResult, ListedPackage } from './verbs/list.js';
export { complaintOf, saveComplaint } from './verbs/complain.js';
export type { ComplaintOptions, Suspect } from './verbs/complain.js';
export { verifyAsStranger } from './verbs/stranger.js';
export type { SiteReport, StrangerOptions, StrangerResult } from './verbs/stranger.js';
export { trustAdd, trustExport, trustList, trustRefresh, trustRemove } from './verbs/trust.js';
export type {
  PinnedKey,
  ProposedKey,
  Refreshed,
  TrustAddOptions,
  TrustAdded,
  TrustOffer,
  TrustOptions,
  TrustRefreshOptions,
  TrustStore,
  Trusted,
} from './verbs/trust.js';
export { watch } from './verbs/watch.js';
export type { WatchEvent, WatchOptions } from './verbs/watch.js';
export type { JudgedSignature, TrustedDatabase } from './verbs/judge.js';

export type { Archive } from './model/archive.js';
export type { Database, History, Packsign, Signers, Trust, Withdrawal } from './model/database.js';
export type { ChangedBytes, ChangedValue, Difference } from './model/diff.js';
export type { Finding, Warning, WarningCode } from './model/finding.js';
export { STATE_FOLDER } from './model/layout.js';
export type { Package, Prerequisite } from './model/package.js';
export { parseDuration } from './model/settings.js';
export type { Override, Settings, TrustSetting } from './model/settings.js';
export type { AcceptedNote, Grounds } from './model/trust.js';
export { formatInstant } from './model/time.js';
export type { NetworkOptions } from './net/transport.js';
export type { CheckedBackup } from './pgp/backup.js';
export type { Certificate } from './pgp/certificates.js';
export type { SecondOpinion } from './pgp/outside.js';
export type { RevocationReason } from './pgp/renewal.js';
export type { KeyDescription } from './pgp/describe.js';
export type { LintFinding } from './pgp/lint.js';
export type { Signer } from './pgp/signer.js';

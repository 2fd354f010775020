/**
 * packsign as a library: the functions that the command line uses. Every function gets the clock and its folders from the
 * caller. A failure that the user can do something about is a `PacksignError` with a code. A result that may say no has
 * `ok`, which is true exactly where the command line with the same options ends with 0; every other call throws for a no.
 */
export { PacksignError, exitStatusOf, fromSystem, reasonOf } from './errors.js';
export type { ErrorCode } from './errors.js';

export { build } from './release/build.js';
export type { BuildOptions, BuildResult } from './release/build.js';
export { coverageAdvice } from './model/coverage.js';
export type { Coverage, Uncovered, UncoveredReason } from './model/coverage.js';
export { diff } from './release/diff.js';
export type { DiffResult } from './release/diff.js';
export type { InMemoryOptions } from './release/in-memory.js';
export { checkInit, init } from './release/init.js';
export type { InitAnswers } from './release/init.js';
export { CI_SERVICES, initCi } from './release/init-ci.js';
export type { CiService, WorkflowAnswers } from './release/init-ci.js';
export { lint } from './release/lint.js';
export type { LintOptions, LintResult } from './release/lint.js';
export { ruleOf } from './model/lint-rules.js';
export type { DirectoryFinding, LintLevel, LintRule } from './model/lint-rules.js';
export { checkKeyFiles, generateKeyFiles, showKey } from './keys/key-files.js';
export type { GeneratedKey, GenerateOptions, ShowKeyOptions, ShownKey } from './keys/key-files.js';
export { checkBackupFile, extendKeyFile, revokeKeyFile, rotateKeyFile } from './keys/renew-files.js';
export type { ChangeKeyOptions, ChangedKey, RevokeKeyOptions } from './keys/renew-files.js';
export { gnupgNames } from './signers/gnupg-names.js';
export { keysAtHand } from './signers/at-hand.js';
export { nameKeys, openCertificates, openSigners } from './signers/open.js';
export type { CertificateSources, SignerSources } from './signers/open.js';
export type { SignedRelease, SignAndPublishOptions } from './release/sign-and-publish.js';
export { exportDatabase } from './release/export.js';
export type { ExportedDatabase } from './release/export.js';
export { page } from './page/publish-page.js';
export type { PageOptions, PageResult } from './page/publish-page.js';
export { publishKeys } from './keys/publish-keys.js';
export type { PublishedKeys, PublishKeysOptions } from './keys/publish-keys.js';
export { serve } from './page/serve.js';
export type { RunningServer, ServeOptions } from './page/serve.js';
export { destinationsIn } from './release/sent.js';
export { status } from './release/status.js';
export type { Attention, LockStatus, SignerStatus, StatusResult, WaitingStatus } from './release/status.js';
export { loadSettings } from './release/settings.js';
export { bucketNote, notedBucket } from './consume/bucket-note.js';
export { openObjects } from './consume/open-objects.js';
export type { Hear, Objects, ObjectsOptions } from './consume/open-objects.js';
export { hashShard } from './release/hash-shard.js';
export type { ShardOptions, ShardResult } from './release/hash-shard.js';
export { hearParts, readParts } from './release/parts.js';
export type { NamedPart, Parts } from './release/parts.js';
export { WHY_READ } from './model/merged.js';
export type { Merged, ReadHere } from './model/merged.js';
export { parseShard } from './model/shard.js';
export type { Shard } from './model/shard.js';
export { split } from './release/split.js';
export type { SplitDatabase, SplitOptions, SplitPlan } from './release/split.js';
export { sign } from './release/sign.js';
export type { SignOptions, SignResult } from './release/sign.js';
export { verify } from './consume/verify.js';
export type { VerifyOptions, VerifyResult } from './consume/verify.js';
export { verifyFiles } from './consume/verify-files.js';
export type { VerifyFilesOptions, VerifyFilesResult } from './consume/verify-files.js';
export type { VerifiedFile } from './consume/decide-on-files.js';
export type { AskedDatabase, DatabaseAnswer } from './consume/agreement.js';
export type { AskFailure } from './consume/asked-databases.js';
export { areFiles } from './consume/target.js';
export type { Tolerance } from './consume/outcome.js';
export { fetchDatabase } from './consume/fetch.js';
export type { FetchedDatabase } from './consume/fetch.js';
export type { PinOptions } from './consume/pins.js';
export type { FetchOptions } from './consume/sources.js';
export { fileError, fetchFile, get } from './consume/get.js';
export type { FetchFileOptions, GetResult } from './consume/get.js';
export type { DownloadedFile, GetOptions } from './consume/download.js';
export { importPackMan } from './release/import.js';
export type { ImportOptions, Imported } from './release/import.js';
export { list } from './consume/list.js';
export type { ListOptions, ListResult, ListedPackage } from './consume/list.js';
export { reportOf, saveReport } from './consume/report.js';
export type { ReportOptions, Suspect } from './consume/report.js';
export { audit } from './consume/audit.js';
export type { SiteReport, AuditOptions, AuditResult } from './consume/audit.js';
export { trustAdd } from './consume/trust.js';
export { trustDamage, trustExport, trustList, trustRemove } from './consume/trust-list.js';
export type { Removed, Trusted } from './consume/trust-list.js';
export { trustAccept } from './consume/trust-accept.js';
export type { TrustAcceptOptions, TrustAccepted } from './consume/trust-accept.js';
export type { BrokenChain } from './consume/sources.js';
export { trustRefresh } from './consume/trust-refresh.js';
export type { ProposedKey, Refreshed, TrustRefreshOptions } from './consume/trust-refresh.js';
export type {
  PinnedKey,
  TrustAddOptions,
  TrustAdded,
  TrustOffer,
  TrustOptions,
  TrustRun,
} from './consume/trust.js';
export { openHooks } from './watch/hooks.js';
export type { Hooks, HooksOptions, Occasion } from './watch/hooks.js';
export { isPublication, isTrouble } from './watch/news.js';
export { follow } from './upload/follow.js';
export type { Follower } from './upload/follow.js';
export { eachOnce } from './upload/open.js';
export { planPublication, publish } from './upload/publish.js';
export type { PublishOptions, PublishedTo } from './upload/publish.js';
export type { Plan } from './upload/plan.js';
export { storeEndpoint } from './upload/bucket.js';
export { parseDestination } from './model/destination.js';
export type { Destination } from './model/destination.js';
export { webFileOf } from './model/web-file.js';
export { watch } from './watch/watch.js';
export type { WatchEvent, WatchOptions } from './watch/watch.js';
export type { CheckedSignature, TrustedDatabase } from './verify/verify-database.js';

export type { FileEntry } from './model/file-entry.js';
export type { Database, History, Packsign, Signers, Trust, Withdrawal } from './model/database.js';
export type { ChangedBytes, ChangedValue, Difference } from './model/diff.js';
export type { Finding, Warning, WarningCode } from './model/finding.js';
export { STATE_FOLDER } from './model/layout.js';
export type { Package, Prerequisite } from './model/package.js';
export type { LeastPredecessor } from './release/current-predecessor.js';
export { ABSENT } from './model/absence.js';
export type { Absent } from './model/absence.js';
export { parseDuration } from './model/settings.js';
export type { Override, Settings, TrustSetting } from './model/settings.js';
export type { AcceptedNote, Grounds, TrustPlace, TrustStore } from './model/trust.js';
export { makeRun } from './run.js';
export type { Work } from './model/work.js';
export type { Run } from './run.js';
export { formatBytes } from './model/bytes.js';
export { harmless } from './model/text.js';
export { SLACK_MS, formatInstant, parseInstant } from './model/time.js';
export { DIRECT_NETWORK } from './net/transport.js';
export type { NetworkOptions } from './net/transport.js';
export { nearestOf } from './model/nearest.js';
export { keptPackages, trustedNames } from './consume/kept-names.js';
export { once } from './model/once.js';
export type { CheckedBackup } from './keys/backup.js';
export type { Certificate } from './pgp/certificates.js';
export type { SecondOpinion } from './consume/second-opinions.js';
export type { RevocationReason } from './keys/make-self-signature.js';
export type { KeyDescription } from './keys/describe.js';
export type { LintFinding } from './keys/lint.js';
export type { Signer } from './signers/signer.js';

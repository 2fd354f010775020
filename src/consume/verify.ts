import { dirname, join } from 'node:path';
import { digestListed } from '../workers/digest-listed.js';
import { kindOf, readBounded } from '../disk/files.js';
import { readNote } from '../published/notes.js';
import { scanDirectory } from '../places/scan.js';
import { PacksignError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { isAddress } from '../model/address.js';
import { DATABASE_LIMIT_BYTES, SIGNATURE_LIMIT_BYTES } from '../model/database.js';
import type { Database } from '../model/database.js';
import type { Finding } from '../model/finding.js';
import { DATABASE_NAME, KEYS_NAME, signaturePath } from '../model/layout.js';
import { compareText } from '../model/package.js';
import type { AcceptedNote } from '../model/trust.js';
import { openNetwork } from '../net/transport.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Run } from '../run.js';
import { compareRemote, worstOf } from './compare.js';
import { fetchThrough } from './fetch.js';
import { verifyDatabase, sha256Of } from '../verify/verify-database.js';
import type {
  Accepted,
  CheckedSignature,
  Pins,
  TrustedDatabase,
  Verdict,
} from '../verify/verify-database.js';
import { readCertificateFile } from '../published/read.js';
import { findEntry } from './sources.js';
import type { PinOptions } from './sources.js';

export interface VerifyOptions extends PinOptions {
  readonly run: Run;
  /** A signature file named by hand; null finds it by the hash of the database. */
  readonly signatureFile: string | null;
  /** Whether files are compared; null compares those of a directory, and fetches none. */
  readonly files: boolean | null;
}

/** `unauthenticated` may still list packages, whose claims are then nobody's. */
export interface VerifyResult {
  readonly status: 'authentic' | 'stale' | 'unauthenticated' | 'refused';
  /** Why it is not simply authentic. */
  readonly code: VerifyCode | null;
  readonly message: string | null;
  /** Path of the database as it was named, or its address. */
  readonly database: string;
  readonly sha256: string | null;
  /** Null unless keys that somebody pinned have signed. */
  readonly trusted: TrustedDatabase | null;
  readonly pinnedBy: 'option' | 'store' | 'publisher' | 'directory' | null;
  readonly signatures: readonly CheckedSignature[];
  /** Where the maintainer wants to hear of trouble; null where nobody trustworthy said. */
  readonly notify: string | null;
  /** The last database that was accepted from there, where the trust store has one. */
  readonly accepted: Pick<AcceptedNote, 'issued' | 'sha256'> | null;
  readonly files: { readonly checked: number; readonly ok: number };
  /** Sorted by path. */
  readonly findings: readonly Finding[];
}

export type VerifyCode = ErrorCode;

interface Target {
  readonly directory: string;
  readonly database: string;
  readonly isDirectory: boolean;
}

/**
 * Verifies a directory with its files, a database file, or a database by its address or the name that
 * it is trusted by (docs/FORMAT.md §8). What is wrong with the data is in the result; thrown is only what keeps us
 * from looking: FILE_UNREADABLE, KEYS_MALFORMED of a file that the user named, DIRECTORY_UNREADABLE, USAGE, and
 * what `fetchDatabase` throws.
 */
export async function verify(path: string, options: VerifyOptions): Promise<VerifyResult> {
  if (isRemote(path, options.run)) return await verifyRemote(path, options);
  const target = findTarget(path);
  const files = readFiles(target, options);
  if (files.kind === 'missing') return nothingThere(target);
  if (files.kind === 'refused') return refusal(target, files);
  const { bytes, signature } = files;
  const pinning = await choosePins(target, options);
  if (pinning.kind === 'refused') return refusal(target, { ...pinning, sha256: sha256Of(bytes) });
  if (pinning.pins === null) return unpinned(target, sha256Of(bytes));
  const verdict = await verifyDatabase(
    { bytes, signature, certificates: pinning.certificates },
    {
      pins: pinning.pins,
      now: options.run.now,
      accepted: pinning.accepted,
      url: null,
      byHand: options.signatureFile !== null,
    },
  );
  return await resultOf(target, { verdict, pinnedBy: pinning.pinnedBy, options });
}

/** An address, or a name in the trust store that is no file here. */
export function isRemote(target: string, { trust }: Run): boolean {
  return isAddress(target) || (kindOf(target) === null && findEntry(target, trust) !== null);
}

async function verifyRemote(target: string, options: VerifyOptions): Promise<VerifyResult> {
  const { run } = options;
  if (options.signatureFile !== null) {
    throw new PacksignError('USAGE', '--signature is for database files; an address has its own signatures');
  }
  const network = openNetwork(run.network);
  try {
    const fetched = await fetchThrough(network, target, options);
    const { status, code, message, sha256, trusted, pinnedBy, signatures, notify, accepted } = fetched;
    const answer = { status, code, message, sha256, trusted, pinnedBy, signatures, notify, accepted };
    if (trusted === null || options.files !== true) {
      return { ...answer, ...NOTHING_CHECKED, database: fetched.url };
    }
    const again = () => fetchThrough(network, fetched.url, { ...options, fresh: true });
    const compared = await compareRemote(network, fetched, { run, again });
    return { ...answer, ...compared, code: code ?? worstOf(compared.findings), database: fetched.url };
  } finally {
    await network.close();
  }
}

function findTarget(path: string): Target {
  const kind = kindOf(path);
  if (kind === 'folder') return { directory: path, database: join(path, DATABASE_NAME), isDirectory: true };
  if (kind !== null) return { directory: dirname(path), database: path, isDirectory: false };
  throw new PacksignError('FILE_UNREADABLE', `there is no file or directory ${path}`, {
    hint: 'name a directory with a packages.plist, or a database file',
  });
}

interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly sha256: string | null;
}

type Files =
  | { readonly kind: 'read'; readonly bytes: Buffer; readonly signature: Buffer | null }
  | { readonly kind: 'missing' }
  | ({ readonly kind: 'refused' } & Refusal);

/** Steps 1 and 2. What stands there and can be no such file (a pipe, one without end) is an answer too. */
function readFiles(target: Target, options: VerifyOptions): Files {
  let sha256: string | null = null;
  try {
    const bytes = readBounded(target.database, DATABASE_LIMIT_BYTES, {
      misfit: 'DATABASE_MALFORMED',
      tooLarge: 'DATABASE_TOO_LARGE',
    });
    if (bytes === null) return { kind: 'missing' };
    sha256 = sha256Of(bytes);
    return { kind: 'read', bytes, signature: readSignatureFile(target, { sha256, options }) };
  } catch (error) {
    if (!(error instanceof PacksignError) || error.exitStatus === 2) throw error;
    return { kind: 'refused', code: error.code, message: error.message, sha256 };
  }
}

function readSignatureFile(
  { directory }: Target,
  { sha256, options }: { sha256: string; options: VerifyOptions },
): Buffer | null {
  const { signatureFile } = options;
  if (signatureFile === null) {
    return readBounded(join(directory, signaturePath(sha256)), SIGNATURE_LIMIT_BYTES, {
      misfit: 'SIGNATURE_MALFORMED',
      tooLarge: 'SIGNATURE_MALFORMED',
    });
  }
  const signature = readBounded(signatureFile, SIGNATURE_LIMIT_BYTES);
  if (signature === null) throw new PacksignError('FILE_UNREADABLE', `there is no file ${signatureFile}`);
  return signature;
}

type Pinning =
  | {
      readonly kind: 'chosen';
      readonly pins: Pins | null;
      readonly pinnedBy: VerifyResult['pinnedBy'];
      readonly certificates: readonly Certificate[];
      readonly accepted: Accepted | null;
    }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

/** Whose signatures count: what the user named, else what this machine noted, else the directory's own keys. */
async function choosePins(target: Target, options: VerifyOptions): Promise<Pinning> {
  const { keysFile, fingerprints } = options;
  const threshold = options.threshold ?? 1;
  if (keysFile !== null) {
    const pinned = await readNamedKeys(keysFile);
    const named = pinned.map(({ fingerprint }) => fingerprint);
    const pins = { fingerprints: fingerprints.length > 0 ? fingerprints : named, threshold };
    const certificates = await refreshed(pinned, target);
    return { kind: 'chosen', pins: within(pins), pinnedBy: 'option', certificates, accepted: null };
  }
  const own = await ownKeys(target);
  if (own.kind === 'refused') return own;
  const chosen = { kind: 'chosen', certificates: own.certificates, accepted: null } as const;
  if (fingerprints.length > 0)
    return { ...chosen, pins: within({ fingerprints, threshold }), pinnedBy: 'option' };
  if (!target.isDirectory) return { ...chosen, pins: null, pinnedBy: null };
  const note = options.run.notesFolder === null ? null : readNote(options.run.notesFolder, target.directory);
  if (note !== null) return { ...chosen, pins: note, pinnedBy: 'publisher', accepted: note };
  const all = own.certificates.map(({ fingerprint }) => fingerprint);
  return { ...chosen, pins: { fingerprints: all, threshold: 'own' }, pinnedBy: 'directory' };
}

function within(pins: { fingerprints: readonly string[]; threshold: number }): Pins {
  const count = new Set(pins.fingerprints).size;
  if (pins.threshold >= 1 && pins.threshold <= count) return pins;
  throw new PacksignError(
    'USAGE',
    `--threshold ${pins.threshold} does not fit the ${count} keys that are pinned`,
  );
}

async function readNamedKeys(file: string): Promise<readonly Certificate[]> {
  const certificates = await readCertificateFile(file);
  if (certificates.length > 0) return certificates;
  throw new PacksignError('FILE_UNREADABLE', `there is no file ${file}`);
}

/**
 * Pinned certificates with what their own primary keys said since: new subkeys, longer expiry, revocations
 * (docs/FORMAT.md §8). Whoever serves `keys.asc` can add nothing of his own; a damaged one adds nothing.
 */
async function refreshed(pinned: readonly Certificate[], target: Target): Promise<readonly Certificate[]> {
  const own = await ownKeys(target);
  if (own.kind === 'refused') return pinned;
  const fresh = own.certificates.filter((one) =>
    pinned.some(({ fingerprint }) => fingerprint === one.fingerprint),
  );
  const { mergeCertificates } = await import('../pgp/certificates.js');
  return await mergeCertificates(pinned, fresh);
}

// The directory's own keys are part of what is judged: a defect there is an answer, not a failure.
async function ownKeys({
  directory,
}: Target): Promise<
  | { kind: 'read'; certificates: readonly Certificate[] }
  | { kind: 'refused'; code: ErrorCode; message: string }
> {
  try {
    return { kind: 'read', certificates: await readCertificateFile(join(directory, KEYS_NAME)) };
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    return { kind: 'refused', code: error.code, message: error.message };
  }
}

async function resultOf(
  target: Target,
  {
    verdict,
    pinnedBy,
    options,
  }: { verdict: Verdict; pinnedBy: VerifyResult['pinnedBy']; options: VerifyOptions },
): Promise<VerifyResult> {
  const common = {
    database: target.database,
    sha256: verdict.sha256,
    pinnedBy,
    signatures: verdict.signatures,
    accepted: null,
    notify: null,
  };
  const { status, code, message } = verdict;
  if (verdict.status === 'refused')
    return { ...common, ...NOTHING_CHECKED, status, code, message, trusted: null };
  const comparison =
    target.isDirectory && options.files !== false
      ? await compareFiles(target.directory, { database: verdict.database, options })
      : NOTHING_CHECKED;
  if (pinnedBy === 'directory') {
    const message = 'signed by the key beside it, which proves nothing: anybody could have put both there';
    return {
      ...common,
      ...comparison,
      status: 'unauthenticated',
      code: 'NOT_PINNED',
      message,
      trusted: null,
    };
  }
  return {
    ...common,
    ...comparison,
    status,
    code: code ?? worstOf(comparison.findings),
    message,
    trusted: verdict.database,
    notify: verdict.database.Packsign.Notify ?? null,
  };
}

const NOBODY = { trusted: null, pinnedBy: null, signatures: [], notify: null, accepted: null } as const;
const NOTHING_CHECKED = { files: { checked: 0, ok: 0 }, findings: [] } as const;

/** Step 11: every listed file, and what lies there unlisted. Never from a cache. */
async function compareFiles(
  directory: string,
  { database, options }: { database: Database; options: VerifyOptions },
): Promise<Pick<VerifyResult, 'files' | 'findings'>> {
  const results = await digestListed(directory, database.Archives, options.run.progress);
  const findings: Finding[] = [];
  let ok = 0;
  for (const [path, entry] of database.Archives) {
    const expected = `sha256 ${entry.SHA256}, ${entry.Size} bytes`;
    const result = results.get(path);
    if (result === undefined || result.kind === 'missing')
      findings.push({ kind: 'missing', path, expected, found: null });
    else if (result.kind === 'other') findings.push({ kind: 'altered', path, expected, found: result.found });
    else if (result.size !== entry.Size || result.sha256 !== entry.SHA256) {
      findings.push({
        kind: 'altered',
        path,
        expected,
        found: `sha256 ${result.sha256}, ${result.size} bytes`,
      });
    } else ok += 1;
    if (entry.Yanked !== undefined)
      findings.push({ kind: 'yanked', path, expected: null, found: entry.Yanked });
  }
  for (const path of unlisted(directory, database)) {
    findings.push({ kind: 'unlisted', path, expected: null, found: null });
  }
  findings.sort((a, b) => compareText(a.path, b.path) || compareText(a.kind, b.kind));
  return { files: { checked: database.Archives.size, ok }, findings };
}

// Also what could never be listed, for its name or because it is a link: people fetch and run that too.
function unlisted(directory: string, { Archives }: Database): readonly string[] {
  const { files, warnings } = scanDirectory(directory, { exclude: [] });
  return [...files, ...warnings]
    .flatMap(({ path }) => (path === null ? [] : [path]))
    .filter((path) => !Archives.has(path));
}

function nothingThere(target: Target): VerifyResult {
  const message = `there is no ${target.database}`;
  return refusal(target, { code: 'DATABASE_MISSING', message, sha256: null });
}

function refusal(target: Target, { code, message, sha256 }: Refusal): VerifyResult {
  const common = { ...NOBODY, database: target.database, sha256 };
  return { ...common, ...NOTHING_CHECKED, status: 'refused', code, message };
}

function unpinned(target: Target, sha256: string): VerifyResult {
  const message = 'no key was named to hold it to';
  const common = { ...NOBODY, database: target.database, sha256 };
  return { ...common, ...NOTHING_CHECKED, status: 'unauthenticated', code: 'NOT_PINNED', message };
}

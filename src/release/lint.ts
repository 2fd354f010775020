import { orError } from '../consume/or-error.js';
import { PacksignError } from '../errors.js';
import { lintAll } from '../keys/lint-published.js';
import { absenceRule } from '../model/absence.js';
import { REASONS, coverageAdvice } from '../model/coverage.js';
import type { Uncovered } from '../model/coverage.js';
import type { Warning } from '../model/finding.js';
import { LINT_RULES, findingOf } from '../model/lint-rules.js';
import type { DirectoryFinding, LintLevel } from '../model/lint-rules.js';
import { fileNameOf, isSafePath } from '../model/file-entry.js';
import { shellPath } from '../model/shell.js';
import { compareText } from '../model/package.js';
import { packManFindings } from '../model/packman-rules.js';
import { requireSoundHistory } from '../model/policy.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Published } from '../published/published.js';
import { readPublished } from '../published/read.js';
import { refuseRemovals } from './absent.js';
import type { BuiltCandidate } from './candidate.js';
import { damageHint } from './damage.js';
import { buildInMemory } from './in-memory.js';
import type { InMemoryOptions } from './in-memory.js';
import { lintFiles } from './lint-files.js';
import { lintSettings } from './lint-settings.js';
import { requireCertificates } from './preflight.js';
import { refuseSecrets } from './secrets.js';
import { seenPublication } from './seen-publication.js';

/** How the next database is made, and what it may hold. */
export interface LintOptions extends InMemoryOptions {
  /** Paths that may hold a secret: published keys for tests. */
  readonly allowSecrets?: readonly string[];
}

/** What `lint` found in a directory. */
export interface LintResult {
  /** Whether there is neither an error nor a warning. */
  readonly ok: boolean;
  /** How many files would be listed. */
  readonly files: number;
  /** Errors first, then warnings and notes; each by code and path. */
  readonly findings: readonly DirectoryFinding[];
}

/**
 * What a person would want to know before signing a directory: what packsign would refuse, what users and PackMan's
 * clients would stumble over, in keys, settings, names and members of archives. Needs no key and writes nothing. Where no
 * database can be made upon the published one, that is a finding, and the files are looked at as for a first one. Throws
 * NOTHING_TO_LIST, SETTINGS_INVALID and KEYS_MALFORMED, as `build` does.
 */
export async function lint(directory: string, options: LintOptions): Promise<LintResult> {
  const said: Warning[] = [];
  const run = { ...options.run, warn: (warning: Warning) => void said.push(warning) };
  const seen = await seenPublication(readPublished(directory, run.stateFolder), options.settings);
  const context = { ...options, run, published: seen.published };
  const keys = await lookAtKeys(context);
  const { candidate, obstacles } = await makeCandidate(context, keys.usable);
  const { database, coverage, inventory, warnings } = candidate;
  const ofKeys = await keyFindings(keys, context, database.Packsign.Expires ?? null);
  const refusals = await refusalsOf(candidate, context);
  const ofFiles = await lintFiles(inventory.files, { ...options, run, directory, database });
  const named = [...warnings, ...seen.warnings, ...said];
  const isNamed = new Set(named.map(({ path }) => path));
  const findings = [
    ...[...obstacles, ...refusals].map(ofError),
    ...ofKeys,
    ...named.map((warning) => ofWarning(warning, candidate, run.objects === null ? directory : null)),
    ...coverage.uncovered.filter(({ path }) => !isNamed.has(path)).map(ofUncovered),
    ...ofFiles,
    ...lintSettings(candidate, options.settings),
    ...packManFindings(database, options.settings),
  ];
  const ok = findings.every(({ level }) => level === 'note');
  return { ok, files: database.Files.size, findings: inOrder(findings) };
}

type Context = LintOptions & { readonly published: Published };

interface Keys {
  readonly named: readonly Certificate[];
  /** Those that may sign. */
  readonly usable: readonly Certificate[];
  /** Why others may not. */
  readonly problem: PacksignError | null;
}

/** The keys that are going to sign, as far as they are known. */
async function lookAtKeys({ published, signing, run }: Context): Promise<Keys> {
  const named = await orError(signing);
  if (named instanceof PacksignError) return { named: [], usable: [], problem: named };
  const found = await orError(() => requireCertificates(published, { certificates: named, now: run.now }));
  return found instanceof PacksignError
    ? { named, usable: [], problem: found }
    : { named, usable: named, problem: null };
}

/** The next database; if none can be made, the one that would begin a new history, and why. */
async function makeCandidate(
  { published, ...options }: Context,
  usable: readonly Certificate[],
): Promise<{ readonly candidate: BuiltCandidate; readonly obstacles: readonly PacksignError[] }> {
  const signing = () => Promise.resolve(usable);
  const candidate = await orError(() => buildInMemory(published, { ...options, signing }));
  if (!(candidate instanceof PacksignError)) return { candidate, obstacles: [] };
  const anew = { ...options, signing, first: true, previous: null, adopt: null };
  const first = await orError(() => buildInMemory(published, anew));
  if (first instanceof PacksignError) throw candidate;
  return { candidate: first, obstacles: [candidate] };
}

/** What verifiers say of the keys that are named, or else of those that are published. */
async function keyFindings(
  { named, problem }: Keys,
  { published, run }: Context,
  databaseExpires: Date | null,
): Promise<readonly DirectoryFinding[]> {
  const known = await published.certificates();
  const certificates = named.length > 0 ? named : known;
  const linted = await lintAll(certificates, { published: known, databaseExpires, now: run.now });
  const findings = linted.map(({ code, message }) => findingOf({ code, path: null, message }));
  const isSaid = problem === null || linted.some(({ code }) => code === problem.code);
  return isSaid ? findings : [ofError(problem), ...findings];
}

/** What keeps a candidate from being published; each error once, and none that its warnings say. */
async function refusalsOf(
  { inventory, continued, update }: BuiltCandidate,
  { published, run, settings, allowSecrets, ...options }: Context,
): Promise<readonly PacksignError[]> {
  const found = [
    await orError(() => refuseSecrets(published, inventory, { run, allowSecrets, remember: false })),
    await orError(() => requireSoundHistory(update.next)),
    await orError(() => refuseRemovals(continued, update, absenceRule(settings, options))),
  ];
  return found.filter((one) => one instanceof PacksignError);
}

function ofError({ code, message, hint }: PacksignError): DirectoryFinding {
  const { level } = LINT_RULES.get(code) ?? { level: 'error' };
  return findingOf({ code, path: null, message, level, hint });
}

function ofUncovered(one: Uncovered): DirectoryFinding {
  const { path, reason } = one;
  return findingOf({ code: 'UNCOVERED', path, message: REASONS[reason], hint: coverageAdvice([one]) });
}

function ofWarning(
  { code, path, message }: Warning,
  { update }: BuiltCandidate,
  directory: string | null,
): DirectoryFinding {
  const isDamaged = code === 'DAMAGED' && path !== null;
  const isRenamed = code === 'UNSAFE_NAME' && path !== null && directory !== null;
  const renaming = isRenamed ? renamingOf(path, directory) : null;
  const hint = isDamaged ? damageHint([path], update.before) : renaming;
  return findingOf({ code, path, message, ...(hint === null ? {} : { hint }) });
}

/** The line that gives a file a name which a database can hold; null if there is none. */
function renamingOf(path: string, directory: string): string | null {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const name = fileNameOf(path)
    .replace(/[^A-Za-z0-9._+~=@,!-]+/g, '-')
    .replace(/^[^A-Za-z0-9_]+/, '');
  const better = folder + name;
  const [from, to] = [shellPath(directory, path), shellPath(directory, better)];
  const isBetter = better !== path && isSafePath(better);
  return isBetter && from !== null && to !== null ? `mv -n ${from} ${to}` : null;
}

const LEVELS: readonly LintLevel[] = ['error', 'warning', 'note'];

function inOrder(findings: readonly DirectoryFinding[]): readonly DirectoryFinding[] {
  const codes = Array.from(LINT_RULES.keys());
  return findings.toSorted(
    (a, b) =>
      LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) ||
      codes.indexOf(a.code) - codes.indexOf(b.code) ||
      compareText(a.code, b.code) ||
      compareText(a.path ?? '', b.path ?? ''),
  );
}

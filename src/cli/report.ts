import { dirname, join } from 'node:path';
import { formatInstant } from '../index.js';
import type {
  BuildResult,
  Certificate,
  DiffResult,
  Difference,
  GeneratedKey,
  ExportedDatabase,
  CheckedSignature,
  PageResult,
  PublishedKeys,
  SignedRelease,
  SignResult,
  SignerStatus,
  StatusResult,
  VerifyResult,
  WaitingStatus,
  Warning,
  WatchEvent,
} from '../index.js';
import type { Report } from './command.js';
import { hintFor } from './hint.js';
import { count, formatBytes, formatInteger, groupFingerprint, harmless, shown } from './terminal.js';

// Every sentence that packsign says on success stands here. Words: lower case, no full stop, no jokes.

/** How many lines of one list a person is shown; --json has them all. */
const LIST_LIMIT = 20;

export function reportBuild(
  result: BuildResult,
  { directory, check }: { directory: string; check: boolean },
): Report {
  const { released } = result;
  const isIncomplete = result.warnings.some(({ code }) => code === 'PUBLICATION_INCOMPLETE');
  const isWork = !result.unchanged || result.refreshed || isIncomplete;
  return {
    json: {
      database: result.database,
      sha256: result.sha256,
      issued: formatInstant(result.issued),
      packages: result.packages,
      archives: result.files,
      bytes: result.bytes,
      hashed: result.hashed,
      cached: result.cached,
      ...changesJson(result.difference, directory),
      warnings: result.warnings,
      signed: released?.published ?? false,
      unchanged: result.unchanged,
    },
    lines: [
      `${count(result.files, 'file')}, ${formatBytes(result.bytes)} (${formatInteger(result.hashed)} hashed, ${formatInteger(result.cached)} known)`,
      ...differenceLines(result.difference),
      ...(released === null ? buildOutcome(result, { directory, check }) : releaseLines(released)),
    ],
    notices: [...mendedLines(result.mended), ...warningLines(result.warnings)],
    exitStatus: check && isWork ? 1 : 0,
  };
}

/** Files of a publication that had been lost. */
function mendedLines(paths: readonly string[]): string[] {
  return paths.length === 0 ? [] : [`packsign: put back ${paths.map(harmless).join(', ')}`];
}

function buildOutcome(
  result: BuildResult,
  { directory, check }: { directory: string; check: boolean },
): string[] {
  const path = harmless(result.database);
  if (result.unchanged) return [`${path} is up to date`];
  if (check && result.refreshed)
    return [`${harmless(join(directory, 'packages.plist'))} is due to be signed anew before it expires`];
  if (check) return [`${path} would be written`];
  return [
    `wrote ${path}; look at it with packsign diff ${shown(directory)}, publish it with`,
    `  packsign sign ${shown(directory)} --key FILE`,
  ];
}

export function reportSign(
  { released, difference, warnings, mended }: SignResult,
  { directory, coSign }: { directory: string; coSign: boolean },
): Report {
  if (released === null) {
    const nothing = {
      database: join(directory, 'packages.plist'),
      sha256: null,
      issued: null,
      expires: null,
    };
    return {
      json: { ...nothing, signers: [], signature: null, published: false, missing: 0 },
      lines: [
        coSign
          ? `${harmless(nothing.database)} is signed by every key that was named`
          : `nothing waits to be signed in ${harmless(directory)}`,
      ],
      notices: [...mendedLines(mended), ...warningLines(warnings)],
      exitStatus: 0,
    };
  }
  return {
    json: {
      database: released.database,
      sha256: released.sha256,
      issued: formatInstant(released.issued),
      expires: instantOrNull(released.expires),
      signers: released.signers,
      signature: released.signature,
      published: released.published,
      missing: released.missing,
    },
    lines: [...(difference === null ? [] : differenceLines(difference)), ...releaseLines(released)],
    notices: [...mendedLines(mended), ...warningLines(warnings)],
    exitStatus: 0,
  };
}

function releaseLines(released: SignedRelease): string[] {
  const { threshold, missing, signers } = released;
  if (!released.published) {
    const have = `${threshold - missing} of ${count(threshold, 'signature')}`;
    if (missing === 0) {
      return [
        `${have}: carry ${harmless(released.signature)} to where it is published, and type there`,
        `  packsign sign ${shown(dirname(released.database))}`,
      ];
    }
    return [`${have}; ${harmless(released.database)} waits for the others`];
  }
  const expires = released.expires === null ? '' : `, fresh until ${formatInstant(released.expires)}`;
  return [
    `signed and published ${harmless(released.database)}${expires}`,
    ...signers.map((fingerprint) => `  by ${groupFingerprint(fingerprint)}`),
    ...(released.keysWritten === null ? [] : firstKeysLines(released.keysWritten, released.database)),
  ];
}

function firstKeysLines(keys: readonly Certificate[], database: string): string[] {
  return [
    `wrote ${harmless(join(dirname(database), 'keys.asc'))}: from now on people are told to trust`,
    ...keys.flatMap(({ fingerprint, userIds }) => [
      `  ${groupFingerprint(fingerprint)}  ${harmless(userIds[0] ?? '')}`,
    ]),
    'publish this fingerprint in a second place, where people can compare it',
  ];
}

export function reportDiff(result: DiffResult, { directory }: { directory: string }): Report {
  const { difference, waiting, database } = result;
  const lines = differenceLines(difference, Infinity);
  const where = waiting
    ? `${harmless(database)} waits`
    : 'nothing waits; this is what packsign build would make';
  return {
    json: {
      database,
      waiting,
      ...changesJson(difference, directory),
      metadata: difference.metadata,
      settings: difference.settings,
      executable: difference.executable,
      warnings: result.warnings,
    },
    lines: lines.length === 0 ? ['no difference to what is published'] : [where, ...lines],
    notices: warningLines(result.warnings),
    exitStatus: 0,
  };
}

function changesJson(
  { added, withdrawn, changed }: Difference,
  directory: string,
): Record<string, readonly string[]> {
  const joined = (paths: readonly string[]) => paths.map((path) => join(directory, path)).sort();
  return {
    added: joined(added),
    withdrawn: joined(withdrawn),
    changed: joined(changed.map(({ path }) => path)),
  };
}

function differenceLines(difference: Difference, limit = LIST_LIMIT): string[] {
  return [
    ...limited(difference.added, limit, (path) => [`  + ${harmless(path)}`]),
    ...limited(difference.withdrawn, limit, (path) => [`  - ${harmless(path)}`]),
    ...limited(difference.changed, limit, ({ path, before, after, reason }) => [
      `  ! ${harmless(path)} has other bytes${reason === null ? '' : `: ${harmless(reason)}`}`,
      `      was sha256 ${before.SHA256}, ${before.Size} bytes, since ${formatInstant(before.Since)}`,
      `      is  sha256 ${after.SHA256}, ${after.Size} bytes`,
    ]),
    ...limited([...difference.settings, ...difference.metadata], limit, ({ of, key, before, after }) => [
      `  ~ ${of === '' ? '' : `${harmless(of)}: `}${key}: ${quoted(before)} → ${quoted(after)}`,
    ]),
    ...executableLines(difference, limit),
  ];
}

// What PackMan runs is shown in full; the two harmless forms that packsign writes itself only in a full diff.
function executableLines({ executable }: Difference, limit: number): string[] {
  const isOwn = (text: string | null) =>
    text === null || /^(?:import \w+|raise ImportError\("no test"\))$/.test(text);
  const shownOnes = executable.filter(({ before, after }) => before !== null || !isOwn(after));
  return limited(shownOnes, limit, ({ of, key, after }) => [
    `  ~ ${harmless(of)}: ${key}, which PackMan executes:`,
    ...(after ?? '').split('\n').map((text) => `      ${harmless(text)}`),
  ]);
}

export function limited<T>(items: readonly T[], limit: number, show: (item: T) => string[]): string[] {
  const lines = items.slice(0, limit).flatMap(show);
  return items.length > limit ? [...lines, `  … and ${formatInteger(items.length - limit)} more`] : lines;
}

function quoted(text: string | null): string {
  return text === null ? 'nothing' : `"${harmless(text)}"`;
}

/** Warnings for stderr: of each code the first few, and how many more there are. */
export function warningLines(warnings: readonly Warning[]): string[] {
  const byCode = new Map<string, Warning[]>();
  for (const warning of warnings) {
    const same = byCode.get(warning.code);
    if (same === undefined) byCode.set(warning.code, [warning]);
    else same.push(warning);
  }
  return Array.from(byCode).flatMap(([code, same]) => {
    const lines = same
      .slice(0, LIST_LIMIT)
      .map(
        ({ path, message }) =>
          `packsign: warning: ${path === null ? '' : `${harmless(path)}: `}${harmless(message)} (${code})`,
      );
    const rest = same.length - lines.length;
    return rest > 0 ? [...lines, `packsign: warning: … and ${formatInteger(rest)} more (${code})`] : lines;
  });
}

export const PADLOCKS = {
  authentic: '🔒 closed padlock',
  stale: '🔒 closed padlock',
  unauthenticated: '🔓 open padlock',
  refused: 'refusal',
} as const;

export interface VerifyTolerance {
  readonly strict: boolean;
  readonly allowStale: boolean;
  readonly allowUnauthenticated: boolean;
}

export function reportVerify(result: VerifyResult, tolerance: VerifyTolerance): Report {
  const packsign = result.trusted?.Packsign;
  return {
    json: {
      status: result.status,
      code: result.code,
      message: result.message,
      notify: result.notify,
      database: result.database,
      sha256: result.sha256,
      issued: instantOrNull(packsign?.Issued ?? null),
      expires: instantOrNull(packsign?.Expires ?? null),
      pinnedBy: result.pinnedBy,
      signatures: result.signatures.map((signature) => ({
        ...signature,
        signedAt: instantOrNull(signature.signedAt),
      })),
      archives: result.files,
      findings: result.findings,
    },
    lines: verdictLines(result),
    exitStatus: passes(result, tolerance) ? 0 : 1,
  };
}

export function passes(
  { status, findings }: Pick<VerifyResult, 'status' | 'findings'>,
  tolerance: VerifyTolerance,
): boolean {
  const isAccepted =
    status === 'authentic' ||
    (status === 'stale' && tolerance.allowStale) ||
    (status === 'unauthenticated' && tolerance.allowUnauthenticated);
  const counts = findings.filter(({ kind }) => tolerance.strict || kind === 'missing' || kind === 'altered');
  return isAccepted && counts.length === 0;
}

export function verdictLines(result: VerifyResult): string[] {
  const { status, database, message, trusted, files, findings } = result;
  const why = message === null ? '' : `: ${harmless(message)}`;
  const code = result.code === null ? '' : ` (${result.code})`;
  return [
    `${status} (${PADLOCKS[status]}): ${harmless(database)}${why}${code}`,
    ...(trusted === null
      ? []
      : [`  issued ${formatInstant(trusted.Packsign.Issued)}${freshness(trusted.Packsign.Expires)}`]),
    ...result.signatures.map(signatureLine),
    ...(files.checked === 0 ? [] : [`  ${files.ok} of ${count(files.checked, 'file')} as signed`]),
    ...limited(findings, LIST_LIMIT, ({ kind, path, expected, found }) => [
      `  ${kind}: ${harmless(path)}${kind === 'yanked' ? `: ${harmless(found ?? '')}` : ''}`,
      ...(expected === null ? [] : [`      expected ${expected}`]),
      ...(kind === 'altered' ? [`      found    ${harmless(found ?? '')}`] : []),
    ]),
    ...adviceLines(result),
  ];
}

export function freshness(expires: Date | undefined): string {
  return expires === undefined ? '' : `, fresh until ${formatInstant(expires)}`;
}

function signatureLine({ fingerprint, userId, signedAt, counts, reason }: CheckedSignature): string {
  const who = fingerprint === null ? 'an unknown key' : groupFingerprint(fingerprint);
  const name = userId === null ? '' : `  ${harmless(userId)}`;
  const when = signedAt === null ? '' : `, ${formatInstant(signedAt)}`;
  return `  ${counts ? 'signed by' : 'does not count:'} ${who}${name}${when}${reason === null ? '' : ` (${harmless(reason)})`}`;
}

function adviceLines({ status, code, pinnedBy, database, notify, findings }: VerifyResult): string[] {
  if (status === 'unauthenticated') {
    const target = pinnedBy === 'directory' ? dirname(database) : database;
    const command = /^[a-z]+:\/\//.test(database) ? 'trust add' : 'verify';
    return [
      '  to know whose it is, get the fingerprint from a place you trust and type',
      `  packsign ${command} ${shown(target)} --fingerprint FINGERPRINT`,
    ];
  }
  const isHarmful =
    (status === 'refused' && code !== 'DATABASE_MISSING') || findings.some(({ kind }) => kind === 'altered');
  const isWrong =
    status === 'refused' || findings.some(({ kind }) => kind === 'altered' || kind === 'missing');
  return [
    ...(isHarmful ? ['  do not use it'] : []),
    ...(!isWrong || notify === null
      ? []
      : [`  tell the maintainer: ${harmless(notify)} (--report FILE writes what to send)`]),
  ];
}

export function reportPage({ page, assets, sha256, written }: PageResult): Report {
  return {
    json: { page, assets, sha256, written },
    lines: written
      ? [`wrote ${harmless(page)}; look at it with packsign serve ${shown(dirname(page))}`]
      : [`${harmless(page)} is up to date`],
    exitStatus: 0,
  };
}

export function reportServing(url: string, { directory }: { directory: string }): Report {
  return {
    json: { url, directory },
    lines: [`${harmless(directory)} is served at ${url}, until stopped`],
    exitStatus: 0,
  };
}

const EVENT_WORDS = {
  ready: 'watching',
  signed: 'signed',
  refreshed: 'signed anew before it expires',
  unchanged: 'nothing to sign',
  held: 'held',
  refused: 'refused',
  error: 'error',
  stopped: 'stopped',
} as const;

/** One calm line for each event: when, what, how long it took. */
export function reportEvent(event: WatchEvent, { directory }: { directory: string }): Report {
  const { at, issued, code, paths, withdrawn, message, warnings, tookMs } = event;
  const hint = hintFor(event.hint, directory);
  const json = {
    event: event.event,
    at: formatInstant(at),
    issued: instantOrNull(issued),
    code,
    paths,
    withdrawn,
    message,
    hint,
    warnings,
  };
  const isTrouble = ['held', 'refused', 'error'].includes(event.event);
  const about = event.event === 'ready' ? ` ${harmless(directory)}` : pathSummary(paths, withdrawn);
  const why = message === null ? '' : ` (${harmless(message.split('\n')[0] ?? '')})`;
  const took = tookMs === null || isTrouble ? '' : `, ${formatInteger(tookMs)} ms`;
  const line = `${formatInstant(at)} ${EVENT_WORDS[event.event]}${about}${code === null ? '' : ` ${code}`}${why}${took}`;
  if (!isTrouble) return { json, lines: [line], notices: warningLines(warnings), exitStatus: 0 };
  const hintLines = hint === null ? [] : [`packsign: hint: ${harmless(hint)}`];
  return { json, lines: [], notices: [line, ...hintLines], exitStatus: 0 };
}

/** What came or changed, and what went. */
function pathSummary(paths: readonly string[], withdrawn: readonly string[]): string {
  const left = paths.filter((path) => !withdrawn.includes(path));
  return `${firstOf(left)}${withdrawn.length === 0 ? '' : ` without${firstOf(withdrawn)}`}`;
}

function firstOf(paths: readonly string[]): string {
  const [first] = paths;
  if (first === undefined) return '';
  return paths.length === 1
    ? ` ${harmless(first)}`
    : ` ${harmless(first)} and ${count(paths.length - 1, 'other')}`;
}

/** The exit status of `watch --once`: the worst of its events. */
export function statusAfter({ event }: WatchEvent, before: 0 | 1 | 2): 0 | 1 | 2 {
  if (event === 'error') return 2;
  return event === 'held' || event === 'refused' ? (Math.max(before, 1) as 1 | 2) : before;
}

/** What each state is called, and what to do about it. */
const STATES: Readonly<
  Record<StatusResult['state'], (directory: string) => readonly [string, string | null]>
> = {
  unsigned: (directory) => ['nothing is published here yet', `packsign build ${directory} --key FILE`],
  waiting: (directory) => ['a database waits to be signed', `packsign sign ${directory} --key FILE`],
  changed: (directory) => [
    'published, and changes wait to be signed',
    `packsign build ${directory} --key FILE`,
  ],
  published: () => ['published and up to date', null],
  stale: (directory) => ['published, but expired', `packsign build ${directory} --key FILE`],
  invalid: () => ['what is published does not verify', null],
  foreign: () => ['packages.plist was not made by packsign', null],
};

export function reportStatus(result: StatusResult, { directory }: { directory: string }): Report {
  const { state, issued, expires, signers, waiting, difference, attention, message, warnings } = result;
  const hint = hintFor(result.hint, directory);
  const [words, command] = STATES[state](shown(directory));
  const isRevoking = attention.includes('REVOCATION_WAITS');
  const next = hint ?? command ?? (isRevoking ? `packsign build ${shown(directory)} --key FILE` : null);
  return {
    json: {
      state,
      issued: instantOrNull(issued),
      expires: instantOrNull(expires),
      signers: signers.map(({ fingerprint }) => fingerprint),
      keys: signers.map((signer) => ({ ...signer, expires: instantOrNull(signer.expires) })),
      waiting: waiting === null ? null : { ...waiting, issued: formatInstant(waiting.issued) },
      attention,
    },
    lines: [
      `${harmless(directory)}: ${words}`,
      ...(issued === null ? [] : [`  issued ${formatInstant(issued)}${freshness(expires ?? undefined)}`]),
      ...signers.map(
        (signer) =>
          `  key ${groupFingerprint(signer.fingerprint)}  ${harmless(signer.userId ?? '')}${keyLife(signer)}`,
      ),
      ...(waiting === null ? [] : waitingLines(waiting, signers)),
      ...(difference === null ? [] : differenceLines(difference)),
      ...(message === null ? [] : message.split('\n').map((line) => `  ${harmless(line)}`)),
      ...(isRevoking
        ? ['  a revocation waits until a database is published that does not rest on the revoked key']
        : []),
      ...(attention.length === 0 ? [] : [`  needs attention: ${attention.join(', ')}`]),
      ...(next === null ? [] : [`next: ${harmless(next)}`]),
    ],
    notices: warningLines(warnings),
    exitStatus: attention.length === 0 ? 0 : 1,
  };
}

function keyLife({ expires }: SignerStatus): string {
  return expires === null ? '' : `, expires ${formatInstant(expires)}`;
}

function waitingLines(
  { threshold, signed, missing }: WaitingStatus,
  signers: readonly SignerStatus[],
): string[] {
  if (threshold === 1) return [];
  const nameOf = (fingerprint: string) =>
    signers.find((signer) => signer.fingerprint === fingerprint)?.userId ?? '';
  return [
    `  ${signed.length} of ${count(threshold, 'signature')}`,
    ...missing.map((fingerprint) =>
      `  has not signed: ${groupFingerprint(fingerprint)}  ${harmless(nameOf(fingerprint))}`.trimEnd(),
    ),
  ];
}

function heldLines(held: string): string[] {
  return [
    'a revocation waits until a database is published that does not rest on the revoked key',
    `  (${harmless(held)})`,
  ];
}

export function reportKeys(result: PublishedKeys): Report {
  const { keys, fingerprints, added, unchanged, held, warnings } = result;
  return {
    json: { keys, fingerprints, added, unchanged, held },
    lines: [
      unchanged ? `${harmless(keys)} is up to date` : `wrote ${harmless(keys)}; people are now told to trust`,
      ...fingerprints.map(
        (fingerprint) => `  ${groupFingerprint(fingerprint)}${added.includes(fingerprint) ? '  (new)' : ''}`,
      ),
      ...(held === null ? [] : heldLines(held)),
    ],
    notices: warningLines(warnings),
    exitStatus: 0,
  };
}

export function reportInventory(inventory: ExportedDatabase, format: 'sha256sums' | 'json'): Report {
  const json = {
    database: inventory.database,
    sha256: inventory.sha256,
    issued: formatInstant(inventory.issued),
    expires: instantOrNull(inventory.expires),
    archives: inventory.files.map(({ path, Name, Version, Flavor, Size, SHA256, Since, Yanked }) => ({
      path,
      name: Name,
      version: Version,
      flavor: Flavor,
      size: Size,
      sha256: SHA256,
      since: formatInstant(Since),
      yanked: Yanked ?? null,
    })),
  };
  // Two spaces: read as bytes, the form that sha256sum -c takes. Paths of a database need no escapes there.
  const sums = inventory.files.map(({ path, SHA256 }) => `${SHA256}  ${path}`);
  return { json, lines: format === 'json' ? [JSON.stringify(json, null, 2)] : sums, exitStatus: 0 };
}

export function reportInit(path: string): Report {
  return {
    json: { settings: path },
    lines: [`wrote ${harmless(path)}; next: packsign build ${shown(dirname(path))} --key FILE`],
    exitStatus: 0,
  };
}

export function reportGenerated(key: GeneratedKey): Report {
  const { fingerprint, secret, signing, certificate, revocation, expires } = key;
  return {
    json: { fingerprint, secret, signing, certificate, revocation, expires: instantOrNull(expires) },
    lines: [
      `made the key ${groupFingerprint(fingerprint)}`,
      `  ${harmless(signing)}  signs releases: put it on the machine that does`,
      `  ${harmless(secret)}  the whole key: move it offline, with a copy`,
      `  ${harmless(revocation)}  revokes it if it is lost: keep it apart from the key`,
      `  ${harmless(certificate)}  is public`,
      expires === null ? '  it does not expire' : `  it expires at ${formatInstant(expires)}`,
      `next: packsign build DIRECTORY --key ${shown(signing)}`,
    ],
    exitStatus: 0,
  };
}

export function instantOrNull(date: Date | null): string | null {
  return date === null ? null : formatInstant(date);
}

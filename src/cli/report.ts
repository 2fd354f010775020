import { dirname, join } from 'node:path';
import { formatInstant } from '../index.js';
import type {
  BuildResult,
  Certificate,
  DiffResult,
  Difference,
  GeneratedKey,
  ExportedDatabase,
  PageResult,
  PublishedKeys,
  SignedRelease,
  SignResult,
  Warning,
} from '../index.js';
import type { Report } from './command.js';
import { count, formatBytes, formatInteger, groupFingerprint, harmless, shown } from './terminal.js';

// Every sentence that packsign says on success stands here. Words: lower case, no full stop, no jokes.

/** How many lines of one list a person is shown; --json has them all. */
export const LIST_LIMIT = 20;

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

export function differenceLines(difference: Difference, limit = LIST_LIMIT): string[] {
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

export function freshness(expires: Date | undefined): string {
  return expires === undefined ? '' : `, fresh until ${formatInstant(expires)}`;
}

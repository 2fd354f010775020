import { fileError, formatBytes, formatInstant } from '../index.js';
import type {
  AskFailure,
  BrokenChain,
  TrustAccepted,
  GetResult,
  Grounds,
  ListResult,
  ListedPackage,
  PacksignError,
  PinnedKey,
  ProposedKey,
  Refreshed,
  Removed,
  SiteReport,
  Trust,
  AuditResult,
  TrustAdded,
  TrustOffer,
  Trusted,
} from '../index.js';
import type { Report } from './command.js';
import { verdictJson, verdictLines } from './report-verify.js';
import { count, formatInteger, groupFingerprint, harmless, shown } from './terminal.js';

// What packsign tells users of a database. Words: lower case, no full stop, no jokes.

/** What a person sees before confirming. */
export function offerLines({ url, name, keys, threshold, maintainer, grounds }: TrustOffer): string[] {
  return [
    `${harmless(name)}: ${harmless(url)}`,
    ...(maintainer === null ? [] : [`  maintainer: ${harmless(maintainer)}`]),
    `  ${groundsWords(grounds)}`,
    ...keys.map(keyLine),
    ...(keys.length > 1 ? [`  ${threshold} of these ${keys.length} keys must have signed`] : []),
  ];
}

const GROUNDS: Readonly<Record<Exclude<Grounds['kind'], 'vouched'>, string>> = {
  keys: 'trusted by keys that you gave',
  fingerprint: 'trusted by a fingerprint that you gave',
  blindly: 'trusted without a key: its signature cannot be checked (open padlock)',
};

function groundsWords(grounds: Grounds): string {
  return grounds.kind === 'vouched' ? `vouched for by ${harmless(grounds.by)}` : GROUNDS[grounds.kind];
}

function keyLine({ fingerprint, userId }: PinnedKey): string {
  return `  key ${groupFingerprint(fingerprint)}${userId === null ? '' : `  ${harmless(userId)}`}`;
}

function offerJson({ url, name, keys, threshold, maintainer, grounds }: TrustOffer): object {
  return {
    name,
    url,
    fingerprints: keys.map(({ fingerprint }) => fingerprint),
    keys,
    threshold,
    trustedBy: grounds.kind,
    via: grounds.kind === 'vouched' ? grounds.by : null,
    maintainer,
  };
}

/** A database that another one vouches for. */
function vouchedJson({ URL, Fingerprints, Threshold, Maintainer }: Trust): object {
  return { url: URL, fingerprints: Fingerprints, threshold: Threshold ?? 1, maintainer: Maintainer ?? null };
}

function vouchedLine({ URL, Maintainer }: Trust, via: string): string {
  const whose = Maintainer === undefined ? '' : ` (${harmless(Maintainer)})`;
  return `  it vouches for ${harmless(URL)}${whose}: packsign trust add ${shown(URL)} --via ${shown(via)}`;
}

/** What a database does not account for. */
export function brokenLines({ issued, before, breaks, sha256 }: BrokenChain): string[] {
  return [
    `the database issued ${formatInstant(issued)} does not continue the one of ${formatInstant(before)}:`,
    ...breaks.map(({ path, message }) => `  ${harmless(path)} ${harmless(message)}`),
    `  sha256 of the database: ${sha256}`,
    'ask its maintainer first: whoever holds the key could have changed files without saying so',
  ];
}

export function reportAccepted(accepted: TrustAccepted): Report {
  const { target, sha256, issued, before, breaks } = accepted;
  return {
    json: { target, sha256, issued, before, breaks },
    lines:
      breaks.length === 0
        ? [`nothing to accept: ${harmless(target)} continues what was accepted before`]
        : [...brokenLines(accepted).slice(0, -1), `accepted: ${harmless(target)}`],
    exitStatus: 0,
  };
}

export function reportAdded(added: TrustAdded): Report {
  const { status, issued, offers } = added;
  return {
    json: { ...offerJson(added), status, issued, offers: offers.map(vouchedJson) },
    lines: [
      ...offerLines(added),
      `trusted from now on${issued === null ? '' : `; its database was issued ${formatInstant(issued)}`}${status === 'stale' ? ' and has expired' : ''}`,
      ...offers.map((offer) => vouchedLine(offer, added.name)),
    ],
    exitStatus: 0,
  };
}

export function reportTrusted(entries: readonly Trusted[], damaged: readonly PacksignError[]): Report {
  const failures = damaged.map((error) => ({ target: null, error }));
  return {
    json: { databases: entries.map(trustedJson), failures: failures.map(failureJson) },
    lines:
      entries.length === 0
        ? ['you trust no database yet; packsign trust add URL --keys FILE adds one']
        : entries.flatMap((entry) => [...offerLines(entry), `  ${seenWords(entry)}`]),
    notices: failures.flatMap(failureLines),
    exitStatus: damaged.length > 0 ? 2 : 0,
  };
}

function trustedJson(entry: Trusted): object {
  const { added, issued, sha256 } = entry;
  return { ...offerJson(entry), added, issued, sha256 };
}

function seenWords({ added, issued }: Trusted): string {
  const seen = issued === null ? 'none accepted yet' : `last accepted: issued ${formatInstant(issued)}`;
  return `added ${formatInstant(added)}, ${seen}`;
}

export function reportRemoved(entry: Removed): Report {
  const { name, url } = entry;
  const where = name === null ? '' : ` (${harmless(url ?? 'its address cannot be read')})`;
  return {
    json: isWhole(entry) ? trustedJson(entry) : { name, url },
    lines: [`you no longer trust ${harmless(name ?? url ?? '')}${where}`],
    exitStatus: 0,
  };
}

function isWhole(entry: Removed): entry is Trusted {
  return entry.keys !== undefined;
}

export function reportBundle(bytes: Uint8Array, damaged: readonly PacksignError[]): Report {
  const text = Buffer.from(bytes).toString().trimEnd();
  return {
    json: JSON.parse(text) as object,
    lines: [text],
    isExact: true,
    notices: damaged.flatMap((error) => failureLines({ target: null, error })),
    exitStatus: damaged.length > 0 ? 2 : 0,
  };
}

function failureJson({ target, error: { code, message, hint } }: AskFailure): object {
  return { name: target, error: { code, message, hint } };
}

function failureLines({ target, error: { code, message, hint } }: AskFailure): string[] {
  const about = target === null ? '' : `${harmless(target)}: `;
  return [
    `packsign: error: ${about}${harmless(message)} (${code})`,
    ...(target === null && hint !== null ? [`packsign: hint: ${harmless(hint)}`] : []),
  ];
}

export function reportRefreshed(all: readonly Refreshed[], failures: readonly AskFailure[]): Report {
  return {
    json: {
      databases: all.map((one) => {
        const { ok, status, code, keysChanged, proposed, pinned, offers } = one;
        const vouched = { offers: offers.map(vouchedJson) };
        return { ...trustedJson(one), ok, status, code, keysChanged, proposed, pinned, ...vouched };
      }),
      failures: failures.map(failureJson),
    },
    lines: all.flatMap(refreshedLines),
    notices: [
      ...all.flatMap(({ name, notices }) =>
        notices.map((notice) => `packsign: warning: ${harmless(name)}: ${harmless(notice)}`),
      ),
      ...failures.flatMap(failureLines),
    ],
    exitStatus: failures.length > 0 ? 2 : all.every(({ ok }) => ok) ? 0 : 1,
  };
}

function refreshedLines(one: Refreshed): string[] {
  const { name, status, code, message, keysChanged, proposed, pinned, offers } = one;
  const why = message === null ? '' : `: ${harmless(message)}`;
  return [
    `${harmless(name)}: ${status}${why}${code === null ? '' : ` (${code})`}`,
    ...(keysChanged ? ['  fetched newer certificates'] : []),
    ...pinned.map((fingerprint) => `  pinned ${groupFingerprint(fingerprint)}`),
    ...proposed.flatMap((key) => proposedLines(key, name)),
    ...offers.map((offer) => vouchedLine(offer, name)),
  ];
}

function proposedLines(key: ProposedKey, name: string): string[] {
  return [...proposedKeyLines(key), `    packsign trust refresh ${harmless(name)} --pin ${key.fingerprint}`];
}

/** A key that the user may pin, and the trusted keys that certified it. */
export function proposedKeyLines({ fingerprint, userId, certifiedBy }: ProposedKey): string[] {
  return [
    `  proposes the key ${groupFingerprint(fingerprint)}${userId === null ? '' : `  ${harmless(userId)}`}`,
    certifiedBy.length === 0
      ? '    no key that you trust certified it: compare its fingerprint with one from another place'
      : `    certified by ${certifiedBy.map(groupFingerprint).join(', ')}, which you trust`,
  ];
}

export function reportList(result: ListResult): Report {
  const verdict = { ...result, files: { checked: 0, ok: 0 }, uncovered: [], companions: 0, findings: [] };
  return {
    json: {
      ...verdictJson(result),
      format: result.foreign ? 'packman' : 'packsign',
      maintainer: result.maintainer,
      packages: result.packages,
    },
    lines: [...verdictLines(verdict), ...packageLines(result)],
    exitStatus: result.ok ? 0 : 1,
  };
}

function packageLines({ packages, foreign }: ListResult): string[] {
  // A call takes fewer arguments than a database has files.
  const widest = packages.reduce((width, entry) => Math.max(width, titleOf(entry).length), 0);
  const width = Math.min(40, widest);
  const files = packages.filter(({ path }) => path !== null).length;
  const named = packages.filter(({ name }) => name !== null).length;
  return [
    ...(foreign
      ? ['a database of PackMan: its MD5 sums protect against accidents, not against attackers']
      : []),
    ...packages.flatMap((entry) => packageLine(entry, width)),
    foreign ? count(named, 'package') : `${count(files, 'file')}, ${count(named, 'package')}`,
  ];
}

function titleOf({ name, path }: ListedPackage): string {
  return name ?? path ?? '';
}

function packageLine(entry: ListedPackage, width: number): string[] {
  const { name, version, flavor, platform, path, size, md5, yanked, description } = entry;
  const about = [
    ...(name === null ? [] : [version ?? '-', flavor ?? '-']),
    ...(platform === null ? [] : [platform]),
    ...(path === null || name === null ? [] : [path]),
    ...(size === null ? [] : [formatBytes(size)]),
    ...(md5 === null ? [] : [`md5 ${md5}`]),
  ];
  const short = description?.trim().split('\n')[0] ?? '';
  return [
    `  ${harmless(titleOf(entry)).padEnd(width)}  ${harmless(about.join('  '))}`,
    ...(short === '' ? [] : [`      ${harmless(short)}`]),
    ...(yanked === null ? [] : [`      yanked: ${harmless(yanked)}`]),
  ];
}

export function reportGot(result: GetResult): Report {
  const { ok, database, name, status, code, sha256, issued, packages, notices, findings, notify } = result;
  if (!ok) throw fileError(findings, notify);
  const yanked = packages.flatMap(({ path, yanked: message }) =>
    message === null ? [] : [{ code: 'YANKED', path, message }],
  );
  return {
    json: { ok, database, name, status, code, sha256, issued, packages, notices, warnings: yanked },
    lines: packages.map(
      ({ file, version, size, from }) =>
        `${harmless(file)}  ${version === null ? '' : `${harmless(version)}, `}${formatBytes(size)}, as signed${from === null ? ' (was there already)' : ''}`,
    ),
    notices: [
      ...notices.map((notice) => `packsign: warning: ${harmless(notice)}`),
      ...yanked.map(
        ({ code: why, path, message }) =>
          `packsign: warning: ${harmless(path)}: yanked: ${harmless(message)} (${why})`,
      ),
    ],
    exitStatus: 0,
  };
}

/** For `verify --as-stranger`. */
export function reportAudit(result: AuditResult): Report {
  const { database, ok, code, fingerprints, pageShowsKeys, sites } = result;
  return {
    json: { database, ok, code, fingerprints, pageShowsKeys, sites },
    lines: [
      ok
        ? 'a stranger gets the same files everywhere, and all of them are good'
        : `something is wrong (${code ?? ''})`,
      ...fingerprints.map((fingerprint) => `  key ${groupFingerprint(fingerprint)}`),
      pageShowsKeys === null
        ? '  there is no trust page'
        : `  the trust page shows ${pageShowsKeys ? 'it' : 'no fingerprint that keys.asc holds'}`,
      ...sites.flatMap(siteLines),
      '  this does not say whose key it is: compare the fingerprint with one from another place',
    ],
    // An address that could not be reached says nothing against what it serves.
    exitStatus: ok ? 0 : code?.startsWith('NETWORK') === true ? 2 : 1,
  };
}

function siteLines(site: SiteReport): string[] {
  const { url, status, code, message, issued, lagSeconds, headers, opinions, files, findings } = site;
  const why = message === null ? '' : `: ${harmless(message)}`;
  const lag = lagSeconds === null || lagSeconds === 0 ? '' : `, ${formatInteger(lagSeconds)} s behind`;
  return [
    `${harmless(url)}: ${status}${why}${code === null ? '' : ` (${code})`}`,
    ...(issued === null ? [] : [`  issued ${formatInstant(issued)}${lag}`]),
    ...Object.entries(headers).map(([name, value]) => `  ${harmless(name)}: ${harmless(value)}`),
    ...opinions.map(
      ({ program, good, reason }) =>
        `  ${program}: ${good ? 'good' : `not good (${harmless(reason ?? '')})`}`,
    ),
    ...(files.checked === 0 ? [] : [`  ${files.ok} of ${count(files.checked, 'file')} as signed`]),
    ...findings.map(({ kind, path }) => `  ${kind}: ${harmless(path)}`),
  ];
}

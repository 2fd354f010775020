import type { Database, Packsign } from './database.js';
import { PacksignError } from '../errors.js';
import { changeWithoutReason, defectOfHistory } from './history-rules.js';
import { lostHistory, unexplained } from './ledger.js';
import type { Unexplained } from './ledger.js';
import type { Update } from './update.js';
import { SLACK_MS, formatInstant, wholeSeconds } from './time.js';

/** How far `Issued` may run ahead of the clock, so that each database is later than the last. */
const AHEAD_LIMIT_MS = 5 * 60 * 1000;
const BUILD_AGE_LIMIT_MS = 24 * 60 * 60 * 1000;
const BUILD_AGAIN = 'build again: packsign build DIRECTORY';

/**
 * `Issued` of the next database: now, or one second after the last database if that is later (docs/FORMAT.md §6). Throws
 * CLOCK_BEHIND.
 */
export function nextIssued(last: Date | null, now: Date): Date {
  const clock = wholeSeconds(now).getTime();
  const issued = Math.max(clock, (last?.getTime() ?? -Infinity) + 1000);
  if (last !== null && issued > clock + AHEAD_LIMIT_MS) throw clockBehind(last, now);
  return new Date(issued);
}

export function clockBehind(last: Date, now: Date): PacksignError {
  const wayOut =
    last.getTime() > now.getTime() + SLACK_MS
      ? 'if it is right, replace the database, which no reader with a correct clock has accepted: packsign build DIRECTORY --key KEY --trust-clock'
      : 'if it is right, wait a few minutes';
  return new PacksignError(
    'CLOCK_BEHIND',
    `the published database was issued at ${formatInstant(last)}, this machine's clock says ${formatInstant(now)}`,
    { hint: `set the clock: timedatectl set-ntp true, or date with the right time; ${wayOut}` },
  );
}

/** When a third of a database's validity is left: time to sign again (threat T20). Null means never. */
export function refreshDate({ Issued, Expires }: Pick<Packsign, 'Issued' | 'Expires'>): Date | null {
  if (Expires === undefined) return null;
  return new Date(Expires.getTime() - (Expires.getTime() - Issued.getTime()) / 3);
}

export function isRefreshDue(dates: Pick<Packsign, 'Issued' | 'Expires'>, now: Date): boolean {
  const due = refreshDate(dates);
  return due !== null && due <= now;
}

/** Refuses bytes that change without a reason. Throws BYTES_CHANGED. */
export function refuseChangedBytes(update: Update): void {
  const { before: published, next } = update;
  const changes = unexplained(update);
  const [first] = changes;
  if (first !== undefined) {
    throw new PacksignError(
      'BYTES_CHANGED',
      ['files are not what was published under their names:', ...changes.map(describe)].join('\n'),
      {
        hint: `give the new bytes a new version and name, or say why: packsign build DIRECTORY --allow-changed ${first.changed} --reason TEXT; files that change by design belong under "Mutable" in packsign.json`,
      },
    );
  }
  const lost = lostHistory(update);
  if (lost.length > 0) {
    throw new PacksignError(
      'BYTES_CHANGED',
      `the waiting database does not continue the history of ${lost.join(', ')}`,
      { hint: BUILD_AGAIN },
    );
  }

  function describe({ path: former, changed: path }: Unexplained): string {
    const listed = published?.Files.get(former);
    const once = published?.Packsign.History?.get(former)?.at(-1);
    const now = next.Files.get(path);
    const before =
      listed === undefined
        ? `sha256 ${once?.SHA256 ?? ''}, withdrawn ${once === undefined ? '' : formatInstant(once.Until)}`
        : `sha256 ${listed.SHA256}, ${listed.Size} bytes, since ${formatInstant(listed.Since)}`;
    const may = now?.Mutable === true ? ', and may change from now on ("Mutable")' : '';
    const as = former === path ? '' : ` as ${former}, which differs only in case`;
    return `  ${path}\n    was ${before}${as}\n    is  sha256 ${now?.SHA256 ?? ''}, ${now?.Size ?? 0} bytes${may}`;
  }
}

/** Refuses what every reader would refuse. Throws DATABASE_MALFORMED. */
export function requireSoundHistory(database: Database): void {
  const path = changeWithoutReason(database);
  const defect =
    defectOfHistory(database) ?? (path === null ? null : `the history of ${path} gives no reason`);
  if (defect === null) return;
  throw new PacksignError('DATABASE_MALFORMED', `readers would refuse this database: ${defect}`, {
    hint: BUILD_AGAIN,
  });
}

/** Refuses a waiting database that no longer follows the published one. Throws STALE_BUILD, CLOCK_BEHIND. */
export function refuseStaleBuild(
  next: Database,
  { previous, now }: { previous: string | null; now: Date },
): void {
  const { Previous = null, Issued } = next.Packsign;
  if (previous === null && Previous !== null) {
    const hint = 'name the one that it continues: packsign sign DIRECTORY --previous URL --key FILE';
    throw staleBuild('the waiting database continues one that is not published here', hint);
  }
  if (Previous !== previous) throw staleBuild('another database was published since this one was built');
  if (Issued.getTime() - now.getTime() > AHEAD_LIMIT_MS) {
    throw new PacksignError(
      'CLOCK_BEHIND',
      `the waiting database was issued at ${formatInstant(Issued)}, this machine's clock says ${formatInstant(now)}`,
      { hint: `set the clock, or ${BUILD_AGAIN}` },
    );
  }
  if (now.getTime() - Issued.getTime() > BUILD_AGE_LIMIT_MS) {
    throw staleBuild('the waiting database was built more than a day ago');
  }
}

function staleBuild(message: string, hint = BUILD_AGAIN): PacksignError {
  return new PacksignError('STALE_BUILD', message, { hint });
}

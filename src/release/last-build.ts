import type { FactsCache } from './facts-cache.js';
import { writeLastBuild } from './last-build-file.js';
import type { LastBuild } from './last-build-file.js';
import { hashInputs } from './state-file.js';
import type { Scan } from '../places/scan.js';
import type { Warning } from '../model/finding.js';
import { KEYS_NAME } from '../model/layout.js';
import { isRefreshDue } from '../model/policy.js';
import type { Settings } from '../model/settings.js';
import { sha256Of } from '../verify/verify-database.js';
import type { Published } from '../published/published.js';

/** What a build found out, for the next one that finds nothing changed. */
export interface Summary {
  readonly sha256: string;
  readonly issued: Date;
  readonly expires: Date | null;
  readonly packages: number;
  readonly files: number;
  /** Size of all files together. */
  readonly bytes: number;
  readonly warnings: readonly Warning[];
}

export interface Inputs {
  readonly settings: Settings;
  readonly scan: Scan;
  readonly cache: FactsCache;
  readonly stateFolder: string;
  /** What the last build left. */
  readonly lastBuild: LastBuild | null;
}

/**
 * Answers at once when nothing has changed since a build that ended in what is published now: the same
 * bytes of database, signature and keys, which were verified then, the same settings, every file
 * untouched. Neither the database nor OpenPGP has to be read for it. Null means that the full build has to run.
 */
export function recallUnchanged(published: Published, inputs: Inputs, now: Date): Summary | null {
  const { lastBuild } = inputs;
  if (published.signature() === null) return null;
  if (lastBuild?.inputs !== inputsName(inputs) || !isKnownWhole(inputs)) return null;
  if (JSON.stringify(lastBuild.published) !== JSON.stringify(publishedNames(published))) return null;
  const summary = summaryOf(lastBuild);
  // If the clock is behind, let the full build say so.
  if (summary.issued > now) return null;
  const dates = { Issued: summary.issued, ...(summary.expires === null ? {} : { Expires: summary.expires }) };
  return isRefreshDue(dates, now) ? null : summary;
}

/**
 * Remembers a build that ended in what is published; wholly where every file is known without reading it again. By
 * then the cache keeps what the build observed, and nothing else.
 */
export function rememberBuild(
  published: Published,
  inputs: Inputs,
  { keys, ...summary }: Omit<Summary, 'sha256'> & Pick<LastBuild, 'keys'>,
): void {
  const { cache, scan } = inputs;
  if (cache.checksum() === null) return;
  // Other files that stay listed because they are published are unknown to a scan.
  // What was said of a name that is gone depends on the database before.
  const isOfNow = !summary.warnings.some(({ code }) => code === 'UNUSED_OVERRIDE');
  const isWhole = isOfNow && summary.files === scan.files.length && isKnownWhole(inputs);
  writeLastBuild(inputs.stateFolder, {
    published: publishedNames(published),
    inputs: isWhole ? inputsName(inputs) : null,
    keys,
    // What was typed for one build says nothing about the next.
    summary: { ...summary, warnings: summary.warnings.filter(({ code }) => code !== 'NOT_DAMAGED') },
  });
}

/** Whether the cache, as it was written, knows these very files and no others. */
function isKnownWhole({ scan, cache }: Inputs): boolean {
  const { files } = scan;
  return cache.checksum() !== null && cache.size() === files.length && files.every(cache.knows);
}

function inputsName({ settings, scan, cache }: Inputs): string {
  return hashInputs([settings, scan.warnings, scan.files.length, cache.checksum()]);
}

function publishedNames(published: Published): LastBuild['published'] {
  const name = (bytes: Uint8Array | null) => sha256Of(bytes ?? new Uint8Array());
  return {
    database: published.sha256() ?? '',
    signature: name(published.signature()),
    keys: name(published.bytes(KEYS_NAME)),
  };
}

function summaryOf({ summary, published }: LastBuild): Summary {
  const { issued, expires, ...rest } = summary as unknown as Omit<Summary, 'issued' | 'expires'> & {
    readonly issued: string;
    readonly expires: string | null;
  };
  const dates = { issued: new Date(issued), expires: expires === null ? null : new Date(expires) };
  return { ...rest, ...dates, sha256: published.database };
}

import type { Absent } from './absence.js';
import type { Package } from './package.js';
import type { Trust } from './database.js';

/** What a maintainer sets for one package or file: any PackMan key, and why it was yanked. */
export type Override = Partial<Package> & { readonly Yanked?: string };

/** A database that the maintainer vouches for; `Include` shows it to PackMan clients too. */
export type TrustSetting = Trust & { readonly Include?: boolean };

/** The half of a database that its maintainer writes by hand: `packsign.json` and options. */
export interface Settings {
  readonly Maintainer?: string;
  readonly Description?: string;
  readonly 'Base-URL'?: string;
  readonly Database?: string;
  /** Where the directory lies in a larger one: names and platforms are read from these folders too. */
  readonly Within?: string;
  readonly Notify?: string;
  readonly Mirrors?: readonly string[];
  /** `180 days`, `none`. */
  readonly Validity?: string;
  readonly Key?: readonly string[];
  readonly Signers?: readonly string[];
  readonly Threshold?: number;
  /** False omits MD5 everywhere, which PackMan clients need. */
  readonly PackMan?: boolean;
  readonly Scrub?: string;
  readonly Settle?: string;
  /** What happens to listed files that are not in the directory; `ask` if not given. */
  readonly Absent?: Absent;
  /** Globs of files to list whatever their names are. */
  readonly Include?: readonly string[];
  readonly Exclude?: readonly string[];
  /** Globs of files that get other bytes under their names by design. */
  readonly Mutable?: readonly string[];
  readonly Trusts?: readonly TrustSetting[];
  /** Where `publish` sends the directory. */
  readonly Publish?: readonly string[];
  readonly Page?: boolean;
  /** True writes `SHA256SUMS` and `SHA256SUMS.asc`. */
  readonly Checksums?: boolean;
  /** How far new files are checked for damage; `whole` if not given. */
  readonly Inspect?: 'whole' | 'ends';
  /** True takes the SHA-256 that a bucket keeps of a file, and does not read the file. */
  readonly 'Store-Hashes'?: boolean;
  /** Package name or file path → overrides; a name without a file is a pseudo-package. */
  readonly Packages?: ReadonlyMap<string, Override>;
}

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  second: 1,
  m: 60,
  min: 60,
  minute: 60,
  h: 3600,
  hour: 3600,
  d: 86_400,
  day: 86_400,
  w: 604_800,
  week: 604_800,
  y: 31_536_000,
  year: 31_536_000,
};

/** Seconds of `180 days`, `2y`, `300ms` or `1.5 hours`; null if it is not a duration above zero. */
export function parseDuration(text: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text);
  if (match === null) return null;
  const [, amount = '', unit = ''] = match;
  const seconds = Number(amount) * unitSeconds(unit.toLowerCase());
  return seconds > 0 ? seconds : null;
}

function unitSeconds(unit: string): number {
  const singular = unit.length > 2 ? unit.replace(/s$/, '') : unit;
  return (Object.hasOwn(UNIT_SECONDS, singular) ? UNIT_SECONDS[singular] : undefined) ?? 0;
}

const DEFAULT_VALIDITY = '180 days';

/** How many seconds a database stays fresh under these settings; null if it never expires. */
export function validitySeconds(settings: Settings): number | null {
  const validity = settings.Validity ?? DEFAULT_VALIDITY;
  return validity === 'none' ? null : parseDuration(validity);
}

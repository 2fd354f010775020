/** What a package requires: advice for a person, or another package of the database. */
export type Prerequisite =
  string | { readonly Name: string; readonly Version?: string; readonly Flavor?: string };

/** One entry of `Packages`, in PackMan's own words (docs/FORMAT.md §4). It proves nothing. */
export interface Package {
  readonly Name: string;
  readonly Version?: string;
  readonly Flavor?: string;
  readonly Description: string;
  readonly 'Home-page'?: string;
  readonly 'Download-URL'?: string;
  /** 32 lower-case hex digits. */
  readonly MD5Sum?: string;
  /** Python that PackMan executes. */
  readonly 'Install-test': string;
  readonly Prerequisites?: readonly Prerequisite[];
  readonly 'Install-command'?: string;
  readonly 'Pre-install-command'?: string;
  readonly 'Post-install-command'?: string;
  readonly 'User-install-skips'?: readonly string[];
  readonly 'Systemwide-only'?: boolean;
}

/** The keys whose values PackMan runs, as Python or in a shell. */
export const EXECUTABLE_KEYS = [
  'Install-test',
  'Install-command',
  'Pre-install-command',
  'Post-install-command',
] as const satisfies readonly (keyof Package)[];

/**
 * The version of PackMan's format that packages need (docs/FORMAT.md §3): clients know relative addresses, `installer`
 * and `hidden` only since 0.5.
 */
export function packManVersion(packages: readonly Package[]): '0.3' | '0.5' {
  const isNew = packages.some(({ 'Download-URL': url, Flavor }) => {
    const isRelative = url !== undefined && !/^[a-z][a-z0-9+.-]*:/i.test(url);
    return isRelative || Flavor === 'installer' || Flavor === 'hidden';
  });
  return isNew ? '0.5' : '0.3';
}

/** Name, version and flavor, which hold no spaces, in one text. */
export function wordsOf({
  Name,
  Version,
  Flavor,
}: Partial<Pick<Package, 'Name' | 'Version' | 'Flavor'>>): string {
  return `${Name ?? ''} ${Version ?? ''} ${Flavor ?? ''}`;
}

/** Identifies a package: its address, or its name if it has no file. */
export function addressOf(entry: Package): string {
  return entry['Download-URL'] ?? entry.Name;
}

export function byAddress(packages: readonly Package[]): ReadonlyMap<string, Package> {
  return new Map(packages.map((entry) => [addressOf(entry), entry]));
}

/** The order of `Packages`: Name, Version, Flavor, Download-URL, each in byte order. */
export function comparePackages(a: Package, b: Package): number {
  return (
    compareText(a.Name, b.Name) ||
    compareText(a.Version ?? '', b.Version ?? '') ||
    compareText(a.Flavor ?? '', b.Flavor ?? '') ||
    compareText(a['Download-URL'] ?? '', b['Download-URL'] ?? '')
  );
}

/** Byte order, for text without surrogates, such as paths and names. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

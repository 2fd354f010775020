/** What a package needs first: advice for a person, or another package of the database. */
export type Prerequisite =
  string | { readonly Name: string; readonly Version?: string; readonly Flavor?: string };

/** One entry of `Packages`, in PackMan's own words (docs/FORMAT.md §4). No evidence of anything. */
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

/** What tells one package from another: where it is fetched, or its name where it has no file. */
export function addressOf(entry: Package): string {
  return entry['Download-URL'] ?? entry.Name;
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

/** Byte order, for text that is ASCII or without surrogates; what paths and names are. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

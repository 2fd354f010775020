/**
 * Whether a `Platform` of docs/FORMAT.md §5 names a system or an architecture, so that the file is not for every machine:
 * `linux-amd64` does, `py3-none-any`, `all` and `noarch` do not.
 */
export function namesSystem(platform: string): boolean {
  return !/^(?:all|any|noarch|universal|py[0-9.]*-none-any)$/i.test(platform);
}

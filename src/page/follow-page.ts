import type { Warning } from '../model/finding.js';

/**
 * Lets the trust page show the keys that are published now beside a database; does nothing where it is not to follow
 * them. What keeps it as it was is a warning, as everything else is in place by then.
 */
export async function followPage(
  directory: string,
  { sha256, page = false }: { readonly sha256: string; readonly page?: boolean | undefined },
): Promise<readonly Warning[]> {
  if (!page) return [];
  const { repairPage } = await import('./publish-page.js');
  const { warnings } = await repairPage(directory, sha256, { stillSince: null });
  return warnings;
}

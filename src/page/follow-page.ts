import type { Warning } from '../model/finding.js';
import type { Published } from '../published/published.js';

/**
 * Brings the trust page up to date with what is published now; does nothing where it is not to follow. What keeps the
 * page as it was is a warning, because everything else is in place by then.
 */
export async function followPage(
  published: Published,
  { page = false }: { readonly page?: boolean },
): Promise<readonly Warning[]> {
  if (!page || published.sha256() === null) return [];
  const { mendPage } = await import('./publish-page.js');
  return (await mendPage(published, { stillSince: null })).warnings;
}

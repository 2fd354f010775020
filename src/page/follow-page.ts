import type { Warning } from '../model/finding.js';
import type { Published } from '../published/published.js';

/**
 * Brings the trust page up to date with the published database, if the settings ask for a page. A page that cannot be
 * written is only a warning, because everything else is in place by then.
 */
export async function followPage(
  published: Published,
  { page = false }: { readonly page?: boolean },
): Promise<readonly Warning[]> {
  if (!page || published.sha256() === null) return [];
  const { mendPage } = await import('./publish-page.js');
  return (await mendPage(published, { stillSince: null })).warnings;
}

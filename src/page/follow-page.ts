import type { Published } from '../published/published.js';
import { PAGE_AS_IT_WAS } from './mended.js';
import type { MendedPage } from './mended.js';

/**
 * Brings the trust page up to date with the published database, if the settings ask for a page. A page that cannot be
 * written is only a warning, because everything else is in place by then.
 */
export async function followPage(
  published: Published,
  { page = false }: { readonly page?: boolean },
): Promise<MendedPage> {
  if (!page || published.sha256() === null) return PAGE_AS_IT_WAS;
  const { mendPage } = await import('./publish-page.js');
  return await mendPage(published, { stillSince: null });
}

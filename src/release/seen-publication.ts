import type { Warning } from '../model/finding.js';
import type { Settings } from '../model/settings.js';
import type { Published } from '../published/published.js';
import { seenWhole } from '../published/whole.js';
import { checksumWarnings } from './checksums.js';

/**
 * For commands that write nothing: the directory as a publishing command would leave it, and a warning for each file that
 * it would repair, or leave alone though it is out of date. Throws KEYS_MALFORMED, FILE_UNREADABLE.
 */
export async function seenPublication(
  found: Published,
  { Page = false, Checksums: checksums }: Settings,
): Promise<{ readonly published: Published; readonly warnings: readonly Warning[] }> {
  const { published, warnings } = await seenWhole(found);
  const ofPage = Page ? await (await import('../page/publish-page.js')).pageWarnings(published) : [];
  return {
    published,
    warnings: [...warnings, ...ofPage, ...(await checksumWarnings(published, { checksums }))],
  };
}

import type { Warning } from '../model/finding.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Published } from '../published/published.js';
import type { LintContext, LintFinding } from './lint.js';

export interface LintOptions extends Omit<LintContext, 'published'> {
  /** Null for those that the directory publishes. */
  readonly certificates: readonly Certificate[] | null;
}

/** What today's verifiers will say about the keys that sign here, and from when. Throws KEYS_MALFORMED. */
export async function lintPublished(
  { certificates }: Published,
  options: LintOptions,
): Promise<readonly Warning[]> {
  const published = await certificates();
  const findings = await lintAll(options.certificates ?? published, { ...options, published });
  return findings.map(({ code, message }) => ({ code, path: null, message }));
}

export async function lintAll(
  certificates: readonly Certificate[],
  { published, ...context }: Omit<LintContext, 'published'> & { readonly published: readonly Certificate[] },
): Promise<readonly LintFinding[]> {
  const { lintCertificate } = await import('./lint.js');
  return certificates.flatMap((certificate) => {
    const same = published.find(({ fingerprint }) => fingerprint === certificate.fingerprint) ?? null;
    return lintCertificate(certificate, { ...context, published: same });
  });
}

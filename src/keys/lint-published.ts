import type { Warning } from '../model/finding.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Published } from '../published/published.js';
import type { LintFinding } from './lint.js';

export interface LintOptions {
  /** Null: those that the directory publishes. */
  readonly certificates: readonly Certificate[] | null;
  /** When the published database ends; null where it does not, or there is none. */
  readonly databaseExpires: Date | null;
  readonly now: Date;
}

/** What today's verifiers will say of keys that sign here, and from when. Throws KEYS_MALFORMED. */
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
  {
    published,
    databaseExpires,
    now,
  }: { published: readonly Certificate[]; databaseExpires: Date | null; now: Date },
): Promise<readonly LintFinding[]> {
  const { lintCertificate } = await import('./lint.js');
  return certificates.flatMap((certificate) => {
    const same = published.find(({ fingerprint }) => fingerprint === certificate.fingerprint) ?? null;
    return lintCertificate(certificate, { now, databaseExpires, published: same });
  });
}

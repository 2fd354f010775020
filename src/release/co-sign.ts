import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import { thresholdOf } from '../model/database.js';
import { DATABASE_NAME, signaturePath } from '../model/layout.js';
import type { Published } from '../published/published.js';
import { addSignatures } from '../published/replace.js';
import { collectSignatures } from './collect-signatures.js';
import { noKey, preflight } from './preflight.js';
import { followPublication, writePublisherNote } from './sign-and-publish.js';
import type { Outcome, SignAndPublishOptions } from './sign-and-publish.js';

/**
 * Adds signatures to the database that is published, which stays as it is byte for byte; null where each of the
 * signers has signed it already. Throws NOTHING_TO_SIGN,
 * NO_KEY, PREVIOUS_INVALID, the codes of `collectSignatures`.
 */
export async function coSign(published: Published, options: SignAndPublishOptions): Promise<Outcome | null> {
  const { run } = options;
  const { directory } = published;
  const before = await published.verified();
  if (before === null) {
    throw new PacksignError('NOTHING_TO_SIGN', `there is no published ${join(directory, DATABASE_NAME)}`, {
      hint: 'a database that waits is signed without --co-sign',
    });
  }
  if (options.signers.length === 0) throw noKey();
  await preflight(published, { signers: options.signers, now: run.now });
  const { database, content } = before;
  const certificates = await published.certificates();
  const { signature, signers, added } = await collectSignatures(
    { content, database, certificates, collected: before.signature, keepUnknown: false },
    options,
  );
  if (added.length === 0) return null;
  const signed = addSignatures(published, { ...before, signature });
  writePublisherNote(signed, { database, signers }, run);
  const threshold = thresholdOf(database);
  // With one more signature it may do without a key whose revocation waits.
  const { published: next, page } = await followPublication(signed, options);
  const sha256 = content.sha256();
  return {
    published: next,
    release: {
      ...{ sha256, signers, threshold, keysWritten: null, warnings: page.warnings },
      database: join(directory, DATABASE_NAME),
      issued: database.Packsign.Issued,
      expires: database.Packsign.Expires ?? null,
      signature: join(directory, signaturePath(sha256)),
      published: true,
      missing: Math.max(0, threshold - signers.length),
    },
  };
}

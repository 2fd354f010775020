import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import { thresholdOf } from '../model/database.js';
import { DATABASE_NAME, KEYS_NAME, signaturePath } from '../model/layout.js';
import { collectSignatures, noKey } from './collect-signatures.js';
import { publishMoreSignatures } from '../published/replace.js';
import { readKeys, readPublished } from '../published/read.js';
import type { Standing } from '../published/read.js';
import { preflight } from './preflight.js';
import { finishPublication, writePublisherNote } from './sign-and-publish.js';
import type { SignAndPublishOptions, SignedRelease } from './sign-and-publish.js';

/**
 * Adds signatures to the database that is published, which stays as it is byte for byte; null where each of the
 * signers has signed it already. Throws NOTHING_TO_SIGN,
 * NO_KEY, PREVIOUS_INVALID, the codes of `gatherSignatures`.
 */
export async function coSign(
  directory: string,
  standing: Standing | null,
  options: SignAndPublishOptions,
): Promise<SignedRelease | null> {
  const published = await readPublished(directory, standing);
  if (published === null || standing === null) {
    throw new PacksignError('NOTHING_TO_SIGN', `there is no published ${join(directory, DATABASE_NAME)}`, {
      hint: 'a database that waits is signed without --co-sign',
    });
  }
  if (options.signers.length === 0) throw noKey();
  await preflight(directory, options);
  const { database, sha256 } = published;
  const certificates = await readKeys(join(directory, KEYS_NAME));
  const { signature, signers, added } = await collectSignatures(
    { content: standing.content, database, certificates, collected: published.signature, keepUnknown: false },
    options,
  );
  if (added.length === 0) return null;
  publishMoreSignatures(directory, { sha256, signature });
  writePublisherNote(directory, { database, signers, sha256 }, options);
  const threshold = thresholdOf(database);
  // With one more signature it may do without a key whose revocation waits.
  const { warnings } = await finishPublication(directory, sha256, options);
  return {
    database: join(directory, DATABASE_NAME),
    sha256,
    issued: database.Packsign.Issued,
    expires: database.Packsign.Expires ?? null,
    signers,
    signature: join(directory, signaturePath(sha256)),
    published: true,
    missing: Math.max(0, threshold - signers.length),
    threshold,
    publication: null,
    keysWritten: null,
    warnings,
  };
}

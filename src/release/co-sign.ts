import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import { DATABASE_NAME } from '../model/layout.js';
import type { Published } from '../published/published.js';
import { addSignatures } from '../published/replace.js';
import { requireClock } from './clock-evidence.js';
import { collectSignatures } from './collect-signatures.js';
import { preflight } from './preflight.js';
import { coSignChecksums } from './checksums.js';
import { followPublication, opened, releaseOf, writePublisherNote } from './sign-and-publish.js';
import type { Outcome, SignAndPublishOptions } from './sign-and-publish.js';

/**
 * Adds signatures to the published database, whose bytes stay the same; null if each signer has signed it already.
 * Throws NOTHING_TO_SIGN, NO_KEY, PREVIOUS_INVALID, the codes of `collectSignatures`.
 */
export async function coSign(published: Published, options: SignAndPublishOptions): Promise<Outcome | null> {
  const { run, signers: signing } = options;
  const { directory } = published;
  const before = await published.verified();
  if (before === null) {
    throw new PacksignError('NOTHING_TO_SIGN', `there is no published ${join(directory, DATABASE_NAME)}`, {
      hint: 'sign a waiting database without --co-sign',
    });
  }
  await preflight(published, { signers: signing, now: run.now });
  const { database, content } = before;
  const address = database.Packsign.Database ?? null;
  const noteClock = await requireClock({ run, address, isSigning: signing.length > 0 });
  const certificates = await published.certificates();
  const { signature, signers, added } = await collectSignatures(
    { content, database, certificates, collected: before.signature, keepUnknown: false },
    options,
  );
  if (added.length === 0) return null;
  const signed = addSignatures(published, { ...before, signature });
  noteClock();
  writePublisherNote(signed, { database, signers }, run);
  await coSignChecksums(signed, { database, certificates, signers }, opened(options));
  // With one more signature, the database may no longer need the key whose revocation waits.
  const { published: next, warnings } = await followPublication(signed, opened(options));
  const outcome = { published: true, keysWritten: null, warnings };
  return { published: next, release: releaseOf(directory, { database, content, signers }, outcome) };
}

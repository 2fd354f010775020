import { join } from 'node:path';
import { PacksignError } from '../errors.js';
import { DATABASE_NAME, KEYS_NAME, SIGNATURE_COPY_NAME } from '../model/layout.js';
import type { Certificate } from '../pgp/certificates.js';
import type { Content } from '../pgp/content.js';
import { verifyAndRead } from '../verify/verify-database.js';
import type { Verdict } from '../verify/verify-database.js';
import type { Published, SignedDatabase } from './published.js';

/** Later than any signature: CLOCK_BEHIND deals with a writer's wrong clock. */
export const END_OF_TIME = new Date('9999-12-31T00:00:00Z');

/**
 * The verdict on the published database under these certificates, with the threshold that it sets itself; null if there
 * is none. `signature` replaces its own signature file.
 */
export async function verdictUnder(
  published: Published,
  certificates: readonly Certificate[],
  signature: Uint8Array | null = published.signature(),
): Promise<Verdict | null> {
  const content = published.content();
  return content === null ? null : (await decide(content, signature, certificates)).verdict;
}

async function decide(
  content: Content,
  signature: Uint8Array | null,
  certificates: readonly Certificate[],
): ReturnType<typeof verifyAndRead> {
  const fingerprints = certificates.map(({ fingerprint }) => fingerprint);
  return await verifyAndRead(
    { bytes: content.bytes, content, signature, certificates },
    { pins: { fingerprints, threshold: 'own' }, now: END_OF_TIME, accepted: null, url: null },
  );
}

/** Implements `verified` of a published directory. Throws PREVIOUS_INVALID, FOREIGN_DATABASE. */
export async function requireVerified(published: Published): Promise<SignedDatabase | null> {
  const content = published.content();
  if (content === null) return null;
  const signature = published.signature();
  const { verdict, reading } = await decide(content, signature, await published.certificates());
  if (verdict.status !== 'refused' && signature !== null) {
    return { content, signature, reading, database: verdict.database };
  }
  const path = join(published.directory, DATABASE_NAME);
  const bytes = Buffer.from(content.bytes);
  const isWhole = bytes.subarray(-64).toString('latin1').trimEnd().endsWith('</plist>');
  if (!bytes.includes('<key>Packsign</key>') && (isWhole || !isOurs(published))) {
    throw new PacksignError('FOREIGN_DATABASE', `${path} was not made by packsign`, {
      hint: 'to start a new history: packsign build DIRECTORY --first',
    });
  }
  const why = isWhole ? (verdict.message ?? 'it has no signature') : 'it ends early';
  const isKeyless = published.bytes(KEYS_NAME) === null;
  const message = isKeyless
    ? `${path} cannot be verified: ${KEYS_NAME} is missing`
    : `${path} does not verify against ${KEYS_NAME}: ${why}`;
  throw new PacksignError('PREVIOUS_INVALID', message, {
    hint: restoreHint(isKeyless ? KEYS_NAME : `${DATABASE_NAME} and ${SIGNATURE_COPY_NAME}`),
  });
}

/** Whether packsign published here: then what is no database any more is damaged, not another program's. */
function isOurs(published: Published): boolean {
  return published.bytes(SIGNATURE_COPY_NAME) !== null || published.bytes(KEYS_NAME) !== null;
}

/** What to do about lost or damaged files of a publication. */
export function restoreHint(files: string): string {
  return `restore ${files} from a backup or the published site; to start a new history: packsign build DIRECTORY --first`;
}

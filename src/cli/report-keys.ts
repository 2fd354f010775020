import { join } from 'node:path';
import { formatInstant } from '../index.js';
import type { ChangedKey, CheckedBackup, GeneratedKey, PublishedKeys, ShownKey } from '../index.js';
import type { Report } from './command.js';
import { warningLines } from './report.js';
import { groupFingerprint, harmless, shown } from './terminal.js';

/** Why a revocation is not published yet. */
export const REVOCATION_HELD =
  'the revocation is held back until the published database no longer depends on the revoked key';

export function reportGenerated(key: GeneratedKey): Report {
  const { fingerprint, secret, signing, certificate, revocation, expires, warnings } = key;
  return {
    json: { fingerprint, secret, signing, certificate, revocation, expires, warnings },
    lines: [
      `made the key ${groupFingerprint(fingerprint)}`,
      `  ${harmless(signing)}  signs releases: put it on the machine that does`,
      `  ${harmless(secret)}  the whole key: move it offline, with a copy`,
      `  ${harmless(revocation)}  revokes it if it is lost: keep it apart from the key`,
      `  ${harmless(certificate)}  is public`,
      expires === null ? '  it does not expire' : `  it expires at ${formatInstant(expires)}`,
      `next: packsign build DIRECTORY --key ${shown(signing)}`,
    ],
    notices: warningLines(warnings),
    exitStatus: 0,
  };
}

/** For `key publish`. */
export function reportKeys(result: PublishedKeys): Report {
  const { keys, fingerprints, added, unchanged, held, warnings } = result;
  const newWords = (fingerprint: string) => (added.includes(fingerprint) ? '  (new)' : '');
  return {
    json: { keys, fingerprints, added, unchanged, held, warnings },
    lines: [
      unchanged
        ? `${harmless(keys)} is up to date`
        : `wrote ${harmless(keys)}, which now tells people to trust`,
      ...fingerprints.map((fingerprint) => `  ${groupFingerprint(fingerprint)}${newWords(fingerprint)}`),
      ...(held === null ? [] : [REVOCATION_HELD, `  (${harmless(held)})`]),
    ],
    notices: warningLines(warnings),
    exitStatus: 0,
  };
}

/** For `key extend`, `key rotate` and `key revoke`. */
export function reportChangedKey(
  { fingerprint, signingKey, expires, files, resumed, published }: ChangedKey,
  { directory, file }: { directory: string; file: string },
): Report {
  const { keys = null, held = null, warnings = [] } = published ?? {};
  return {
    json: { fingerprint, signingKey, expires, files, resumed, keys, held, warnings },
    lines: [
      groupFingerprint(fingerprint),
      ...(signingKey === null
        ? ['  cannot sign any more']
        : [
            `  signs with ${groupFingerprint(signingKey)}`,
            expires === null ? '  does not expire' : `  expires at ${formatInstant(expires)}`,
          ]),
      ...(resumed ? ['  an earlier run made this subkey but did not finish: this run made no other'] : []),
      ...files.map((path) => `  wrote ${harmless(path)}`),
      keys === null
        ? `it is not in ${harmless(join(directory, 'keys.asc'))}; next: packsign key publish DIRECTORY --key ${harmless(file)}`
        : `  refreshed ${harmless(keys)}`,
      ...(held === null ? [] : [`${REVOCATION_HELD}:`, `  packsign build ${harmless(directory)} --key KEY`]),
    ],
    notices: warningLines(warnings),
    exitStatus: 0,
  };
}

export function reportBackup({ fingerprint, userIds, works, missing, locked }: CheckedBackup): Report {
  const [, ...subkeys] = works;
  return {
    json: { fingerprint, userIds, works, missing, locked },
    lines: [
      `this backup is good: ${groupFingerprint(fingerprint)}`,
      ...userIds.map((userId) => `  ${harmless(userId)}`),
      '  the primary key certifies',
      ...subkeys.map((subkey) => `  ${groupFingerprint(subkey)} signs`),
      ...missing.map((subkey) => `  ${groupFingerprint(subkey)} is not in it: key rotate makes another`),
      locked
        ? '  locked with a passphrase, and you know it'
        : '  not locked: keep it where only you can read it',
    ],
    exitStatus: 0,
  };
}

export function reportKey(key: ShownKey): Report {
  const lock = key.locked ? 'locked with a passphrase' : 'not locked';
  return {
    json: {
      ...key,
      revokers: key.revokers.map(({ fingerprint, isKnown: known }) => ({ fingerprint, known })),
    },
    lines: [
      groupFingerprint(key.fingerprint),
      ...key.userIds.map((userId) => `  ${harmless(userId)}`),
      `  ${key.algorithm}, ${life(key)}`,
      `  ${key.secret ? `secret key, ${lock}` : 'certificate (public)'}`,
      ...key.subkeys.flatMap((subkey) => [
        `  subkey ${groupFingerprint(subkey.fingerprint)}`,
        `    ${subkey.algorithm}, for ${subkey.usage.join(' and ') || 'nothing'}, ${life(subkey)}`,
      ]),
      ...key.revokers.flatMap(({ fingerprint, isKnown }) => [
        `  ${groupFingerprint(fingerprint)} may revoke it too`,
        ...(isKnown ? [] : ['    its certificate is not here: packsign cannot tell whether it did']),
      ]),
      ...(key.problem === null ? [] : [`  cannot sign: ${key.problem}`]),
      ...(key.lint.length === 0
        ? ['  every verifier that packsign knows accepts it']
        : key.lint.map(({ code, message }) => `  ! ${harmless(message)} (${code})`)),
    ],
    exitStatus: 0,
  };
}

function life({ created, revoked, expires }: Pick<ShownKey, 'created' | 'revoked' | 'expires'>): string {
  const end = expires === null ? 'never expires' : `expires ${formatInstant(expires)}`;
  return `made ${formatInstant(created)}, ${revoked ? 'revoked' : end}`;
}

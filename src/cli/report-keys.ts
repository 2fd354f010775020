import { join } from 'node:path';
import { formatInstant } from '../index.js';
import type { ChangedKey, CheckedBackup, ShownKey } from '../index.js';
import type { Report } from './command.js';
import { warningLines } from './report.js';
import { groupFingerprint, harmless } from './terminal.js';

/** What `key extend`, `key rotate` and `key revoke` came to. */
export function reportChangedKey(
  { fingerprint, signingKey, expires, files, published }: ChangedKey,
  { directory, file }: { directory: string; file: string },
): Report {
  const held = published?.held ?? null;
  return {
    json: {
      fingerprint,
      signingKey,
      expires: expires === null ? null : formatInstant(expires),
      files,
      keys: published?.keys ?? null,
      held,
    },
    lines: [
      groupFingerprint(fingerprint),
      ...(signingKey === null
        ? ['  cannot sign any more']
        : [
            `  signs with ${groupFingerprint(signingKey)}`,
            expires === null ? '  does not expire' : `  expires at ${formatInstant(expires)}`,
          ]),
      ...files.map((path) => `  wrote ${harmless(path)}`),
      ...(published === null ? notPublished(directory, file) : [`  refreshed ${harmless(published.keys)}`]),
      ...(held === null
        ? []
        : [
            'the revocation waits until a database is published that does not rest on the revoked key:',
            `  packsign build ${harmless(directory)} --key KEY`,
          ]),
    ],
    notices: warningLines(published?.warnings ?? []),
    exitStatus: 0,
  };
}

function notPublished(directory: string, file: string): string[] {
  const keys = harmless(join(directory, 'keys.asc'));
  return [`it is not in ${keys}; next: packsign key publish DIRECTORY --key ${harmless(file)}`];
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
        ? '  locked with a passphrase, which you just remembered'
        : '  not locked: keep it where nobody else is',
    ],
    exitStatus: 0,
  };
}

export function reportKey(key: ShownKey): Report {
  return {
    json: {
      ...key,
      created: formatInstant(key.created),
      expires: instantOf(key.expires),
      subkeys: key.subkeys.map((subkey) => ({
        ...subkey,
        created: formatInstant(subkey.created),
        expires: instantOf(subkey.expires),
      })),
      lint: key.lint.map((finding) => ({ ...finding, from: instantOf(finding.from) })),
    },
    lines: [
      groupFingerprint(key.fingerprint),
      ...key.userIds.map((userId) => `  ${harmless(userId)}`),
      `  ${key.algorithm}, made ${formatInstant(key.created)}, ${life(key)}`,
      `  ${key.secret ? `secret key${key.locked ? ', locked with a passphrase' : ', not locked'}` : 'certificate (public)'}`,
      ...key.subkeys.flatMap((subkey) => [
        `  subkey ${groupFingerprint(subkey.fingerprint)}`,
        `    ${subkey.algorithm}, for ${subkey.usage.join(' and ') || 'nothing'}, made ${formatInstant(subkey.created)}, ${life(subkey)}`,
      ]),
      ...(key.problem === null ? [] : [`  cannot sign: ${key.problem}`]),
      ...(key.lint.length === 0
        ? ['  every verifier that packsign knows takes it']
        : key.lint.map(({ code, message }) => `  ! ${harmless(message)} (${code})`)),
    ],
    exitStatus: 0,
  };
}

function life({ revoked, expires }: { revoked: boolean; expires: Date | null }): string {
  if (revoked) return 'revoked';
  return expires === null ? 'never expires' : `expires ${formatInstant(expires)}`;
}

function instantOf(date: Date | null): string | null {
  return date === null ? null : formatInstant(date);
}

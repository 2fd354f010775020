import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeOf, newPlace, sdist, transcript } from '../packsign.js';
import type { Place } from '../packsign.js';
import { gnupgHome, hasGnupg } from '../pgp/gnupg.js';
import type { Home } from '../pgp/gnupg.js';

const PASSPHRASE = 'correct horse battery staple';
const homes: Home[] = [];

afterAll(() => {
  for (const home of homes) home.remove();
});

interface GnupgKey {
  readonly home: Home;
  /** Of the primary key, which only certifies. */
  readonly primary: string;
  /** Of the subkey that signs. */
  readonly subkey: string;
  readonly env: Readonly<Record<string, string>>;
}

function newHome(): Home {
  const home = gnupgHome();
  homes.push(home);
  return home;
}

/** A key that only gpg-agent has. */
function newKey(home: Home, name: string, { passphrase = '', algorithm = 'ed25519' } = {}): GnupgKey {
  const unlock = ['--passphrase', passphrase];
  const userId = `${name} <${name.toLowerCase()}@example.org>`;
  home.must([...unlock, '--quick-generate-key', userId, algorithm, 'cert', '1y']);
  const [primary = ''] = fingerprints(home, userId);
  home.must([...unlock, '--quick-add-key', primary, algorithm, 'sign', '1y']);
  const [, subkey = ''] = fingerprints(home, userId);
  // The agent would still know the passphrase from making the key.
  if (passphrase !== '') home.killAgent();
  return { home, primary, subkey, env: { GNUPGHOME: home.folder } };
}

function fingerprints(home: Home, userId: string): string[] {
  const listing = home.must(['--with-colons', '--with-subkey-fingerprint', '-k', `=${userId}`]).toString();
  return Array.from(listing.matchAll(/^fpr:+([0-9A-F]{40})/gm), ([, fingerprint = '']) => fingerprint);
}

function placeWithArchive(): Place {
  const place = newPlace();
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  return place;
}

/** A command that fails, publishes nothing and shows no secret. */
async function refusal(
  key: string,
  env: Readonly<Record<string, string>>,
  more: readonly string[] = [],
): Promise<string> {
  const place = placeWithArchive();
  const before = place.snapshot();
  const args = ['build', 'dist', '--key', key, ...more];
  const answer = await place.json(args, { env });
  const run = await place.packsign(args, { env });
  expect(place.snapshot()).toEqual(before);
  expect([answer.status, run.stdout]).toEqual([run.status, '']);
  expect(run.stdout + run.stderr + answer.run.stdout).not.toContain(PASSPHRASE);
  expect(run.stderr).toMatch(/^packsign: error: .+\npacksign: hint: .+\n$/);
  return `${String(codeOf(answer))}\n${transcript(run)}`;
}

describe.runIf(hasGnupg())('a key that only GnuPG has', () => {
  let key: GnupgKey;
  let locked: GnupgKey;

  beforeAll(() => {
    key = newKey(newHome(), 'Ann');
    locked = newKey(newHome(), 'Bea', { passphrase: PASSPHRASE });
  });

  test.each<readonly [string, (key: GnupgKey) => string]>([
    ['its fingerprint', ({ primary }) => primary],
    ['its fingerprint in groups', ({ primary }) => primary.replace(/.{4}/g, '$& ').toLowerCase()],
    ['the fingerprint of its subkey', ({ subkey }) => subkey],
    ['the fingerprint of its subkey with a !', ({ subkey }) => `${subkey}!`],
    ['its user id', () => 'Ann <ann@example.org>'],
    ['its address', () => 'ann@example.org'],
    ['a part of its user id', () => 'Ann'],
  ])('signs by %s', async (_, nameOf) => {
    const place = placeWithArchive();
    const { value, run } = await place.json(['build', 'dist', '--key', nameOf(key)], { env: key.env });
    expect([value['published'], run.stderr]).toEqual([true, '']);
    const verified = (await place.json(['verify', 'dist', '--fingerprint', key.primary])).value;
    expect(verified).toMatchObject({ status: 'authentic', signatures: [{ fingerprint: key.primary }] });
  });

  test('signs a waiting database at the time that SOURCE_DATE_EPOCH gives', async () => {
    const place = placeWithArchive();
    const later = String(Math.floor(Date.now() / 1000) + 86_400);
    const env = { ...key.env, SOURCE_DATE_EPOCH: later };
    expect((await place.packsign(['build', 'dist'], { env: { SOURCE_DATE_EPOCH: later } })).status).toBe(0);
    const { value } = await place.json(['sign', 'dist', '--key', key.primary], { env });
    expect(value).toMatchObject({ published: true, signers: [key.primary] });
    const signature = place.read('dist/packages.plist.asc');
    expect(key.home.must(['--list-packets', '--debug', '0'], signature).toString()).toContain(
      `created ${later}`,
    );
  });

  test.each<readonly [string, readonly string[], object]>([
    ['a file', ['--passphrase-file', 'words'], {}],
    ['standard input', ['--passphrase-file', '-'], { input: `${PASSPHRASE}\n` }],
    ['the environment', [], { env: { PACKSIGN_PASSPHRASE: PASSPHRASE } }],
  ])('is unlocked with a passphrase from %s', async (_, more, options: { env?: object; input?: string }) => {
    locked.home.killAgent();
    const place = placeWithArchive();
    place.write('words', `${PASSPHRASE}\n`);
    const run = await place.packsign(['build', 'dist', '--key', 'bea@example.org', ...more], {
      ...options,
      env: { ...locked.env, ...options.env },
    });
    expect([run.status, run.stderr]).toEqual([0, '']);
    expect(run.stdout).not.toContain(PASSPHRASE);
  });

  test('PASSPHRASE_NEEDED: pinentry has nobody to ask', async () => {
    locked.home.killAgent();
    expect(await refusal('bea@example.org', locked.env)).toMatchInlineSnapshot(`
      "PASSPHRASE_NEEDED
      $ packsign build dist --key bea@example.org
      ! packsign: error: gpg-agent could not ask for the passphrase: it has no pinentry, or no terminal for it
      ! packsign: hint: give it with --passphrase-file FILE or in PACKSIGN_PASSPHRASE; at a terminal: export GPG_TTY=$(tty)
      [2]"
    `);
  });

  test('PASSPHRASE_WRONG', async () => {
    locked.home.killAgent();
    const env = { ...locked.env, PACKSIGN_PASSPHRASE: 'wrong words' };
    expect(await refusal('bea@example.org', env)).toMatchInlineSnapshot(`
      "PASSPHRASE_WRONG
      $ packsign build dist --key bea@example.org
      ! packsign: error: that is not the passphrase of the key
      ! packsign: hint: try it with gpg itself: echo test | gpg --clearsign
      [2]"
    `);
  });

  test('NO_KEY: no such key', async () => {
    expect(await refusal('nobody@example.org', key.env)).toMatchInlineSnapshot(`
      "NO_KEY
      $ packsign build dist --key nobody@example.org
      ! packsign: error: there is no key file nobody@example.org, and GnuPG has no secret key nobody@example.org
      ! packsign: hint: name a key file, or a fingerprint that gpg --list-secret-keys --with-subkey-fingerprint shows
      [2]"
    `);
    expect(await refusal('0'.repeat(40), key.env)).toMatchInlineSnapshot(`
      "NO_KEY
      $ packsign build dist --key <fingerprint>
      ! packsign: error: GnuPG has no secret key <fingerprint>
      ! packsign: hint: name a key file, or a fingerprint that gpg --list-secret-keys --with-subkey-fingerprint shows
      [2]"
    `);
  });

  test('NO_KEY: a short key id', async () => {
    expect(await refusal(key.primary.slice(-16), key.env)).toContain('is not a full fingerprint');
  });

  test('NO_KEY: GnuPG has only the public half', async () => {
    const home = newHome();
    home.must(['--import'], key.home.must(['--export', key.primary]));
    expect(await refusal(key.primary, { GNUPGHOME: home.folder })).toMatch(/^NO_KEY\n/);
  });

  test('GNUPG_MISSING', async () => {
    expect(await refusal(key.primary, { ...key.env, PATH: '/nowhere' })).toMatchInlineSnapshot(`
      "GNUPG_MISSING
      $ packsign build dist --key <fingerprint>
      ! packsign: error: there is no program gpg to sign with
      ! packsign: hint: install GnuPG, or name a key file with --key FILE
      [2]"
    `);
  });

  test('GNUPG_FAILED: a home that cannot be used', async () => {
    expect(await refusal(key.primary, { GNUPGHOME: '/proc/nowhere' })).toMatchInlineSnapshot(`
      "GNUPG_FAILED
      $ packsign build dist --key <fingerprint>
      ! packsign: error: gpg could not list keys: Fatal: /proc/nowhere: directory does not exist!
      ! packsign: hint: gpg itself may say more: echo test | gpg --clearsign
      [2]"
    `);
  });

  test('KEY_AMBIGUOUS: GnuPG does not choose among keys', async () => {
    const home = newHome();
    newKey(home, 'Zoe');
    newKey(home, 'Zoe2');
    expect(await refusal('Zoe', { GNUPGHOME: home.folder })).toMatchInlineSnapshot(`
      "KEY_AMBIGUOUS
      $ packsign build dist --key Zoe
      ! packsign: error: GnuPG has more than one secret key that matches Zoe
      ! packsign: hint: name it by its fingerprint: <fingerprint> or <fingerprint>
      [2]"
    `);
  });

  test('KEY_UNUSABLE: a fingerprint with a ! names exactly that key, even one that only certifies', async () => {
    expect(await refusal(`${key.primary}!`, key.env)).toMatchInlineSnapshot(`
      "KEY_UNUSABLE
      $ packsign build dist --key <fingerprint>!
      ! packsign: error: key <fingerprint> cannot sign: the key is not a signing key
      ! packsign: hint: packsign key show KEY shows what is in it
      [2]"
    `);
  });

  test('KEY_EXPIRED, though GnuPG reports no secret key', async () => {
    const home = newHome();
    const then = ['--faked-system-time', '1700000000', '--passphrase', ''];
    home.must([...then, '--quick-generate-key', 'Old <old@example.org>', 'ed25519', 'sign', '1d']);
    expect(await refusal('old@example.org', { GNUPGHOME: home.folder })).toMatchInlineSnapshot(`
      "KEY_EXPIRED
      $ packsign build dist --key old@example.org
      ! packsign: error: key <fingerprint> cannot sign: the key expired at <date>
      ! packsign: hint: give it a new expiry or a new signing subkey, and publish the certificate
      [1]"
    `);
  });

  test('KEY_REVOKED', async () => {
    const home = newHome();
    const { primary, env } = newKey(home, 'Rex');
    const file = readFileSync(join(home.folder, 'openpgp-revocs.d', `${primary}.rev`), 'utf8');
    home.must(['--import'], Buffer.from(file.replace(':-----BEGIN', '-----BEGIN')));
    expect(await refusal(primary, env)).toMatch(/^KEY_REVOKED\n/);
  });

  test('AGENT_UNREACHABLE', async () => {
    const home = newHome();
    const { primary, env } = newKey(home, 'Gil');
    home.killAgent();
    writeFileSync(join(home.folder, 'gpg.conf'), 'no-autostart\n');
    expect(await refusal(primary, env)).toMatchInlineSnapshot(`
      "AGENT_UNREACHABLE
      $ packsign build dist --key <fingerprint>
      ! packsign: error: GnuPG cannot reach gpg-agent, which keeps its keys
      ! packsign: hint: start it with gpgconf --launch gpg-agent; if its socket is forwarded from elsewhere, connect again
      [2]"
    `);
    writeFileSync(join(home.folder, 'gpg.conf'), '');
    expect((await placeWithArchive().packsign(['build', 'dist', '--key', primary], { env })).status).toBe(0);
  });

  test('CARD_MISSING: the key is on a card that is not there', async () => {
    const home = newHome();
    const { subkey, env } = newKey(home, 'Car');
    home.killAgent();
    moveToCard(home, subkey);
    expect(await refusal(subkey, env)).toMatchInlineSnapshot(`
      "CARD_MISSING
      $ packsign build dist --key <fingerprint>
      ! packsign: error: GnuPG cannot reach the smart card with the key
      ! packsign: hint: insert the card and check it with gpg --card-status; on Debian, its driver is in the package scdaemon
      [2]"
    `);
  });

  test('SIGNER_TIMED_OUT: gpg waits for something', async () => {
    const env = {
      ...key.env,
      PATH: fakeGpg('case "$*" in *--detach-sign*) sleep 60;; esac; exec REAL "$@"'),
    };
    expect(await refusal(key.primary, env, ['--signer-timeout', '300ms'])).toMatchInlineSnapshot(`
      "SIGNER_TIMED_OUT
      $ packsign build dist --key <fingerprint> --signer-timeout 300ms
      ! packsign: error: gpg did not answer in time
      ! packsign: hint: look for a passphrase prompt, or give it longer with --signer-timeout 10min
      [2]"
    `);
  });

  test('reads a keyring that another gpg has locked', async () => {
    const home = newHome();
    const { primary, env } = newKey(home, 'Loc');
    const lock = `${process.pid.toString().padStart(10)}\nhost\n`;
    for (const name of ['pubring.kbx.lock', 'trustdb.gpg.lock']) writeFileSync(join(home.folder, name), lock);
    expect((await placeWithArchive().packsign(['build', 'dist', '--key', primary], { env })).status).toBe(0);
  });

  test('a key whose primary half is elsewhere signs with its subkey', async () => {
    const home = newHome();
    home.must(['--import'], key.home.must(['--export-secret-subkeys', key.primary]));
    const env = { GNUPGHOME: home.folder };
    const place = placeWithArchive();
    expect((await place.json(['build', 'dist', '--key', key.primary], { env })).value['published']).toBe(
      true,
    );
    expect(await refusal(`${key.primary}!`, env)).toMatch(/^NO_KEY\n/);
  });

  test('a primary key signs by itself, and P-521 gets a hash as long as its curve', async () => {
    const home = newHome();
    home.must(['--passphrase', '', '--quick-generate-key', 'Una <una@x.org>', 'nistp521', 'sign', '1y']);
    const place = placeWithArchive();
    const env = { GNUPGHOME: home.folder };
    expect((await place.json(['build', 'dist', '--key', 'una@x.org'], { env })).value['published']).toBe(
      true,
    );
    expect((await place.packsign(['verify', 'dist'])).status).toBe(0);
  });

  test('T13: settings of gpg cannot change the kind of signature', async () => {
    const home = newHome();
    const { primary, env } = newKey(home, 'Set');
    const other = newKey(home, 'Other');
    const harmless =
      'armor\ntextmode\ndefault-sig-expire 1d\ndigest-algo SHA1\nsig-policy-url http://x.org\n';
    writeFileSync(join(home.folder, 'gpg.conf'), harmless);
    const place = placeWithArchive();
    expect((await place.json(['build', 'dist', '--key', primary], { env })).value['published']).toBe(true);
    expect((await place.packsign(['verify', 'dist'])).status).toBe(0);
    writeFileSync(join(home.folder, 'gpg.conf'), `local-user ${other.subkey}!\n`);
    expect(await refusal(primary, env)).toMatchInlineSnapshot(`
      "SELF_CHECK_FAILED
      $ packsign build dist --key <fingerprint>
      ! packsign: error: expected a signature by <fingerprint>, got one by <fingerprint> and one by <fingerprint>
      ! packsign: hint: remove "local-user" and "default-key" from gpg.conf
      [1]"
    `);
    writeFileSync(join(home.folder, 'gpg.conf'), 'sig-notation !critical@example.org=1\n');
    expect(await refusal(primary, env)).toMatch(/^SELF_CHECK_FAILED\n/);
  });

  test('a gpg whose lines end as on Windows signs, and says why it does not', async () => {
    const lines = `"$@" 2>ERR; code=$?; sed 's/$/\\r/' ERR >&2; exit $code`;
    const list = `REAL "$@" 2>ERR >OUT; code=$?; sed 's/$/\\r/' OUT; sed 's/$/\\r/' ERR >&2; exit $code`;
    const files = newPlace();
    const script = `case "$*" in *--list-*) ${list};; *) REAL ${lines};; esac`;
    const path = fakeGpg(script.replaceAll('ERR', files.path('err')).replaceAll('OUT', files.path('out')));
    const env = { ...key.env, PATH: path };
    const place = placeWithArchive();
    expect((await place.json(['build', 'dist', '--key', key.primary], { env })).value).toMatchObject({
      published: true,
    });
    expect(await refusal('nobody@example.org', env)).toMatch(/^NO_KEY\n/);
  });

  test.each<readonly [string, string, string]>([
    [
      'that writes nothing and reports success',
      'echo "[GNUPG:] SIG_CREATED D 22 8 00 1 FPR" >&2',
      'SIGNER_FAILED',
    ],
    ['that reports no signature', 'exec REAL "$@" 2>/dev/null', 'GNUPG_FAILED'],
    ['that signs and exits with status 2', 'REAL "$@"; exit 2', 'GNUPG_FAILED'],
    [
      'that writes its status without a space',
      'echo "[GNUPG:]SIG_CREATED D 22 8 00 1 FPR" >&2',
      'GNUPG_FAILED',
    ],
    ['that signs other bytes', 'echo other | REAL "$@"', 'SELF_CHECK_FAILED'],
    ['that never stops writing', 'exec cat /dev/zero', 'GNUPG_FAILED'],
  ])('T13: a gpg %s', async (_, script, code) => {
    const body = script.replaceAll('FPR', key.subkey);
    const path = fakeGpg(`case "$*" in *--detach-sign*) ${body};; *) exec REAL "$@";; esac`);
    expect(await refusal(key.primary, { ...key.env, PATH: path })).toMatch(new RegExp(`^${code}\n`));
  });

  test('T19: no command line and no environment of a child holds a secret', async () => {
    locked.home.killAgent();
    const place = placeWithArchive();
    const log = place.path('children');
    const variables = place.path('variables');
    const env = {
      ...locked.env,
      PACKSIGN_PASSPHRASE: PASSPHRASE,
      PACKSIGN_KEY: 'bea@example.org',
      PATH: fakeGpg(
        `env >> ${variables}; { echo "$*"; cat /proc/[0-9]*/cmdline; } >> ${log} 2>/dev/null; exec REAL "$@"`,
      ),
    };
    expect((await place.packsign(['build', 'dist'], { env })).status).toBe(0);
    const run = await place.packsign(['sign', 'dist', '--verbose'], { env });
    expect([run.status, run.stderr]).toEqual([0, '']);
    const seen = readFileSync(log, 'latin1');
    expect(seen).toContain('--detach-sign');
    const environment = readFileSync(variables, 'utf8');
    expect(environment).toContain(`GNUPGHOME=${locked.home.folder}`);
    expect(environment).not.toContain('PACKSIGN_');
    expect(seen + environment).not.toContain(PASSPHRASE);
  });

  /** A PATH on which `gpg` is this script; REAL becomes the path of the real one. */
  function fakeGpg(script: string): string {
    const place = newPlace();
    const path = process.env['PATH'] ?? '';
    const real = path.split(':').find((folder) => existsSync(join(folder, 'gpg'))) ?? '';
    const file = place.write('bin/gpg', `#!/bin/sh\n${script.replaceAll('REAL', join(real, 'gpg'))}\n`);
    chmodSync(file, 0o755);
    return `${place.path('bin')}:${path}`;
  }
});

/** Leaves of a secret key only what the agent keeps of one on a card. */
function moveToCard(home: Home, fingerprint: string): void {
  const listing = home.must(['--with-colons', '--with-keygrip', '-K']).toString();
  const grip = new RegExp(`^fpr:+${fingerprint}:\\ngrp:+([0-9A-F]{40})`, 'm').exec(listing)?.[1] ?? '';
  const file = join(home.folder, 'private-keys-v1.d', `${grip}.key`);
  const point = /\(q\s+#([0-9A-F]+)#/.exec(readFileSync(file, 'latin1'))?.[1] ?? '';
  const card = 'D2760001240102000005000012340000';
  writeFileSync(
    file,
    `Key: (shadowed-private-key (ecc (curve Ed25519)(flags eddsa)(q #${point}#)\n (shadowed t1-v1 (#${card}# OPENPGP.1))))\n`,
  );
}

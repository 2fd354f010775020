import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { gnupgHome, hasGnupg } from '../pgp/gnupg.js';
import type { Home } from '../pgp/gnupg.js';
import { hasTool, toolPath } from '../tools.js';
import { PATIENCE_MS, drop, endAll, expectSound, leftovers, listed, startWatch } from './watching.js';
import type { Watching } from './watching.js';

// A watch may outlive the agent: users log out, pull cards, or update the machine under it.

const PASSPHRASE = 'correct horse battery staple';
const A = 'a-1.0.tar.gz';
const B = 'b-1.0.tar.gz';
const C = 'c-1.0.tar.gz';

const homes: Home[] = [];
afterAll(() => {
  endAll();
  for (const home of homes) home.remove();
});

interface Scene {
  readonly place: Place;
  readonly home: Home;
  readonly fingerprint: string;
  /** The name of the secret key in the agent. */
  readonly keygrip: string;
}

/** A key that only the agent has, and its certificate beside the directory. */
function newScene(passphrase: string): Scene {
  const home = gnupgHome();
  homes.push(home);
  writeFileSync(join(home.folder, 'gpg-agent.conf'), 'allow-preset-passphrase\n');
  home.must(['--passphrase', passphrase, '--quick-generate-key', 'Ann <ann@x.org>', 'ed25519', 'sign', '1y']);
  const listing = home.must(['--with-colons', '--with-keygrip', '-K']).toString();
  const [fingerprint = '', keygrip = ''] = Array.from(
    listing.matchAll(/^(?:fpr|grp):+([0-9A-F]{40})/gm),
    ([, hex = '']) => hex,
  );
  // The agent remembers the passphrase from making the key.
  home.killAgent();
  const place = newPlace();
  place.write('pub.asc', home.must(['--armor', '--export', fingerprint]));
  drop(place, `dist/${A}`, sdist('a', '1.0'));
  return { place, home, fingerprint, keygrip };
}

function watch({ place, home, fingerprint }: Scene, env: Readonly<Record<string, string>> = {}): Watching {
  const args = ['--key', fingerprint, '--settle', '300ms'];
  return startWatch(place, args, { env: { GNUPGHOME: home.folder, ...env } });
}

/** All files of the directory except the working state. */
function publishedFiles(place: Place): Readonly<Record<string, unknown>> {
  const files = Object.entries(place.snapshot('dist'));
  return Object.fromEntries(files.filter(([path]) => !path.includes('.packsign') && !path.includes(B)));
}

/** Every file that a run wrote, and its output: none may contain the passphrase. */
function expectNoSecret({ place }: Scene, watching: Watching): void {
  const paths = readdirSync(place.root, { recursive: true, withFileTypes: true });
  const texts = paths
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
  for (const text of [...texts, watching.stdout(), watching.stderr()]) {
    expect(text).not.toContain(PASSPHRASE);
    expect(text).not.toContain('PRIVATE KEY BLOCK');
  }
}

async function endWell(scene: Scene, watching: Watching): Promise<void> {
  const { place } = scene;
  expect(await watching.stop(), watching.stderr()).toBe(0);
  expect(leftovers(place.path('dist'))).toEqual([]);
  expect(place.has('dist/packages.unsigned.plist')).toBe(false);
  await expectSound(place);
  expectNoSecret(scene, watching);
}

/** Gives the agent the passphrase, as a user does who logs in. */
function preset({ home, keygrip }: Scene): void {
  const env = { ...process.env, GNUPGHOME: home.folder };
  spawnSync('gpgconf', ['--launch', 'gpg-agent'], { env });
  const { status, stderr } = spawnSync(toolPath('gpg-preset-passphrase') ?? '', ['--preset', keygrip], {
    env,
    input: PASSPHRASE,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
}

describe.runIf(hasGnupg()).concurrent('an agent that dies', { timeout: 4 * PATIENCE_MS }, () => {
  test('is started again by gpg, without an event', async () => {
    const scene = newScene('');
    const { place, home } = scene;
    const watching = watch(scene);
    await watching.until({ event: 'signed', paths: [A] });
    home.killAgent();
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    expect(watching.lines.filter(({ event }) => event === 'error')).toEqual([]);
    await endWell(scene, watching);
  });

  test('AGENT_UNREACHABLE: is reported once, publishes nothing by halves, and signs everything once it is back', async () => {
    const scene = newScene('');
    const { place, home } = scene;
    const watching = watch(scene);
    await watching.until({ event: 'signed', paths: [A] });
    const before = publishedFiles(place);
    // As with the forwarded agent of another host, which gpg cannot start.
    writeFileSync(join(home.folder, 'gpg.conf'), 'no-autostart\n');
    home.killAgent();
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    const line = await watching.until({ event: 'error', code: 'AGENT_UNREACHABLE' });
    expect([line.message, line.hint]).toEqual([
      'GnuPG cannot reach gpg-agent, which keeps its keys',
      'start it with gpgconf --launch gpg-agent; if its socket is forwarded from elsewhere, connect again',
    ]);
    expect(publishedFiles(place)).toEqual(before);
    expect((await place.json(['verify', 'dist', '--keys', 'pub.asc', '--no-files'])).status).toBe(0);
    spawnSync('gpgconf', ['--homedir', home.folder, '--launch', 'gpg-agent']);
    await watching.until({ event: 'signed', paths: [B] });
    expect(watching.lines.filter(({ event }) => event === 'error')).toHaveLength(1);
    await endWell(scene, watching);
  });

  test('gets the passphrase again if packsign has it', async () => {
    const scene = newScene(PASSPHRASE);
    const { place, home } = scene;
    const watching = watch(scene, { PACKSIGN_PASSPHRASE: PASSPHRASE });
    await watching.until({ event: 'signed', paths: [A] });
    home.killAgent();
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    await endWell(scene, watching);
  });

  test.runIf(hasTool('gpg-preset-passphrase'))(
    'PASSPHRASE_NEEDED: forgot the passphrase, and signs everything once it has it again',
    async () => {
      const scene = newScene(PASSPHRASE);
      const { place, home } = scene;
      preset(scene);
      const watching = watch(scene);
      await watching.until({ event: 'signed', paths: [A] });
      const before = publishedFiles(place);
      home.killAgent();
      drop(place, `dist/${B}`, sdist('b', '1.0'));
      const line = await watching.until({ event: 'error', code: 'PASSPHRASE_NEEDED' });
      expect(line.hint).not.toBeNull();
      expect(publishedFiles(place)).toEqual(before);
      preset(scene);
      await watching.until({ event: 'signed', paths: [B] });
      drop(place, `dist/${C}`, sdist('c', '1.0'));
      await watching.until({ event: 'signed', paths: [C] });
      expect(listed(place)).toEqual([A, B, C]);
      await endWell(scene, watching);
    },
  );
});

import { mkdirSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunningServer } from '../../src/page/serve.js';
import { serve } from '../../src/page/serve.js';
import { startServer } from '../net/servers.js';
import { newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { HOSTS, canServeSsh, startSshd } from '../servers/ssh.js';
import type { SshServer } from '../servers/ssh.js';
import { environmentFor, makeBucket, swift } from '../servers/swift.js';
import { hasTool, hasTools } from '../tools.js';

/** `npm run soak` has as many publications over the readers as the contract. */
const IS_SOAK = process.env['PACKSIGN_SOAK_SECONDS'] !== undefined;

let sshd: SshServer | null = null;
let store: Awaited<ReturnType<typeof startServer>> | null = null;
let here: Place;
let server: RunningServer;

beforeEach(async () => {
  here = newPlace();
  mkdirSync(here.path('www'));
  await good(
    'key',
    'generate',
    '--user-id',
    'Ann <ann@example.org>',
    '--no-passphrase',
    '--output',
    'ann.asc',
  );
  // Readers have the certificate of the beginning; what is new comes from where they read.
  here.write('pinned.asc', here.read('ann.pub.asc'));
  here.write('dist/packsign.json', '{ "Mutable": ["latest.yml"], "Include": ["latest.yml"] }');
  for (const name of ['a', 'b']) here.write(`dist/${name}-1.0.tar.gz`, sdist(name, '1.0'));
  here.write('dist/latest.yml', 'version: 0\n');
  await good('build', 'dist', '--key', 'ann.asc');
  server = await serve(here.path('www'), { host: '127.0.0.1', port: 0, live: false });
});

afterEach(async () => {
  await server.close();
});

afterAll(async () => {
  await sshd?.stop();
  await store?.stop();
});

/** A destination, what packsign needs to get there, and where readers fetch what lies there. */
interface Site {
  readonly destination: string;
  readonly env: NodeJS.ProcessEnv;
  readonly targets: readonly [string, string];
}

function inFolder(): Promise<Site> {
  return Promise.resolve({ destination: 'www', env: {}, targets: ['www', server.url] });
}

async function overSsh(): Promise<Site> {
  sshd ??= await startSshd();
  return {
    destination: `${HOSTS.welcome}:${here.path('www')}`,
    env: { RSYNC_RSH: sshd.command },
    targets: ['www', server.url],
  };
}

/** Readers of a bucket need no key of the store. */
async function inBucket(): Promise<Site> {
  store ??= await startServer(swift);
  const address = `http://127.0.0.1:${store.ports[3] ?? 0}`;
  await makeBucket(`${address}/shop`, { isPublic: true });
  const files = `${address}/v1/AUTH_test/shop/dist/`;
  return { destination: 's3://shop/dist', env: environmentFor(address), targets: [files, files] };
}

async function good(...args: readonly string[]): Promise<void> {
  const { status, stderr } = await here.packsign(args);
  expect(status, `${args.join(' ')}: ${stderr}`).toBe(0);
}

/** What a release may bring: something new, other bytes, something less, other keys. */
async function change(round: number): Promise<void> {
  const name = `c${round}`;
  here.write('dist/latest.yml', `version: ${round}\n`);
  here.write(`dist/${name}-1.0.tar.gz`, sdist(name, '1.0'));
  const more: string[] = [];
  if (round % 3 === 1) {
    here.write('dist/b-1.0.tar.gz', sdist('b', '1.0', `x = ${round}\n`));
    more.push('--allow-changed', 'b-1.0.tar.gz', '--reason', `packed again for the time ${round}`);
  }
  if (round % 4 === 3) here.remove(`dist/c${round - 1}-1.0.tar.gz`);
  if (round % 5 === 2) await changeKey(round % 10 === 2);
  await good('build', 'dist', '--key', 'ann.asc', ...more);
}

/** Signs with another subkey from now on, and may call the one of before stolen. */
async function changeKey(isStolen: boolean): Promise<void> {
  const { signsWith } = (await here.json(['key', 'show', 'ann.asc'])).value;
  await good('key', 'rotate', 'ann.asc', 'dist');
  if (!isStolen) return;
  const which = ['--subkey', String(signsWith), '--reason', 'compromised'];
  await good('key', 'revoke', 'ann.asc', 'dist', ...which);
}

/** Verifies without pause until it is told to stop, and gives everything that was not right. */
function startReading(target: string, ...more: readonly string[]) {
  let isOver = false;
  let count = 0;
  const read = async () => {
    const wrong: string[] = [];
    while (!isOver) {
      const { status, stdout, stderr } = await here.packsign([
        'verify',
        target,
        '--keys',
        'pinned.asc',
        ...more,
      ]);
      count += 1;
      if (status !== 0) wrong.push(stdout + stderr);
    }
    return { wrong, count };
  };
  const reading = read();
  return {
    stop: () => {
      isOver = true;
      return reading;
    },
  };
}

const SITES: readonly (readonly [name: string, publications: number, open: () => Promise<Site>])[] = [
  ['a folder', IS_SOAK ? 200 : 6, inFolder],
  ...(IS_SOAK && canServeSsh() && hasTool('rsync') ? [['a host through ssh', 200, overSsh] as const] : []),
  ...(hasTools('/usr/bin/python3:swift', 'curl') ? [['a bucket', IS_SOAK ? 200 : 2, inBucket] as const] : []),
];

describe('while publications run over them', () => {
  test.each(SITES)(
    'readers of %s refuse nothing',
    async (_, publications, open) => {
      const { destination, env, targets } = await open();
      const publish = async () => {
        const args = ['publish', 'dist', destination, '--delete', '--keep-old', '0'];
        const { status, stderr } = await here.process(args, { env });
        expect(status, stderr).toBe(0);
      };
      await publish();
      const readers = [startReading(targets[0]), startReading(targets[1], '--files')];
      for (let round = 1; round <= publications; round += 1) {
        await change(round);
        await publish();
      }
      for (const { stop } of readers) {
        const { wrong, count } = await stop();
        if (IS_SOAK) console.info(`soak: ${publications} publications to ${destination}, ${count} reads`);
        expect(wrong).toEqual([]);
        expect(count).toBeGreaterThan(1);
      }
    },
    3000 * 1000,
  );
});

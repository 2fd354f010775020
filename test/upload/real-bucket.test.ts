import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startServer } from '../net/servers.js';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, Run, TestKey } from '../packsign.js';
import { PROGRAM } from '../run.js';
import { startMiddleman } from '../servers/middleman.js';
import type { Middleman } from '../servers/middleman.js';
import { environmentFor, makeBucket, putObject, swift } from '../servers/swift.js';
import { hasTool, hasTools } from '../tools.js';

const IS_SOAK = process.env['PACKSIGN_SOAK_SECONDS'] !== undefined;
/** How often two machines publish at the same time; `npm run soak` has as many rounds as the contract. */
const ROUNDS = IS_SOAK ? 10 : 3;

const running: { readonly stop: () => Promise<void> }[] = [];

afterAll(async () => {
  for (const server of running.toReversed()) await server.stop();
});

const TOOLS = [
  ['rclone', 'rclone'],
  // It takes a second for each file.
  ...(IS_SOAK ? ([['the AWS command line', 'aws']] as const) : []),
] as const;

/** What rclone calls REMOTE is this store. */
function rclone(endpoint: string): Readonly<Record<string, string>> {
  const settings = { TYPE: 's3', PROVIDER: 'Other', ENV_AUTH: 'true', ENDPOINT: endpoint };
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [`RCLONE_CONFIG_REMOTE_${name}`, value]),
  );
}

describe.runIf(hasTools('/usr/bin/python3:swift', 'curl'))('a bucket of Swift', () => {
  let ann: TestKey;
  let direct = '';
  let middleman: Middleman;
  let place: Place;
  let count = 0;
  let address = '';

  beforeAll(async () => {
    ann = await newKey('Ann');
    const server = await startServer(swift);
    running.push(server);
    direct = `http://127.0.0.1:${server.ports[3] ?? 0}`;
    middleman = await startMiddleman(server.ports[3] ?? 0);
    running.push(middleman);
  });

  beforeEach(async () => {
    middleman.mishaps.clear();
    count += 1;
    address = `s3://bucket-${count}/a b/ü+~`;
    await makeBucket(`${middleman.url}/bucket-${count}`);
    place = await release(newPlace(), 'demo', '1.0');
  });

  const environment = () => environmentFor(middleman.url);

  function publish(from: Place, ...args: readonly string[]): Promise<Run> {
    return from.packsign(['publish', 'dist', address, ...args], { env: environment() });
  }

  async function release(at: Place, name: string, version: string): Promise<Place> {
    at.write('ann.asc', ann.signing);
    at.write(`dist/${name}-${version}.tar.gz`, sdist(name, version));
    expect(await at.packsign(['build', 'dist', '--key', 'ann.asc', '--absent', 'keep'])).toMatchObject({
      status: 0,
    });
    return at;
  }

  test('has its files hashed where they lie, and gets the database of a local build', async () => {
    const bucket = `${middleman.url}/bucket-${count}`;
    place.write('big.gz', gzipSync(randomBytes(9_000_000), { level: 1 }));
    place.write('twin/lantern-1.0.gz', place.read('big.gz'));
    place.write('twin/demo-1.0.tar.gz', place.read('dist/demo-1.0.tar.gz'));
    await putObject(`${bucket}/x/lantern-1.0.gz`, place.path('big.gz'));
    await putObject(`${bucket}/x/demo-1.0.tar.gz`, place.path('dist/demo-1.0.tar.gz'));
    place.write('own/packsign.json', '{}');
    const how = ['--key', 'ann.asc', '--deterministic', '--maintainer', 'Ann', '--first'];
    const env = { ...environment(), SOURCE_DATE_EPOCH: String(Math.floor(Date.now() / 1000)) };
    const parts = ['1', '2'].map((index) => [`${index}/2`, `part-${index}.json`] as const);
    for (const [shard, part] of parts) {
      const half = ['build', `s3://bucket-${count}/x`, '--shard', shard, '--output', part];
      expect(await place.packsign(half, { env })).toMatchObject({ status: 0, stderr: '' });
    }
    place.write('merged/packsign.json', '{ "Maintainer": "Ann" }');
    const merge = ['merge', ...parts.map(([, part]) => part), '--state', 'merged'];
    expect((await place.packsign(merge, { env })).stdout).toContain('2 files from 2 parts\n');
    expect((await place.packsign(['build', 'twin', '--maintainer', 'Ann'], { env })).status).toBe(0);
    const waiting = place.read('twin/packages.unsigned.plist');
    expect(place.read('merged/packages.unsigned.plist').equals(waiting)).toBe(true);
    const there = ['build', `s3://bucket-${count}/x`, '--state', 'own', ...how];
    expect(await place.packsign(there, { env })).toMatchObject({ status: 0, stderr: '' });
    expect(await place.packsign(['build', 'twin', ...how], { env })).toMatchObject({ status: 0 });
    expect(place.read('own/packages.plist').equals(place.read('twin/packages.plist'))).toBe(true);
    const again = await place.packsign(there.slice(0, -1), { env });
    expect(again.stdout).toContain('(0 hashed, 2 known)');
    place.write('keys.asc', ann.certificate);
    const verify = ['verify', `s3://bucket-${count}/x`, '--keys', 'keys.asc'];
    expect((await place.packsign(verify, { env })).stdout).toContain('2 of 2 files as signed');
    await putObject(`${bucket}/x/lantern-1.0.gz`, place.path('dist/demo-1.0.tar.gz'));
    expect((await place.packsign(verify, { env })).stdout).toContain('FILE_ALTERED');
  });

  test('holds what was signed, and is up to date then', async () => {
    expect(await publish(place)).toMatchObject({ status: 0, stderr: '' });
    expect((await publish(place)).stdout).toContain('is up to date');
    expect(await publish(place, '--check')).toMatchObject({ status: 0 });
    await release(place, 'demo', '1.1');
    expect(await publish(place)).toMatchObject({ status: 0, stderr: '' });
    expect(middleman.passed.some(({ headers, status }) => 'if-match' in headers && status === 200)).toBe(
      true,
    );
    expect(middleman.passed.filter(({ status }) => status === 501)).toEqual([]);
  });

  test.each(TOOLS.filter(([, program]) => hasTool(program)))(
    'gets the same by the lines for %s',
    async (tool) => {
      address = address.replace('a b', "it's $(a) b");
      await release(place, 'lantern', '2.0');
      const follow = async () => {
        const how = ['publish', 'dist', address, '--plan', '--verbose'];
        const { stdout } = await place.packsign(how, { env: environmentFor(direct) });
        const [, lines = ''] = stdout.split(`the same with ${tool}:\n`);
        await promisify(execFile)('sh', ['-ec', lines.split('\nthe same with ')[0] ?? ''], {
          cwd: place.root,
          env: { ...process.env, AWS_CA_BUNDLE: undefined, ...environmentFor(direct), ...rclone(direct) },
        });
        expect(await publish(place, '--check')).toMatchObject({ status: 0, stderr: '' });
      };
      await follow();
      if (!IS_SOAK) return;
      await release(place, 'demo', '1.1');
      await follow();
    },
  );

  test('goes on with a large file after a kill', async () => {
    await release(place, 'lantern', '2.0');
    place.write('dist/lantern-2.0.bin', randomBytes(70 * 1024 * 1024));
    await release(place, 'demo', '1.1');
    const partsSince = (from: number) =>
      middleman.passed.slice(from).filter(({ url, status }) => url.includes('partNumber=') && status === 200);
    const from = middleman.passed.length;
    const killed = spawn(process.execPath, [PROGRAM, 'publish', 'dist', address], {
      cwd: place.root,
      env: { ...process.env, ...environment() },
    });
    const ended = once(killed, 'exit');
    while (partsSince(from).length === 0) await sleep(5);
    killed.kill('SIGKILL');
    await ended;
    const sent = partsSince(from).length;
    const again = middleman.passed.length;
    expect(await publish(place)).toMatchObject({ status: 0 });
    expect(partsSince(again).length).toBeLessThanOrEqual(5 - sent);
    expect(await publish(place, '--check')).toMatchObject({ status: 0 });
  });

  test('does not give way to a wrong secret', async () => {
    const { status, stderr } = await place.packsign(['publish', 'dist', address], {
      env: { ...environment(), AWS_SECRET_ACCESS_KEY: 'wrong' },
    });
    expect([status, stderr]).toEqual([2, expect.stringContaining('the secret key is wrong')]);
  });

  test('cut off before or after any request, it has everything at the latest after the next publication', async () => {
    for (const mishap of ['cut-before', 'cut-after', 503] as const) {
      address = `s3://bucket-${count}/${mishap}`;
      for (let at = 1; ; at += 3) {
        const from = middleman.passed.length;
        middleman.mishaps.set(from + at, mishap);
        await release(place, 'demo', `${at}.${mishap === 503 ? 2 : mishap.length}`);
        const { status, stderr } = await publish(place);
        if (status !== 0) expect(await publish(place), stderr).toMatchObject({ status: 0 });
        expect(await publish(place, '--check')).toMatchObject({ status: 0 });
        if (middleman.passed.length - from < at + 3) break;
        if (at > (IS_SOAK ? 12 : 5)) break;
      }
    }
  });

  test('on which two machines publish at once has the files of both in the end', async () => {
    expect(await publish(place)).toMatchObject({ status: 0 });
    const other = newPlace();
    const adopting = ['--adopt', '--key', 'ann.asc', '--wait', '60s'];
    other.write('ann.asc', ann.signing);
    for (let round = 1; round <= ROUNDS; round += 1) {
      await release(place, 'left', `${round}.0`);
      await release(other, 'right', `${round}.0`);
      const both = await Promise.all([publish(place, ...adopting), publish(other, ...adopting)]);
      expect(
        both.map(({ status }) => status),
        both.map(({ stderr }) => stderr).join(),
      ).toEqual([0, 0]);
    }
    expect(await publish(place, ...adopting)).toMatchObject({ status: 0 });
    const listed = place.text('dist/packages.plist');
    for (const name of ['left', 'right']) {
      for (let round = 1; round <= ROUNDS; round += 1) {
        expect(listed).toContain(`<key>${name}-${round}.0.tar.gz</key>`);
      }
    }
    expect(await publish(place, '--check')).toMatchObject({ status: 0 });
  });
});

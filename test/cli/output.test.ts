import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { wordsOf as wordsOfCommand } from '../../src/cli/command.js';
import { COMMANDS } from '../../src/cli/commands/all.js';
import { reportWorked, reportWorking } from '../../src/cli/report-worker.js';
import { parseQueue } from '../../src/index.js';
import { publish, serve } from '../consume/scene.js';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { fingerprint } from '../pgp/forge.js';
import { PROGRAM } from '../run.js';
import { DEMO, ISSUED, certificateFile, minutes, people } from '../threats/scene.js';
import { SCHEMAS, expectDescribed, partsOf, properties, seen, used } from './output.js';
import { STEPS, prepare, wordsOf } from './steps.js';

const NAMES = COMMANDS.map((command) => wordsOfCommand(command).join('-'));
const PARTS = Array.from(SCHEMAS).flatMap(([name, schema]) => [...partsOf(schema, name)]);

/** What no answer here has, and why. Its schema is held against the answers of other tests all the same. */
const UNSEEN: Readonly<Record<string, string>> = {
  'key-show/revokers/items/fingerprint': 'packsign makes no key that another one may revoke',
  'key-show/revokers/items/known': 'packsign makes no key that another one may revoke',
  'verify/$defs/stranger/sites/items/opinions/items/program': 'needs gpgv or sqv',
  'verify/$defs/stranger/sites/items/opinions/items/good': 'needs gpgv or sqv',
  'verify/$defs/stranger/sites/items/opinions/items/reason': 'needs gpgv or sqv',
  'page/destinations': 'only where the files lie in a bucket: cli/bucket',
  'page/ok': 'only where the files lie in a bucket: cli/bucket',
  'sign/destinations': 'only where the files lie in a bucket: cli/bucket',
  'sign/ok': 'only where the files lie in a bucket: cli/bucket',
  'build/$defs/database/read/items/path': 'only where a part lacks something: cli/merge',
  'build/$defs/database/read/items/reason': 'only where a part lacks something: cli/merge',
  'verify/$defs/database/signatures/items/reason': 'of a signature that does not count: consume/verify',
};

describe('the schemas of what --json prints', () => {
  test('are one for each command, one for failures, and what they share', () => {
    expect(Array.from(SCHEMAS.keys()).sort()).toEqual([...NAMES, 'common', 'error'].sort());
  });

  test('are JSON Schema of 2020-12', () => {
    const ajv = new Ajv2020({ allowUnionTypes: true });
    ajv.addFormat('date-time', true);
    for (const schema of SCHEMAS.values()) ajv.addSchema(schema);
    for (const name of SCHEMAS.keys()) expect(ajv.getSchema(`${name}.schema.json`), name).toBeDefined();
  });

  test('say in a sentence what each property is', () => {
    const shared = SCHEMAS.get('common')?.['$defs'] as Readonly<Record<string, { description?: string }>>;
    for (const { part, place, property } of PARTS) {
      if (property === undefined) continue;
      const { $ref = '' } = part as { $ref?: string };
      const name = $ref.replace('common.schema.json#/$defs/', '');
      expect(part['description'] ?? shared[name]?.description, place).toMatch(/^[A-Z][^\n]+\.$/);
    }
  });

  test('leave no room for anything else', () => {
    const objects = PARTS.filter(({ part }) => [part['type']].flat().includes('object'));
    const open = objects.filter(({ part }) => part['additionalProperties'] !== false);
    // The names of headers are those of a server.
    expect(open.map(({ place }) => place)).toEqual(['verify/$defs/stranger/sites/items/headers']);
    const answer = { settings: 'dist/packsign.json' };
    expect(() => expectDescribed(['init'], [JSON.stringify(answer)])).not.toThrow();
    expect(() => expectDescribed(['init'], [JSON.stringify({ ...answer, more: null })])).toThrow('more');
    expect(() => expectDescribed(['init'], ['{}'])).toThrow('settings');
    expect(() => expectDescribed(['init'], ['{"error":{"code":"USAGE","message":"no"}}'])).toThrow('hint');
  });
});

/** Runs command lines, each behind the exit status that it ends with. Answers are held against their schemas when they are printed. */
async function say(place: Place, lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    const [wanted, ...args] = line.split(' ');
    const { status, stdout, stderr } = await place.packsign([...args, '--json']);
    expect([String(status), stdout !== ''], `${line}: ${stdout}${stderr}`).toEqual([wanted, true]);
  }
}

describe('what each command prints is as its schema says', () => {
  test('when all goes well', async () => {
    const { place, url } = await prepare();
    for (const [name, args, input = ''] of STEPS) {
      if (name === 'sign') {
        place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
        await place.packsign(['build', 'dist']);
      }
      // The script of a shell is beside the program as it ships.
      const run = name === 'completion' ? place.process : place.packsign;
      expect((await run([...wordsOf(args, url), '--json'], { input })).status, name).toBe(0);
    }
    await say(place, [`0 verify ${url} --as-stranger`]);
    await say(place, ['0 build s3://bucket/dist --shard 1/2 --output half.json']);
  });

  test('to a maintainer with work to do', async () => {
    const place = newPlace();
    const week = 7 * 86_400;
    const [ann, old] = [
      await newKey('Ann', { lifeSeconds: 40 * 52 * week }),
      await newKey('Old', { lifeSeconds: week }),
    ];
    place.write('ann.asc', ann.signing);
    place.write('ann.rev.asc', ann.revocation);
    place.write('old.asc', old.secret);
    mkdirSync(place.path('www'));
    mkdirSync(place.path('other'));
    const settings = { Description: 'one', Publish: ['../www', '../gone/www'] };
    place.write('dist/packsign.json', JSON.stringify(settings));
    place.write('dist/demo-1.0.tar.gz', DEMO);
    place.write('dist/NOTES.md', 'notes');
    const sign = 'build dist --key ann.asc';
    await say(place, ['0 build dist', '1 status dist', `2 ${sign} --publish`, '0 publish dist other --plan']);
    place.write('dist/other-1.0-linux-amd64.tar.gz', sdist('demo', '2.0'));
    const more = {
      Description: 'two',
      Database: 'https://example.org/',
      Packages: { 'demo-1.0.tar.gz': { Yanked: 'burns' } },
    };
    place.write('dist/packsign.json', JSON.stringify({ ...settings, ...more }));
    const owner = { pid: 12, started: '1', boot: 'x', namespace: 'pid:[1]', host: 'build-7' };
    const lock = { ...owner, since: '2026-11-27T00:00:00.000Z', token: 'a'.repeat(32) };
    place.write('dist/.packsign/lock', JSON.stringify(lock));
    await say(place, ['1 status dist', '0 diff dist', `2 ${sign} --wait 1ms`]);
    place.remove('dist/.packsign/lock');
    await say(place, [
      `0 ${sign}`,
      '1 split dist --max-files 1',
      '0 export dist',
      '1 verify dist --strict',
      '0 list dist',
    ]);
    await say(place, [`1 verify dist --fingerprint ${'A'.repeat(40)}`, '0 key show old.asc']);
    await say(place, ['2 build --no-such', '0 init ci --ci github', '1 lint dist']);
    place.write('dist/broken-1.0.tar.gz', 'no archive');
    place.write('dist/MORE.md', 'notes');
    await say(place, ['2 watch dist --key ann.asc --once --publish', '0 key revoke ann.rev.asc dist']);
    await say(place, ['0 key publish dist --key old.asc', '1 status dist']);
    const entry = `<key>Name</key><string>a</string><key>MD5Sum</key><string>${'a'.repeat(32)}</string>`;
    place.write(
      'old.plist',
      `<plist version="1.0"><dict><key>Packages</key><array><dict>${entry}</dict></array></dict></plist>`,
    );
    await say(place, ['0 list old.plist --allow-unauthenticated']);
  });

  test('to a user of databases that have changed', async () => {
    const [known, user, place, second] = [await people(), newPlace(), newPlace(), newPlace()];
    const [site, mirror, other] = [
      await serve(place.path('dist')),
      await serve(place.path('dist')),
      await serve(second.path('dist')),
    ];
    const [ann, bob] = [fingerprint(known.ann), fingerprint(known.bob)];
    user.write('ann.asc', certificateFile(known.ann));
    user.write('bob.asc', certificateFile(known.bob));
    user.write('demo-1.0.tar.gz', DEMO);
    user.write('bad/demo-1.0.tar.gz', 'other bytes');
    await publish(second, known.bob, {
      packsign: { Database: other.url },
      yanked: { 'demo-1.0.tar.gz': 'burns' },
    });
    const Trusts = [{ URL: other.url, Fingerprints: [bob], Threshold: 1, Maintainer: 'Bob' }];
    const packsign = { Database: site.url, Notify: 'mailto:ann@example.org', Mirrors: [mirror.url], Trusts };
    await publish(place, known.ann, { packsign });
    await say(user, [`0 trust add ${site.url} --keys ann.asc --name ann`, '0 verify demo-1.0.tar.gz']);
    await say(user, [`0 trust add ${other.url} --via ann --name bob`, '0 trust list', '0 trust export']);
    await say(user, [
      '0 trust refresh',
      '2 verify demo-1.0.tar.gz bad/demo-1.0.tar.gz',
      '1 verify bad/demo-1.0.tar.gz',
    ]);
    await say(user, [
      '0 get other --from ann',
      '0 get demo-1.0.tar.gz --from bob',
      `0 verify ${site.url} --as-stranger`,
    ]);
    const Signers = { Threshold: 1, Fingerprints: [ann, bob].sort() };
    const next = {
      issued: minutes(ISSUED, 1),
      expires: minutes(ISSUED, 2),
      archives: { 'demo-1.0.tar.gz': DEMO },
    };
    await publish(place, known.ann, {
      ...next,
      keys: [known.ann, known.bob],
      packsign: { ...packsign, Signers },
    });
    await say(user, [
      '0 trust accept ann --yes',
      '0 trust refresh ann',
      '1 list ann',
      '0 get demo --from ann --allow-stale',
    ]);
    await say(user, [`1 verify ${site.url} --as-stranger`]);
    place.write('dist/demo-1.0.tar.gz', 'other bytes');
    await say(user, [`1 verify ${place.path('dist')} --keys ann.asc`]);
    other.tricks.set('packages.plist', (_, response) => response.writeHead(501).end());
    await say(user, ['2 trust refresh', '0 trust remove bob']);
  });

  test('while it serves', async () => {
    const place = newPlace();
    const child = spawn(process.execPath, [PROGRAM, 'serve', '--json'], { cwd: place.path('dist') });
    const lines = createInterface(child.stdout);
    const [line] = (await once(lines, 'line')) as [string];
    child.kill();
    expectDescribed(['serve'], [line]);
  });

  test('while it works for builds', () => {
    const queue = parseQueue('redis://:secret@queue.example.org/3');
    for (const { json } of [
      reportWorking(queue, 8),
      reportWorked(queue, { batches: 1, files: 2, bytes: 3 }),
    ]) {
      expectDescribed(['worker'], [JSON.stringify(json)]);
      expect(JSON.stringify(json)).not.toContain('secret');
    }
  });
});

test('every schema is used, and every property had a value', () => {
  expect(Array.from(SCHEMAS.keys()).filter((name) => name !== 'common' && !used.has(name))).toEqual([]);
  const unseen = Array.from(properties).filter((place) => !seen.has(place) && UNSEEN[place] === undefined);
  expect(unseen).toEqual([]);
});

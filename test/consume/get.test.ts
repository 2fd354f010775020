import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createServer as createSecureServer } from 'node:https';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { enums } from 'openpgp';
import { deadMark } from '../disk/marks.js';
import { newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { day, fingerprint, forgeKey } from '../pgp/forge.js';
import { DEMO, ISSUED, certificateFile, minutes, people, sha256 } from '../threats/scene.js';
import type { People } from '../threats/scene.js';
import { hasTool } from '../tools.js';
import { FILES, answer, newReader, packsign, packsignProcess, publish, sendFile, serve } from './scene.js';
import type { Reader, Site } from './scene.js';

let known: People;
let place: Place;
let site: Site;
let reader: Reader;

beforeAll(async () => {
  known = await people();
});

beforeEach(async () => {
  place = newPlace();
  site = await serve(place.path('dist'));
  reader = newReader();
});

async function trusted(archives: Readonly<Record<string, Uint8Array>> = FILES): Promise<void> {
  await publish(place, known.ann, { archives });
  await reader.trust(site.url, { keys: certificateFile(known.ann) });
}

describe('downloads', () => {
  const BIG = randomBytes(3_000_000);

  test('for which there is no room say so, and leave no file with the name of the archive', async () => {
    await publish(place, known.ann, { archives: { 'big-1.0.tar.gz': BIG } });
    reader.place.write('ann.asc', certificateFile(known.ann));
    const get = ['get', 'big', '--from', site.url, '--keys', 'ann.asc', '--output', 'downloads'];
    const little = ['sh', '-c', 'ulimit -f 2000; exec "$0" "$@"', process.execPath];
    const { status, stderr } = await packsignProcess(reader.place, get, { by: little });
    expect([status, stderr]).toEqual([2, expect.stringMatching(/^packsign: error: cannot write .*EFBIG/)]);
    expect(readdirSync(reader.place.path('downloads'))).toEqual([expect.stringMatching(/\.part$/)]);
  });

  test('go on where the connection broke', async () => {
    await trusted({ 'big-1.0.tar.gz': BIG });
    let broken = 0;
    site.tricks.set('big-1.0.tar.gz', (request, response) => {
      if (broken > 0) {
        sendFile(place.path('dist/big-1.0.tar.gz'), request, response);
        return;
      }
      broken += 1;
      response.writeHead(200, { 'content-length': BIG.length });
      response.write(BIG.subarray(0, 1_000_000), () => setTimeout(() => response.destroy(), 50));
    });
    await reader.get(['big']);
    const asked = site.requests.filter(({ path }) => path === 'big-1.0.tar.gz');
    const [first, again, ...more] = asked.map(({ headers }) => headers.range);
    expect([first, more]).toEqual([undefined, []]);
    // What was under way when the connection broke may be lost with it.
    const from = Number(/^bytes=(\d+)-$/.exec(again ?? '')?.[1]);
    expect(from).toBeGreaterThan(0);
    expect(from).toBeLessThanOrEqual(1_000_000);
    expect(reader.place.read('downloads/big-1.0.tar.gz').equals(BIG)).toBe(true);
  });

  test('of a run that was killed go on in the next one, which leaves nothing else', async () => {
    await publish(place, known.ann, { archives: { 'big-1.0.tar.gz': BIG } });
    reader.place.write('ann.asc', certificateFile(known.ann));
    const downloads = reader.place.path('downloads');
    const hasPart = () =>
      existsSync(downloads) &&
      readdirSync(downloads).some(
        (name) => name.endsWith('.part') && statSync(join(downloads, name)).size > 0,
      );
    site.tricks.set('big-1.0.tar.gz', (_, response) => {
      response.writeHead(200, { 'content-length': BIG.length });
      response.write(BIG.subarray(0, 1_000_000));
      const timer = setInterval(() => {
        if (!hasPart()) return;
        clearInterval(timer);
        process.kill(Number(reader.place.text('pid')), 'SIGKILL');
      }, 20);
    });
    const get = ['get', 'big', '--from', site.url, '--keys', 'ann.asc', '--output', 'downloads'];
    const byNumber = ['sh', '-c', 'echo $$ > pid; exec "$0" "$@"', process.execPath];
    await packsignProcess(reader.place, get, { by: byNumber });
    expect(hasPart()).toBe(true);
    site.tricks.delete('big-1.0.tar.gz');
    site.requests.length = 0;
    expect((await packsignProcess(reader.place, get, { by: [process.execPath] })).status).toBe(0);
    const asked = site.requests.filter(({ path }) => path === 'big-1.0.tar.gz');
    expect(asked.map(({ headers }) => headers.range)).toEqual([expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
    expect(readdirSync(downloads)).toEqual(['big-1.0.tar.gz']);
  });

  test('go on in a later run, and begin anew where what was left is not right', async () => {
    await trusted({ 'big-1.0.tar.gz': BIG });
    for (const [left, ranges] of [
      [BIG.subarray(0, 2_000_000), ['bytes=2000000-']],
      [Buffer.alloc(2_000_000), ['bytes=2000000-', undefined]],
      [Buffer.alloc(4_000_000), [undefined]],
    ] as const) {
      // As a run that was killed leaves it: its process number is nobody's any more.
      const name = `downloads/.packsign-${sha256(BIG)}.${deadMark()}.00.part`;
      reader.place.write(name, left);
      site.requests.length = 0;
      await reader.get(['big']);
      const asked = site.requests.filter(({ path }) => path === 'big-1.0.tar.gz');
      expect(asked.map(({ headers }) => headers.range)).toEqual(ranges);
      expect(readdirSync(reader.place.path('downloads'))).toEqual(['big-1.0.tar.gz']);
      expect(reader.place.read('downloads/big-1.0.tar.gz').equals(BIG)).toBe(true);
      reader.place.remove('downloads/big-1.0.tar.gz');
    }
  });

  test('keep what they have when the network goes away, without a name', async () => {
    await trusted({ 'big-1.0.tar.gz': BIG });
    site.tricks.set('big-1.0.tar.gz', (_, response) => {
      response.writeHead(200, { 'content-length': BIG.length });
      response.write(BIG.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 20));
    });
    await expect(reader.get(['big'])).rejects.toMatchObject({ code: 'NETWORK' });
    const names = readdirSync(reader.place.path('downloads'));
    expect(names).toHaveLength(1);
    expect(names[0]).toMatch(/^\.packsign-[0-9a-f]{64}\.[0-9a-f]{20}\.[0-9a-f]+\.part$/);
  });

  test('do not touch a file that is there', async () => {
    await trusted();
    reader.place.write('downloads/demo-1.0.tar.gz', 'mine');
    await expect(reader.get(['demo'])).rejects.toMatchObject({ code: 'FILE_EXISTS' });
    expect(reader.place.text('downloads/demo-1.0.tar.gz')).toBe('mine');
    reader.place.write('downloads/demo-1.0.tar.gz', DEMO);
    expect((await reader.get(['demo'])).packages).toMatchObject([{ from: null }]);
  });

  test('find that another run has given the name meanwhile, to the right bytes or to others', async () => {
    await trusted();
    const path = 'downloads/demo-1.0.tar.gz';
    const meanwhile = (content: Uint8Array | string) =>
      site.tricks.set('demo-1.0.tar.gz', (request, response) => {
        reader.place.write(path, content);
        sendFile(place.path('dist/demo-1.0.tar.gz'), request, response);
      });
    meanwhile(DEMO);
    expect((await reader.get(['demo'])).packages).toMatchObject([{ from: null }]);
    expect(readdirSync(reader.place.path('downloads'))).toEqual(['demo-1.0.tar.gz']);
    reader.place.remove(path);
    meanwhile('mine');
    await expect(reader.get(['demo'])).rejects.toMatchObject({ code: 'FILE_EXISTS' });
    expect(reader.place.text(path)).toBe('mine');
  });

  test.each(['a', './a', 'a/', 'a/b'])('go to a folder called %s, which is made', async (folder) => {
    await publish(place, known.ann);
    reader.place.write('ann.asc', certificateFile(known.ann));
    const get = ['get', 'demo', '--from', site.url, '--keys', 'ann.asc', '--output', folder];
    expect((await packsign(reader.place, get)).status).toBe(0);
    expect(reader.place.read(`${folder}/demo-1.0.tar.gz`)).toEqual(DEMO);
  });

  test('wait and try again while a server is busy', async () => {
    await trusted();
    let busy = 2;
    site.tricks.set('demo-1.0.tar.gz', (request, response) => {
      busy -= 1;
      if (busy >= 0) response.writeHead(503).end();
      else sendFile(place.path('dist/demo-1.0.tar.gz'), request, response);
    });
    expect((await reader.get(['demo'])).packages).toHaveLength(1);
  });

  test('of a new publication are asked for again before anything is called altered', async () => {
    await trusted();
    const again = Buffer.from(DEMO);
    again[again.length - 1] = 1;
    const record = { SHA256: sha256(DEMO), Until: minutes(ISSUED, 5), Reason: 'packed again' };
    let isPublished = false;
    site.tricks.set('demo-1.0.tar.gz', (request, response) => {
      const send = () => sendFile(place.path('dist/demo-1.0.tar.gz'), request, response);
      if (isPublished) {
        send();
        return;
      }
      isPublished = true;
      publish(place, known.ann, {
        issued: minutes(ISSUED, 5),
        archives: { ...FILES, 'demo-1.0.tar.gz': again },
        packsign: { History: new Map([['demo-1.0.tar.gz', [record]]]) },
      }).then(send, () => response.destroy());
    });
    const { packages, findings } = await reader.get(['demo']);
    expect(findings).toEqual([]);
    expect(packages).toMatchObject([{ sha256: sha256(again) }]);
  });

  test('of a thousand packages keep memory bounded', async () => {
    const bytes = randomBytes(500_000);
    const archives = Object.fromEntries(
      Array.from({ length: 1000 }, (_, index) => [`p${index}/big-${index}.tar.gz`, bytes]),
    );
    await publish(place, known.ann, { archives: Object.fromEntries(Object.entries(archives).slice(0, 1)) });
    await publish(place, known.ann, { archives, issued: minutes(ISSUED, 1) });
    place.write('ann.asc', certificateFile(known.ann));
    const names = Object.keys(archives);
    const tell = "process.on('exit',()=>process.stderr.write(String(process.resourceUsage().maxRSS)))";
    const { status, stderr, stdout } = await packsignProcess(
      place,
      ['get', ...names, '--from', site.url, '--keys', 'ann.asc', '--output', 'out', '--json'],
      { env: { NODE_OPTIONS: `--import data:text/javascript,${tell}` } },
    );
    expect(status).toBe(0);
    expect((JSON.parse(stdout) as { packages: unknown[] }).packages).toHaveLength(1000);
    expect(readdirSync(place.path('out'))).toHaveLength(1000);
    // Kilobytes, behind the progress of a slow machine; all of it would be five hundred thousand.
    expect(Number(stderr.split('\n').at(-1))).toBeLessThan(350_000);
  }, 120_000);
});

describe('which package', () => {
  const versions = ['1.0', '1.9', '1.10', '1.11rc1'];

  test('is the newest by its order, of the trusted database that has it', async () => {
    await trusted(Object.fromEntries(versions.map((version) => [`demo-${version}.tar.gz`, DEMO])));
    expect((await reader.get(['demo'])).packages).toMatchObject([{ version: '1.10' }]);
    expect((await reader.get(['demo==1.9.0'])).packages).toMatchObject([{ version: '1.9' }]);
    await expect(reader.get(['demo==3'])).rejects.toMatchObject({ code: 'PACKAGE_NOT_FOUND' });
    await expect(reader.get(['other'])).rejects.toMatchObject({
      code: 'PACKAGE_NOT_FOUND',
      hint: expect.stringMatching(/^packsign list 127\.0\.0\.1\S* shows what there is$/) as string,
    });
  });

  test.each([
    [['1.9', '1.10', '1.11rc1', '1.12.dev1'], '1.10', '1.12.dev1'],
    [['2.0a1', '2.0rc1'], '2.0rc1', '2.0rc1'],
    [['1.0', '1.0.post1', '1.1b1'], '1.0.post1', '1.1b1'],
  ])('of %j is %s, and %s with pre-releases', async (all, final, newest) => {
    await trusted(Object.fromEntries(all.map((version) => [`demo-${version}.tar.gz`, DEMO])));
    expect((await reader.get(['demo'])).packages).toMatchObject([{ version: final }]);
    expect((await reader.get(['demo'], { allowPre: true })).packages).toMatchObject([{ version: newest }]);
    expect((await reader.get([`demo==${newest}`])).packages).toMatchObject([{ version: newest }]);
  });

  test('of npm packages is chosen the same way, by semver', async () => {
    const all = ['1.0.0', '2.0.0-beta.1', '1.9.0-0'];
    await trusted(Object.fromEntries(all.map((version) => [`demo-${version}.tgz`, DEMO])));
    expect((await reader.get(['demo'])).packages).toMatchObject([{ version: '1.0.0' }]);
    expect((await reader.get(['demo'], { allowPre: true })).packages).toMatchObject([
      { version: '2.0.0-beta.1' },
    ]);
  });

  test('is none that was yanked, unless it is named: then with a warning that says why', async () => {
    place.write('ann.asc', known.ann.armor());
    for (const version of ['1.0', '2.0']) place.write(`dist/demo-${version}.tar.gz`, sdist('demo', version));
    const yanked = { 'demo-2.0.tar.gz': { Yanked: 'eats files' } };
    place.write('dist/packsign.json', JSON.stringify({ Packages: yanked }));
    expect((await packsign(place, ['build', 'dist', '--key', 'ann.asc'])).status).toBe(0);
    await reader.trust(site.url, { keys: certificateFile(known.ann), name: 'ann' });
    expect((await reader.get(['demo'])).packages).toMatchObject([{ version: '1.0', yanked: null }]);
    reader.place.write('ann.asc', certificateFile(known.ann));
    const pins = ['--keys', 'ann.asc'];
    const run = await packsign(reader.place, [
      'get',
      'demo==2',
      '--from',
      site.url,
      ...pins,
      '--output',
      'b',
    ]);
    expect([run.status, reader.place.has('b/demo-2.0.tar.gz')]).toEqual([0, true]);
    expect(run.stderr).toBe('packsign: warning: demo-2.0.tar.gz: yanked: eats files (YANKED)\n');
    const verified = await answer(reader.place, ['verify', site.url, '--files', ...pins]);
    expect(verified).toMatchObject({
      ...{ status: 0, value: { findings: [{ kind: 'yanked', path: 'demo-2.0.tar.gz' }] } },
    });
    expect((await packsign(reader.place, ['list', site.url, ...pins])).stdout).toContain('yanked: eats');
  });

  test('is said to be ambiguous where several archives or databases have it', async () => {
    await trusted({ 'demo-1.0.tar.gz': DEMO, 'demo-1.0.tgz': DEMO });
    await expect(reader.get(['demo'])).rejects.toMatchObject({
      ...{ code: 'AMBIGUOUS' },
      message: expect.stringMatching(/demo-1\.0\.tar\.gz[^]*demo-1\.0\.tgz/) as string,
    });
    expect((await reader.get(['demo-1.0.tgz'])).packages).toHaveLength(1);
    const second = newPlace();
    const other = await serve(second.path('dist'));
    await publish(second, known.bob);
    await reader.trust(other.url, { keys: certificateFile(known.bob), name: 'bob' });
    await expect(reader.get(['demo-1.0.tar.gz'])).rejects.toMatchObject({ code: 'AMBIGUOUS' });
    expect((await reader.get(['demo-1.0.tar.gz'], { from: 'bob' })).name).toBe('bob');
    // What one of them has because the other could not be asked may not be what was meant.
    site.tricks.set('packages.plist', (_, response) => response.writeHead(500).end());
    const { name, notices } = await reader.get(['demo-1.0.tar.gz']);
    expect([name, notices]).toEqual([
      'bob',
      [expect.stringContaining('one trusted database was not searched')],
    ]);
  });
});

describe('addresses', () => {
  test.each([
    [404, 'there is no database'],
    [403, 'may not be read (403), or is not there'],
  ])('that answer %i have no database, and a mirror is asked', async (status, words) => {
    const copy = newPlace();
    const mirror = await serve(copy.path('dist'));
    const packsign = { Database: site.url, Mirrors: [mirror.url] };
    for (const each of [place, copy]) await publish(each, known.ann, { packsign });
    await reader.trust(site.url, { keys: certificateFile(known.ann) });
    site.tricks.set('packages.plist', (_, response) => response.writeHead(status).end());
    expect(await reader.fetch(site.url)).toMatchObject({
      status: 'authentic',
      from: `${mirror.url}packages.plist`,
    });
    mirror.tricks.set('packages.plist', (_, response) => response.writeHead(404).end());
    const none = await reader.fetch(site.url);
    expect(none).toMatchObject({ status: 'refused', code: 'DATABASE_MISSING' });
    expect(none.message).toContain(words);
  });

  test('of files are databases like any other', async () => {
    await publish(place, known.ann);
    const address = pathToFileURL(place.path('dist/packages.plist')).href;
    await reader.trust(address, { keys: certificateFile(known.ann), name: 'local' });
    expect(await reader.fetch('local')).toMatchObject({ status: 'authentic' });
    expect((await reader.get(['demo'])).packages).toMatchObject([{ version: '1.0' }]);
  });

  test.each([
    ['https://name:secret@example.org/', 'USAGE'],
    ['ftp://example.org/', 'USAGE'],
    ['http://127.0.0.1:1/', 'NETWORK'],
    ['http://no-such-host.invalid/', 'NETWORK'],
  ])('like %s end with %s', async (address, code) => {
    await expect(reader.fetch(address)).rejects.toMatchObject({ code });
  });

  test('are the same with and without a name for the file, a default port, capitals, a fragment', async () => {
    await trusted();
    const { host, port } = new URL(site.url);
    for (const address of [
      `http://${host}`,
      `HTTP://${host}/packages.plist#x`,
      `http://127.0.0.1:0${port}/`,
    ]) {
      expect(await reader.fetch(address)).toMatchObject({ status: 'authentic', pinnedBy: 'store' });
    }
  });
});

describe('a proxy', () => {
  test('that the environment names is used, but for hosts that go without', async () => {
    await publish(place, known.ann);
    place.write('ann.asc', certificateFile(known.ann));
    const seen: string[] = [];
    const proxy = createServer((request, response) => {
      seen.push(request.url ?? '');
      sendFile(place.path(`dist/${new URL(request.url ?? '').pathname}`), request, response);
    });
    proxy.on('connect', (request, socket) => {
      seen.push(request.url ?? '');
      const [host = '', port = ''] = (request.url ?? '').split(':');
      const onward = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      socket.on('error', () => onward.destroy());
      onward.on('error', () => socket.destroy());
    });
    await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const verify = ['verify', site.url, '--keys', 'ann.asc'];
    const direct = await packsign(place, verify, '', { http_proxy: address, no_proxy: '127.0.0.1' });
    expect([direct.status, seen]).toEqual([0, []]);
    const through = await packsign(place, verify, '', { http_proxy: address });
    expect([through.status, seen.length > 0]).toEqual([0, true]);
    proxy.closeAllConnections();
    proxy.close();
  });
});

describe('keys', () => {
  test('that are new subkeys of a pinned primary are learned from keys.asc', async () => {
    const ann = await forgeKey({ name: 'Ann' });
    const both = await forgeKey({ name: 'Ann', subkeys: [{ sign: true }, { sign: true }] });
    await publish(place, both);
    // What the user has is the certificate with its first subkey only.
    const { readKey } = await import('openpgp');
    const old = await readKey({ binaryKey: both.toPublic().write() });
    old.subkeys.splice(1);
    const { encodeArmor } = await import('../../src/pgp/armor.js');
    await reader.trust(site.url, { keys: encodeArmor(old.write(), 'PUBLIC KEY BLOCK') });
    const { subkeyOf } = await import('../pgp/forge.js');
    const { databaseText, put, signatureFile } = await import('../threats/scene.js');
    const bytes = Buffer.from(databaseText({ issued: minutes(ISSUED, 5), archives: FILES }));
    put(place, bytes, await signatureFile(bytes, { by: [subkeyOf(both, 1)], date: minutes(ISSUED, 5) }));
    expect(await reader.fetch(site.url)).toMatchObject({ status: 'authentic' });
    expect(fingerprint(ann)).not.toBe(fingerprint(both));
  });

  test('that are revoked stay so, also when keys.asc no longer says it', async () => {
    const ann = await forgeKey({ name: 'Ann' });
    await publish(place, ann);
    await reader.trust(site.url, { keys: certificateFile(ann) });
    const revoked = await ann.revoke({ flag: enums.reasonForRevocation.keyCompromised }, day(300));
    await publish(place, ann, { issued: minutes(ISSUED, 5), keys: [revoked] });
    expect(await reader.fetch(site.url)).toMatchObject({ status: 'refused', code: 'KEY_REVOKED' });
    await publish(place, ann, { issued: minutes(ISSUED, 6), keys: [ann] });
    expect(await reader.fetch(site.url)).toMatchObject({ status: 'refused', code: 'KEY_REVOKED' });
  });
});

describe('over TLS', () => {
  test.runIf(hasTool('openssl'))('a redirection to http is refused', async () => {
    await publish(place, known.ann);
    const [key, certificate] = [place.path('tls.key'), place.path('tls.pem')];
    execFileSync(
      'openssl',
      [
        ...[
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:prime256v1',
          '-nodes',
          '-days',
          '2',
        ],
        ...[
          '-subj',
          '/CN=127.0.0.1',
          '-addext',
          'subjectAltName=IP:127.0.0.1',
          '-keyout',
          key,
          '-out',
          certificate,
        ],
      ],
      { stdio: 'ignore' },
    );
    let target: string | null = null;
    const server = createSecureServer(
      { key: readFileSync(key), cert: readFileSync(certificate) },
      (request, response) => {
        if (target !== null) response.writeHead(302, { location: target }).end();
        else sendFile(place.path(`dist${request.url ?? ''}`), request, response);
      },
    );
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    writeFileSync(place.path('ann.asc'), certificateFile(known.ann));
    const verify = ['verify', address, '--keys', 'ann.asc'];
    const trusting = async () => {
      const env = { NODE_EXTRA_CA_CERTS: certificate };
      const { status, stdout } = await packsignProcess(place, [...verify, '--json'], { env });
      return { status, value: JSON.parse(stdout) as Record<string, unknown> };
    };
    expect((await trusting()).value).toMatchObject({ status: 'authentic' });
    expect((await answer(place, verify)).value).toMatchObject({ error: { code: 'NETWORK' } });
    target = `${site.url}packages.plist`;
    const redirected = await trusting();
    expect([redirected.status, redirected.value['error']]).toMatchObject([2, { code: 'REDIRECT_REFUSED' }]);
    server.closeAllConnections();
    server.close();
  });
});

describe('a report', () => {
  test('says what was found and what was expected, for the maintainer', async () => {
    await publish(place, known.ann, { packsign: { Notify: 'mailto:ann@example.org' } });
    place.write('ann.asc', certificateFile(known.ann));
    await packsign(place, ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann']);
    expect((await packsign(place, ['verify', 'ann', '--report', 'report.txt'])).status).toBe(0);
    expect(place.has('report.txt')).toBe(false);
    await publish(place, known.mallory, { issued: minutes(ISSUED, 5) });
    const run = await packsign(place, ['verify', 'ann', '--report', 'report.txt']);
    expect(run.status).toBe(1);
    expect(run.stdout).toContain('mailto:ann@example.org');
    const report = place.text('report.txt');
    const found = createHash('sha256').update(place.read('dist/packages.plist')).digest('hex');
    for (const text of [site.url, 'SIGNATURE_INVALID', found, 'issued then: '])
      expect(report).toContain(text);
  });

  test('is written by list and get too, and says what an archive was', async () => {
    await publish(place, known.ann, { packsign: { Notify: 'mailto:ann@example.org' } });
    place.write('ann.asc', certificateFile(known.ann));
    await packsign(place, ['trust', 'add', site.url, '--keys', 'ann.asc', '--name', 'ann']);
    expect((await packsign(place, ['get', 'demo', '--output', 'out', '--report', 'none.txt'])).status).toBe(
      0,
    );
    place.write('dist/demo-1.0.tar.gz', 'something else');
    place.remove('out');
    const got = await packsign(place, ['get', 'demo', '--output', 'out', '--report', 'got.txt']);
    expect([got.status, got.stdout]).toEqual([1, '']);
    expect(got.stderr).toContain('packsign: wrote got.txt; send it to mailto:ann@example.org\n');
    for (const text of ['altered: demo-1.0.tar.gz', `expected sha256 ${sha256(DEMO)}`, 'found    14 bytes'])
      expect(place.text('got.txt')).toContain(text);
    await publish(place, known.mallory, { issued: minutes(ISSUED, 5) });
    for (const args of [
      ['list', 'ann'],
      ['get', 'demo'],
    ]) {
      const run = await packsign(place, [...args, '--report', 'report.txt']);
      expect(run.status).toBe(1);
      expect(run.stderr).toContain('wrote report.txt; send it to mailto:ann@example.org\n');
      expect(place.text('report.txt')).toContain('SIGNATURE_INVALID');
      place.remove('report.txt');
    }
    expect(place.has('none.txt')).toBe(false);
  });

  test('a URL with --files compares every archive', async () => {
    await publish(place, known.ann);
    place.write('ann.asc', certificateFile(known.ann));
    const verify = ['verify', site.url, '--keys', 'ann.asc', '--files'];
    expect((await answer(place, verify)).value).toMatchObject({
      status: 'authentic',
      files: { checked: 2, ok: 2 },
    });
    place.write('dist/demo-1.0.tar.gz', 'something else');
    place.remove('dist/sub/other-2.0.tar.gz');
    const { status, value } = await answer(place, verify);
    expect(status).toBe(1);
    expect(value).toMatchObject({
      ...{ ok: false, status: 'refused', code: 'FILE_ALTERED', files: { checked: 2, ok: 0 } },
      findings: [
        { kind: 'altered', path: 'demo-1.0.tar.gz', found: '14 bytes' },
        { kind: 'missing', path: 'sub/other-2.0.tar.gz' },
      ],
    });
  });
});

import { writeFileSync } from 'node:fs';
import { enums } from 'openpgp';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { fingerprint } from '../pgp/forge.js';
import { DEMO, ISSUED, OTHER, certificateFile, minutes, people, sha256 } from './scene.js';
import type { People } from './scene.js';
import { FILES, listen, newReader, publish, sendFile, serve } from '../consume/scene.js';
import type { Reader, Site } from '../consume/scene.js';

/**
 * What a server, a mirror or anybody on the way can do to somebody who trusts a database by its key: the list of
 * The Update Framework, and ours (docs/TRUST.md). Each attack is refused or bounded, with its own code, and leaves
 * the store as it was.
 */
let known: People;
let place: Place;
let site: Site;
let reader: Reader;

const NOTIFY = 'mailto:ann@example.org';

beforeAll(async () => {
  known = await people();
});

beforeEach(async () => {
  place = newPlace();
  site = await serve(place.path('dist'));
  reader = newReader();
  await publish(place, known.ann, { packsign: { Database: site.url, Notify: NOTIFY } });
  await reader.trust(site.url, { keys: certificateFile(known.ann) });
});

/** What a reader answers, who must not have learned anything from it. */
async function expectRefusal(code: string, now = new Date()): Promise<void> {
  const before = reader.store();
  const answer = await reader.fetch(site.url, { now });
  expect([answer.status, answer.code]).toEqual(['refused', code]);
  expect(answer.message).not.toBeNull();
  expect(answer.trusted).toBeNull();
  // The maintainer's address is that of the last database that was accepted.
  expect(answer.notify).toBe(NOTIFY);
  expect(reader.store()).toEqual(before);
}

function packsign(more: object = {}): { readonly Database: string; readonly Notify: string } {
  return { Database: site.url, Notify: NOTIFY, ...more };
}

test('what its maintainer published is authentic, and so are its updates', async () => {
  expect(await reader.fetch(site.url)).toMatchObject({ status: 'authentic', code: null, notify: NOTIFY });
  await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: packsign() });
  const news = await reader.fetch(site.url);
  expect(news).toMatchObject({ status: 'authentic' });
  expect(news.trusted?.Packsign.Issued).toEqual(minutes(ISSUED, 5));
});

describe('arbitrary software', () => {
  test('a database that somebody else signed', async () => {
    await publish(place, known.mallory, { issued: minutes(ISSUED, 5), packsign: packsign() });
    await expectRefusal('SIGNATURE_INVALID');
  });

  test('a database without a signature, although it had one (T21)', async () => {
    await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: packsign() });
    place.remove('dist/signatures');
    await expectRefusal('SIGNATURE_MISSING');
    // It was asked for again, past caches: a publication may be under way.
    const asked = site.requests.filter(({ path }) => path.startsWith('signatures/')).slice(-3);
    expect(asked.map(({ headers }) => headers['cache-control'])).toEqual([
      'no-cache',
      'no-cache',
      'no-cache',
    ]);
  });

  test('an archive with other bytes', async () => {
    place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0', 'evil = 1\n'));
    const { packages, findings, notify } = await reader.get(['demo']);
    expect(packages).toEqual([]);
    expect(findings).toMatchObject([
      { kind: 'altered', path: 'demo-1.0.tar.gz', expected: `sha256 ${sha256(DEMO)}, ${DEMO.length} bytes` },
    ]);
    expect(notify).toBe(NOTIFY);
    expect(reader.place.snapshot('downloads')).toEqual({});
  });

  test('an archive with other bytes is kept under another name on request', async () => {
    const evil = Buffer.from(DEMO);
    evil[evil.length - 1] = 1;
    place.write('dist/demo-1.0.tar.gz', evil);
    await reader.get(['demo'], { keepUnverified: true });
    expect(Object.keys(reader.place.snapshot('downloads'))).toEqual(['demo-1.0.tar.gz.UNVERIFIED']);
  });
});

describe('rollback', () => {
  test('a database that was issued before the last accepted one', async () => {
    await publish(place, known.ann, { issued: minutes(ISSUED, -60), packsign: packsign() });
    reader.place.remove('cache');
    await expectRefusal('DATABASE_ROLLED_BACK');
  });

  test('an older database does not count while the newer one is fresh and still at hand', async () => {
    await reader.fetch(site.url);
    await publish(place, known.ann, { issued: minutes(ISSUED, -60), packsign: packsign() });
    const before = reader.store();
    const answer = await reader.fetch(site.url);
    expect([answer.status, answer.trusted?.Packsign.Issued]).toEqual(['authentic', ISSUED]);
    expect(answer.notices).toEqual([
      expect.stringMatching(/^http\S+ is behind \(issued at .*\): using the newer database/),
    ]);
    expect(site.requests.some(({ again }) => again)).toBe(true);
    expect(reader.store()).toEqual(before);
    await expectRefusal('DATABASE_ROLLED_BACK', minutes(ISSUED, 181 * 24 * 60));
  });

  test('the newer database that is still at hand falls with its key, from the same answer on', async () => {
    const site = await serve(place.path('www'));
    const options = { by: [known.bob], keys: [known.ann, known.bob], folder: 'www' };
    const own = { Database: site.url };
    await publish(place, known.ann, { ...options, packsign: own, issued: minutes(ISSUED, -60) });
    const old = place.snapshot('www');
    await publish(place, known.ann, { ...options, packsign: own, by: [known.ann] });
    const both = { keys: certificateFile(known.ann, known.bob), threshold: 1 };
    await reader.trust(site.url, both);
    expect(await reader.fetch(site.url)).toMatchObject({ status: 'authentic' });
    for (const [path, hex] of Object.entries(old)) place.write(`www/${path}`, Buffer.from(hex, 'hex'));
    expect(await reader.fetch(site.url)).toMatchObject({
      status: 'authentic',
      trusted: { Packsign: { Issued: ISSUED } },
    });
    const revoked = await known.ann.revoke({ flag: enums.reasonForRevocation.keyCompromised }, ISSUED);
    place.write('www/keys.asc', certificateFile(revoked, known.bob));
    expect(await reader.fetch(site.url)).toMatchObject({ status: 'refused', code: 'DATABASE_ROLLED_BACK' });
  });

  test('a cache that is behind, and does not look again when asked to, is asked under another address', async () => {
    const old = await publish(place, known.ann, { issued: minutes(ISSUED, -60), packsign: packsign() });
    await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: packsign() });
    site.tricks.set('packages.plist', (request, response) => {
      if (request.url?.includes('?') === true) sendFile(place.path('dist/packages.plist'), request, response);
      else response.end(old);
    });
    const answer = await reader.fetch(site.url);
    expect([answer.status, answer.trusted?.Packsign.Issued]).toEqual(['authentic', minutes(ISSUED, 5)]);
    expect(answer.notices).toEqual([]);
  });

  test('another database of the same instant', async () => {
    await publish(place, known.ann, {
      archives: { 'demo-1.0.tar.gz': DEMO },
      packsign: packsign(),
    });
    await expectRefusal('DATABASE_FORKED');
  });

  test('an old database in a cache on the way is bypassed', async () => {
    const old = await publish(place, known.ann, { issued: minutes(ISSUED, -60), packsign: packsign() });
    await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: packsign() });
    site.tricks.set('packages.plist', (request, response) => {
      if (request.headers['cache-control'] === 'no-cache')
        sendFile(place.path('dist/packages.plist'), request, response);
      else response.end(old);
    });
    expect(await reader.fetch(site.url)).toMatchObject({ status: 'authentic' });
  });
});

describe('rollback between two answers', () => {
  const NAME = 'demo-1.0.tar.gz';
  const FORMER = { SHA256: sha256(DEMO), Until: minutes(ISSUED, 5), Reason: 'packed again' };

  /** Gives the database that is there once, then, with its file, what is published behind it. */
  async function thenServe(
    issued: Date,
    history: readonly (typeof FORMER)[],
    expires: Date | null = null,
  ): Promise<void> {
    const archives = { ...FILES, [NAME]: OTHER };
    const first = place.read('dist/packages.plist');
    const History = new Map([[NAME, history]]);
    await publish(place, known.ann, {
      ...{ archives, issued, ...(expires === null ? {} : { expires }) },
      packsign: packsign(history.length > 0 ? { History } : {}),
    });
    site.tricks.set('packages.plist', (_, response) => {
      site.tricks.delete('packages.plist');
      response.end(first);
    });
  }

  const visits: Readonly<Record<string, () => Promise<boolean>>> = {
    get: async () => {
      place.write('keys.asc', certificateFile(known.ann));
      const options = { from: site.url, keysFile: place.path('keys.asc') };
      const { ok, packages, findings } = await newReader().get(['demo'], options);
      expect([packages.length, findings.length]).toEqual(ok ? [1, 0] : [0, 1]);
      return ok;
    },
    'verify --files': async () => {
      place.write('keys.asc', certificateFile(known.ann));
      const { status } = await place.packsign(['verify', site.url, '--keys', 'keys.asc', '--files']);
      return status === 0;
    },
  };

  describe.each(Object.entries(visits))('%s', (_, isContent) => {
    test('takes a later database, which says what became of a file', async () => {
      await thenServe(minutes(ISSUED, 5), [FORMER]);
      expect(await isContent()).toBe(true);
    });

    test.each([
      ['an earlier one', minutes(ISSUED, -5), [] as const],
      ['another one of the same instant', ISSUED, [{ ...FORMER, Until: ISSUED }]],
      ['a later one that does not say what became of the file', minutes(ISSUED, 5), [] as const],
    ])('does not take %s', async (__, issued, history) => {
      await thenServe(issued, history);
      expect(await isContent()).toBe(false);
    });

    test('does not take a later one that has expired', async () => {
      await thenServe(minutes(ISSUED, 5), [FORMER], minutes(ISSUED, 6));
      expect(await isContent()).toBe(false);
    });
  });
});

describe('indefinite freeze', () => {
  test('a database that is served beyond its time is stale', async () => {
    const answer = await reader.fetch(site.url, { now: minutes(ISSUED, 181 * 24 * 60) });
    expect([answer.status, answer.code]).toEqual(['stale', 'DATABASE_STALE']);
  });

  test('a server that always answers that nothing is new', async () => {
    site.tricks.set('packages.plist', (_, response) => response.writeHead(304).end());
    expect(await reader.fetch(site.url)).toMatchObject({ status: 'authentic' });
    const answer = await reader.fetch(site.url, { now: minutes(ISSUED, 181 * 24 * 60) });
    expect([answer.status, answer.code]).toEqual(['stale', 'DATABASE_STALE']);
  });

  test('a stale database gives no packages unless the user asks for it', async () => {
    const now = minutes(ISSUED, 181 * 24 * 60);
    await expect(reader.get(['demo'], { now })).rejects.toMatchObject({
      code: 'DATABASE_STALE',
    });
    expect((await reader.get(['demo'], { now, allowStale: true })).packages).toHaveLength(1);
  });
});

test('fast-forward: a database from the future (T22)', async () => {
  await publish(place, known.ann, {
    issued: minutes(new Date(), 60),
    signedAt: new Date(),
    packsign: packsign(),
  });
  await expectRefusal('DATABASE_FROM_FUTURE');
});

describe('endless data', () => {
  test.each([
    ['packages.plist', 'DATABASE_TOO_LARGE', '400000000'],
    [null, 'SIGNATURE_MALFORMED', '70000'],
  ])('%s of more than its limit', async (name, code, length) => {
    const bytes = await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: packsign() });
    site.tricks.set(name ?? `signatures/${sha256(bytes)}.asc`, (_, response) => {
      response.writeHead(200, { 'content-length': length });
      response.write('x');
    });
    await expectRefusal(code);
  });

  test('a signature file without an end, and without a length', async () => {
    const bytes = await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: packsign() });
    let sent = 0;
    site.tricks.set(`signatures/${sha256(bytes)}.asc`, (_, response) => {
      const block = Buffer.alloc(16 * 1024, 'x');
      const more = () => {
        sent += block.length;
        if (sent < 64 * 1024 * 1024 && response.writable) response.write(block, more);
      };
      more();
    });
    await expectRefusal('SIGNATURE_MALFORMED');
    expect(sent).toBeLessThan(8 * 1024 * 1024);
  });

  test('an archive without an end', async () => {
    let sent = 0;
    site.tricks.set('demo-1.0.tar.gz', (_, response) => {
      const block = Buffer.alloc(64 * 1024);
      const more = () => {
        sent += block.length;
        if (sent < 256 * 1024 * 1024 && response.writable) response.write(block, more);
      };
      more();
    });
    const { findings } = await reader.get(['demo']);
    expect(findings).toMatchObject([{ kind: 'altered', found: `more than ${DEMO.length} bytes` }]);
    expect(sent).toBeLessThan(32 * 1024 * 1024);
    expect(reader.place.snapshot('downloads')).toEqual({});
  });
});

test('mix-and-match: archives of one database behind another', async () => {
  const gone = { SHA256: sha256(DEMO), Until: minutes(ISSUED, 5) };
  await publish(place, known.ann, {
    issued: minutes(ISSUED, 5),
    archives: { 'demo-1.1.tar.gz': DEMO, 'sub/other-2.0.tar.gz': OTHER },
    packsign: packsign({ History: new Map([['demo-1.0.tar.gz', [gone]]]) }),
  });
  place.write('dist/demo-1.1.tar.gz', OTHER);
  expect((await reader.get(['demo'])).findings).toMatchObject([{ kind: 'altered', path: 'demo-1.1.tar.gz' }]);
});

test('wrong software: one package in the place of another', async () => {
  site.tricks.set('demo-1.0.tar.gz', (request, response) => {
    sendFile(place.path('dist/sub/other-2.0.tar.gz'), request, response);
  });
  expect((await reader.get(['demo'])).findings).toMatchObject([{ kind: 'altered' }]);
});

describe('substitution', () => {
  test('another database of the same maintainer', async () => {
    await publish(place, known.ann, {
      issued: minutes(ISSUED, 5),
      packsign: packsign({ Database: 'https://example.org/other/packages.plist' }),
    });
    await expectRefusal('WRONG_DATABASE');
  });

  test('a database that no longer gives its address', async () => {
    await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: { Notify: NOTIFY } });
    await expectRefusal('WRONG_DATABASE');
  });
});

describe('changed bytes', () => {
  const again = sdist('demo', '1.0', 'y = 2\n');

  test('without a record in the history', async () => {
    await publish(place, known.ann, {
      issued: minutes(ISSUED, 5),
      archives: { ...FILES, 'demo-1.0.tar.gz': again },
      packsign: packsign(),
    });
    await expectRefusal('HISTORY_BROKEN');
  });

  test('with only a record of an earlier change', async () => {
    const record = { SHA256: sha256(DEMO), Until: minutes(ISSUED, -10), Reason: 'once before' };
    await publish(place, known.ann, {
      issued: minutes(ISSUED, 5),
      archives: { ...FILES, 'demo-1.0.tar.gz': again },
      packsign: packsign({ History: new Map([['demo-1.0.tar.gz', [record]]]) }),
    });
    await expectRefusal('HISTORY_BROKEN');
  });

  test('with the maintainer’s reason they are accepted', async () => {
    const record = { SHA256: sha256(DEMO), Until: minutes(ISSUED, 5), Reason: 'packed again' };
    await publish(place, known.ann, {
      issued: minutes(ISSUED, 5),
      archives: { ...FILES, 'demo-1.0.tar.gz': again },
      packsign: packsign({ History: new Map([['demo-1.0.tar.gz', [record]]]) }),
    });
    expect(await reader.fetch(site.url)).toMatchObject({ status: 'authentic' });
  });
});

describe('key compromise', () => {
  test('one of two keys does not sign alone', async () => {
    const other = newReader();
    await publish(place, known.ann, {
      by: [known.ann, known.bob],
      packsign: packsign({
        Signers: { Threshold: 2, Fingerprints: [fingerprint(known.ann), fingerprint(known.bob)].sort() },
      }),
    });
    const added = await other.trust(site.url, { keys: certificateFile(known.ann, known.bob) });
    expect(added.threshold).toBe(2);
    await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: packsign() });
    const answer = await other.fetch(site.url);
    expect([answer.status, answer.code]).toEqual(['refused', 'TOO_FEW_SIGNATURES']);
  });

  test('a key in keys.asc that nobody pinned does not count', async () => {
    await publish(place, known.mallory, {
      issued: minutes(ISSUED, 5),
      keys: [known.mallory, known.ann],
      packsign: packsign(),
    });
    await expectRefusal('SIGNATURE_INVALID');
  });
});

describe('malicious mirror', () => {
  test('an archive with other bytes is fetched from the next one', async () => {
    const bad = await listen((_, response) => response.end('not what was signed'));
    await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: packsign({ Mirrors: [bad] }) });
    await reader.fetch(site.url);
    // The database's own place has lost it, the first mirror serves other bytes, the second has it.
    const good = await serve(place.path('dist'));
    await publish(place, known.ann, {
      issued: minutes(ISSUED, 6),
      packsign: packsign({ Mirrors: [bad, good.url] }),
    });
    site.tricks.set('demo-1.0.tar.gz', (_, response) => response.writeHead(404).end());
    const { packages } = await reader.get(['demo']);
    expect(packages).toMatchObject([{ from: `${good.url}demo-1.0.tar.gz` }]);
    expect(reader.place.read('downloads/demo-1.0.tar.gz')).toEqual(DEMO);
  });

  test('a database with other bytes is refused, and the next mirror asked', async () => {
    const copy = newPlace();
    const good = await serve(copy.path('dist'));
    const bad = await listen((_, response) => response.end('not what was signed'));
    const options = { issued: minutes(ISSUED, 5), packsign: packsign({ Mirrors: [bad, good.url] }) };
    await publish(place, known.ann, options);
    await reader.fetch(site.url);
    await publish(copy, known.ann, { ...options, issued: minutes(ISSUED, 7) });
    site.tricks.set('packages.plist', (_, response) => response.destroy());
    const answer = await reader.fetch(site.url);
    expect(answer).toMatchObject({ status: 'authentic', from: `${good.url}packages.plist` });
  });
});

test.each([{ Mirrors: ['http://['] }, { Database: 'http://[' }])(
  'a database with an invalid address is refused: %j',
  async (more) => {
    await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: packsign(more) });
    await expectRefusal('DATABASE_MALFORMED');
  },
);

describe('slow retrieval', () => {
  test('a server that sends nothing', async () => {
    site.tricks.set('packages.plist', () => undefined);
    await expect(reader.fetch(site.url)).rejects.toMatchObject({ code: 'NETWORK_TIMEOUT' });
  });

  test('a server that drips', async () => {
    site.tricks.set('packages.plist', (_, response) => {
      response.writeHead(200, { 'content-length': '100000' });
      const timer = setInterval(() => response.write('x'), 40);
      response.on('close', () => clearInterval(timer));
    });
    await expect(reader.fetch(site.url)).rejects.toMatchObject({ code: 'NETWORK_SLOW' });
  });

  test('a server that drips an archive', async () => {
    site.tricks.set('demo-1.0.tar.gz', (_, response) => {
      response.writeHead(200, { 'content-length': DEMO.length });
      const timer = setInterval(() => response.write('x'), 40);
      response.on('close', () => clearInterval(timer));
    });
    await expect(reader.get(['demo'])).rejects.toMatchObject({ code: 'NETWORK_SLOW' });
  });
});

describe('redirections', () => {
  test('are followed to another host: who serves the bytes does not matter', async () => {
    const elsewhere = await serve(place.path('dist'));
    site.tricks.set('packages.plist', (_, response) => {
      response.writeHead(302, { location: `${elsewhere.url}packages.plist` }).end();
    });
    expect(await reader.fetch(site.url)).toMatchObject({ status: 'authentic' });
  });

  test('in a circle are stopped', async () => {
    site.tricks.set('packages.plist', (_, response) => {
      response.writeHead(302, { location: site.url + 'packages.plist' }).end();
    });
    await expect(reader.fetch(site.url)).rejects.toMatchObject({ code: 'REDIRECT_REFUSED' });
    expect(site.requests.length).toBeLessThan(20);
  });

  test('to a file of this machine are refused', async () => {
    writeFileSync(place.path('secret'), 'secret');
    site.tricks.set('packages.plist', (_, response) => {
      response.writeHead(302, { location: `file://${place.path('secret')}` }).end();
    });
    await expect(reader.fetch(site.url)).rejects.toMatchObject({ code: 'REDIRECT_REFUSED' });
  });
});

test('a damaged keys.asc changes nothing', async () => {
  await publish(place, known.ann, { issued: minutes(ISSUED, 5), packsign: packsign() });
  place.write('dist/keys.asc', 'no keys');
  const answer = await reader.fetch(site.url);
  expect(answer.status).toBe('authentic');
  expect(answer.notices.join()).toContain('keys.asc');
});

import { enums } from 'openpgp';
import type { PrivateKey } from 'openpgp';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { day, fingerprint, forgeKey, subkeyOf } from '../pgp/forge.js';
import {
  DEMO,
  ISSUED,
  certificateFile,
  databaseText,
  dictAt,
  edited,
  minutes,
  people,
  put,
  sha256,
  signatureFile,
} from '../threats/scene.js';
import type { People } from '../threats/scene.js';
import { FILES, answer, packsign, publish, serve } from './scene.js';
import type { PublishOptions, Site } from './scene.js';

/**
 * Every state of the padlock, as somebody sees it who trusts a database of two signers: its own code, its own sentence,
 * the maintainer's address (by the word of the last database that was accepted), and a report to send there.
 */
let known: People;
let place: Place;
let site: Site;
let user: Place;

const [NOTIFY, THIEF] = ['mailto:ann@example.org', 'mailto:thief@example.org'];

beforeAll(async () => {
  known = await people();
});

beforeEach(async () => {
  place = newPlace();
  site = await serve(place.path('dist'));
  user = newPlace();
});

/** The next publication, signed by both; what it says of `Notify` counts only if it is accepted. */
async function next(options: PublishOptions = {}, notify = THIEF): Promise<Buffer> {
  const { issued = minutes(ISSUED, 5), by = [known.ann, known.bob], packsign: more = {} } = options;
  const Fingerprints = [known.ann, known.bob].map(fingerprint).sort();
  const Signers = { Threshold: 2, Fingerprints };
  const packsign = { Database: site.url, Notify: notify, Signers, ...more };
  return await publish(place, known.ann, { ...options, issued, by, packsign });
}

async function trusted(...keys: readonly PrivateKey[]): Promise<void> {
  const by = keys.length > 0 ? keys : [known.ann, known.bob];
  await next(
    { issued: ISSUED, by, packsign: keys.length > 0 ? { Signers: undefined as never } : {} },
    NOTIFY,
  );
  user.write('keys.asc', certificateFile(...by));
  const added = await packsign(user, ['trust', 'add', site.url, '--keys', 'keys.asc', '--name', 'ann']);
  expect([added.status, added.stderr]).toEqual([0, '']);
}

interface State {
  readonly name: string;
  readonly code: string;
  readonly sentence: RegExp;
  readonly arrange: () => Promise<unknown>;
}

const REFUSALS: readonly State[] = [
  {
    name: 'somebody else signed it',
    code: 'SIGNATURE_INVALID',
    sentence: /^no good signature by a trusted key/,
    arrange: () => next({ by: [known.mallory] }),
  },
  {
    name: 'one of two signers signed it',
    code: 'TOO_FEW_SIGNATURES',
    sentence: /^1 of the 2 required signatures$/,
    arrange: () => next({ by: [known.ann] }),
  },
  {
    name: 'its signature has vanished',
    code: 'SIGNATURE_MISSING',
    sentence: /^the last accepted database was signed, and these bytes have no signature$/,
    arrange: async () => {
      await next();
      place.remove('dist/signatures');
    },
  },
  {
    name: 'its signature is no signature',
    code: 'SIGNATURE_MALFORMED',
    sentence: /signature/,
    arrange: async () => {
      place.write(`dist/signatures/${sha256(await next())}.asc`, 'good, trust me');
    },
  },
  {
    name: 'an earlier one (rollback)',
    code: 'DATABASE_ROLLED_BACK',
    sentence: /^issued at \S+, and one of \S+ was seen before$/,
    // Without the copy of the newer one, which would count.
    arrange: async () => {
      user.remove('cache');
      await next({ issued: minutes(ISSUED, -5) });
    },
  },
  {
    name: 'another one of the same instant (fork)',
    code: 'DATABASE_FORKED',
    sentence: /^another database was issued at \S+ too$/,
    arrange: () => next({ issued: ISSUED, archives: { 'demo-1.0.tar.gz': DEMO } }),
  },
  {
    name: 'bytes changed without a word in the history',
    code: 'HISTORY_BROKEN',
    sentence:
      /^it does not continue .*: demo-1\.0\.tar\.gz has other bytes \(sha256 was \w{64}, is \w{64}\), and no record says so; .* packsign trust accept ann$/,
    arrange: () => next({ archives: { ...FILES, 'demo-1.0.tar.gz': sdist('demo', '1.0', 'y = 2\n') } }),
  },
  {
    name: 'another database of the same maintainers (substitution)',
    code: 'WRONG_DATABASE',
    sentence: /^this is the database of https:\/\/example\.org\/x\/packages\.plist, not of http/,
    arrange: () => next({ packsign: { Database: 'https://example.org/x/packages.plist' } }),
  },
  {
    name: 'one from the future',
    code: 'DATABASE_FROM_FUTURE',
    sentence: /^issued at \S+, in the future$/,
    arrange: () => next({ issued: minutes(new Date(), 60), signedAt: new Date() }),
  },
  {
    name: 'one without an end',
    code: 'DATABASE_TOO_LARGE',
    sentence: /sends more than the 335544320 bytes that are read of it$/,
    arrange: () => {
      site.tricks.set('packages.plist', (_, response) => {
        response.writeHead(200, { 'content-length': '400000000' });
        response.write('x');
      });
      return Promise.resolve();
    },
  },
  {
    name: 'one that is signed and no database',
    code: 'DATABASE_MALFORMED',
    sentence: /./,
    arrange: () => signedText(databaseText({ issued: minutes(ISSUED, 5) }).replace('<plist', '<plist ')),
  },
  {
    name: 'one of a format that is still to come',
    code: 'FORMAT_UNKNOWN',
    sentence: /2/,
    arrange: () =>
      signedText(
        edited(databaseText({ issued: minutes(ISSUED, 5) }), (document) => {
          dictAt(document, 'Packsign').set('Format', 2);
        }),
      ),
  },
  {
    name: 'none at all',
    code: 'DATABASE_MISSING',
    sentence: /^there is no database at http/,
    arrange: () => {
      place.remove('dist/packages.plist');
      return Promise.resolve();
    },
  },
];

async function signedText(text: string): Promise<void> {
  const by = [subkeyOf(known.ann), subkeyOf(known.bob)];
  put(place, text, await signatureFile(Buffer.from(text), { by, date: minutes(ISSUED, 5) }));
}

/** What verify, list and get say of it, to programs and to people; the store stays as it was. */
async function expectRefused({ code, sentence }: Omit<State, 'arrange' | 'name'>): Promise<void> {
  const before = user.snapshot('config');
  for (const command of ['verify', 'list']) {
    const { status, value } = await answer(user, [command, 'ann', '--report', `${command}.txt`]);
    expect([status, value['status'], value['code']]).toEqual([1, 'refused', code]);
    expect(value['message']).toMatch(sentence);
    expect(value['notify']).toBe(NOTIFY);
    expect(user.text(`${command}.txt`)).toContain(`refused (${code})`);
  }
  const { status, stdout } = await packsign(user, ['verify', 'ann']);
  expect(status).toBe(1);
  expect(stdout).toMatch(/^refused \(refusal\): http/);
  expect(stdout).toContain(`(${code})\n`);
  expect(stdout).toContain(`tell the maintainer: ${NOTIFY}`);
  const got = await packsign(user, ['get', 'demo', '--output', 'out', '--verbose']);
  expect([got.status, got.stdout]).toEqual([1, '']);
  expect(got.stderr).toContain(`(${code})\n`);
  expect(got.stderr).toContain(NOTIFY);
  expect(user.has('out')).toBe(false);
  // Nothing of a refused database is kept; what the pinned keys said of themselves in keys.asc may be.
  const withoutKeys = (files: Readonly<Record<string, string>>) =>
    Object.entries(files).filter(([name]) => name !== 'packsign/trust.json');
  expect(withoutKeys(user.snapshot('config'))).toEqual(withoutKeys(before));
}

describe('refused', () => {
  test('has one code for each reason', () => {
    expect(new Set(REFUSALS.map(({ code }) => code)).size).toBe(REFUSALS.length);
  });

  test.each(REFUSALS.map((state) => [state.name, state] as const))('%s', async (_, state) => {
    await trusted();
    const before = user.snapshot('config');
    await state.arrange();
    await expectRefused(state);
    expect(user.snapshot('config')).toEqual(before);
  });

  test('a key that was revoked as stolen', async () => {
    const stolen = await forgeKey({ name: 'Ann' });
    await trusted(stolen);
    const revoked = await stolen.revoke({ flag: enums.reasonForRevocation.keyCompromised }, day(300));
    await next({ by: [stolen], keys: [revoked], packsign: { Signers: undefined as never } });
    await expectRefused({ code: 'KEY_REVOKED', sentence: /^signed by a key that is revoked/ });
  });
});

describe('stale', () => {
  async function expectStale(sentence: RegExp): Promise<void> {
    const { status, value } = await answer(user, ['verify', 'ann']);
    expect([status, value['status'], value['code'], value['notify']]).toEqual([
      ...[1, 'stale', 'DATABASE_STALE', NOTIFY],
    ]);
    expect(value['message']).toMatch(sentence);
    expect((await packsign(user, ['verify', 'ann'])).stdout).toMatch(/^stale \(🔒 closed padlock\): /);
    expect((await packsign(user, ['verify', 'ann', '--allow-stale'])).status).toBe(0);
    const got = await packsign(user, ['get', 'demo', '--output', 'out', '--verbose']);
    expect([got.status, got.stderr.includes('--allow-stale')]).toEqual([1, true]);
  }

  test('its time is over', async () => {
    await trusted();
    await next({ expires: minutes(ISSUED, 6) }, NOTIFY);
    await expectStale(/^expired at \S+$/);
  });

  test('a key has expired since it signed', async () => {
    const seconds = (ISSUED.getTime() - day(0).getTime()) / 1000 + 1800;
    const ann = await forgeKey({ name: 'Ann', expires: seconds });
    await next({ issued: ISSUED, by: [ann], packsign: { Signers: undefined as never } }, NOTIFY);
    user.write('keys.asc', certificateFile(ann));
    await packsign(user, ['trust', 'add', site.url, '--keys', 'keys.asc', '--name', 'ann']);
    await expectStale(/^the key \w{40} has expired since it signed$/);
  });
});

test('unauthenticated: nothing that stands in it is believed', async () => {
  await next();
  const { status, value } = await answer(user, ['verify', site.url]);
  expect([status, value['status'], value['code'], value['notify']]).toEqual([
    ...[1, 'unauthenticated', 'NOT_PINNED', null],
  ]);
  expect((await packsign(user, ['verify', site.url])).stdout).toMatch(
    /^unauthenticated \(🔓 open padlock\): /,
  );
});

test('authentic: with the address of this very database', async () => {
  await trusted();
  await next({}, 'https://example.org/report');
  const { status, value } = await answer(user, ['verify', 'ann']);
  expect([status, value['status'], value['code'], value['notify']]).toEqual([
    ...[0, 'authentic', null, 'https://example.org/report'],
  ]);
  expect((await packsign(user, ['verify', 'ann'])).stdout).toMatch(/^authentic \(🔒 closed padlock\): /);
  expect(value['message']).toBeNull();
});

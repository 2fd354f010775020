import { pathToFileURL } from 'node:url';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { reformatKey, revokeKey } from 'openpgp';
import { verify } from '../../src/index.js';
import type { VerifyResult } from '../../src/index.js';
import { makeRun } from '../../src/run.js';
import type { Run } from '../../src/run.js';
import type { Place } from '../packsign.js';
import { newPlace } from '../packsign.js';
import { fingerprint, subkeyOf } from '../pgp/forge.js';
import { HASTY, publish, serve } from '../consume/scene.js';
import type { Site } from '../consume/scene.js';
import {
  DEMO,
  ISSUED,
  certificateFile,
  databaseText,
  minutes,
  people,
  put,
  sha256,
  signatureFile,
} from '../threats/scene.js';
import type { People } from '../threats/scene.js';

let known: People;
let place: Place;
let site: Site;

beforeAll(async () => {
  known = await people();
});

beforeEach(async () => {
  place = newPlace();
  site = await serve(place.path('dist'));
  await publish(place, known.ann);
  place.write('ann.asc', certificateFile(known.ann));
});

const OPTIONS = { fingerprints: [], threshold: null, signatureFile: null, files: true } as const;

function hasty(): Run {
  return makeRun({ clock: () => new Date(), network: HASTY });
}

/** What a reader is told in a way that does not depend on the place. */
async function told(target: string): Promise<Partial<VerifyResult>> {
  const result = await verify(target, { ...OPTIONS, keysFile: place.path('ann.asc'), run: hasty() });
  const { status, code, sha256: hash, trusted, signatures, files, findings } = result;
  return { status, code, sha256: hash, trusted, signatures, files, findings };
}

/** The certificate of Ann after she revoked it, as `keys.asc` brings it to those who have her key. */
async function revoked(): Promise<Uint8Array> {
  const { privateKey } = await reformatKey({
    privateKey: known.ann,
    userIDs: known.ann.users.map(({ userID }) => ({ name: userID?.name ?? '', email: userID?.email ?? '' })),
    format: 'object',
    date: ISSUED,
  });
  const { publicKey } = await revokeKey({ key: privateKey, format: 'object' });
  return Buffer.from(publicKey.armor());
}

describe('a directory and an address get the same answer', () => {
  test.each<[string, string | null, () => unknown]>([
    ['where all is good', null, () => undefined],
    ['where there is no database', 'DATABASE_MISSING', () => place.remove('dist/packages.plist')],
    [
      'where the database is changed',
      'SIGNATURE_MISSING',
      () => place.write('dist/packages.plist', `${place.text('dist/packages.plist')}\n`),
    ],
    [
      'where the signature is gone',
      'SIGNATURE_MISSING',
      () => place.remove(`dist/signatures/${sha256(place.read('dist/packages.plist'))}.asc`),
    ],
    [
      'where the signature is none',
      'SIGNATURE_MALFORMED',
      () => place.write(`dist/signatures/${sha256(place.read('dist/packages.plist'))}.asc`, 'hello'),
    ],
    ['where somebody else signed', 'SIGNATURE_INVALID', () => publish(place, known.bob)],
    [
      'where it was signed in the future',
      'SIGNATURE_INVALID',
      () => publish(place, known.ann, { packsign: { Issued: minutes(new Date(), 90) } }),
    ],
    [
      'where it has expired',
      'DATABASE_STALE',
      () => publish(place, known.ann, { packsign: { Expires: minutes(ISSUED, 1) } }),
    ],
    ['where a file is altered', 'FILE_ALTERED', () => place.write('dist/demo-1.0.tar.gz', 'other bytes')],
    ['where a file is missing', 'FILE_MISSING', () => place.remove('dist/sub/other-2.0.tar.gz')],
    ['where keys.asc is gone', null, () => place.remove('dist/keys.asc')],
    ['where keys.asc is none', null, () => place.write('dist/keys.asc', 'hello')],
    [
      'where keys.asc says that the key is revoked',
      'KEY_REVOKED',
      async () => {
        place.write('dist/keys.asc', await revoked());
      },
    ],
  ])('%s: %s', async (_, code, change) => {
    await change();
    const directory = await told(place.path('dist'));
    expect(directory.code).toBe(code);
    expect(await told(site.url)).toEqual(directory);
    expect(await told(pathToFileURL(place.path('dist/packages.plist')).href)).toEqual(directory);
  });

  test('where keys.asc, which alone has the certificate, is damaged: KEYS_MALFORMED', async () => {
    place.write('dist/keys.asc', 'hello');
    for (const target of [place.path('dist'), site.url]) {
      const fingerprints = [fingerprint(known.ann)];
      const { status, code } = await verify(target, {
        ...OPTIONS,
        keysFile: null,
        fingerprints,
        run: hasty(),
      });
      expect([status, code]).toEqual(['refused', 'KEYS_MALFORMED']);
    }
  });
});

test('an endless database is refused everywhere, and no more than the limit is read', async () => {
  site.tricks.set('packages.plist', (_, response) => {
    response.writeHead(200);
    const more = () => {
      while (response.write(Buffer.alloc(1 << 20))) continue;
      response.once('drain', more);
    };
    more();
  });
  expect(await told(site.url)).toMatchObject({ status: 'refused', code: 'DATABASE_TOO_LARGE' });
});

test('a signature from a time after the database is looked for again at an address, not in a directory', async () => {
  const later = Buffer.from(databaseText({ archives: { 'demo-1.0.tar.gz': DEMO } }));
  const signature = await signatureFile(later, { by: [subkeyOf(known.ann)] });
  put(place, later, null);
  expect(await told(place.path('dist'))).toMatchObject({ code: 'SIGNATURE_MISSING' });
  let asked = 0;
  site.tricks.set(`signatures/${sha256(later)}.asc`, (_, response) => {
    asked += 1;
    if (asked === 1) response.writeHead(404).end();
    else response.end(signature);
  });
  expect(await told(site.url)).toMatchObject({ status: 'authentic' });
});
